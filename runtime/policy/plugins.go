package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

const (
	pluginEnding = ".wasm"
	grantsMax    = 32
)

func (c *compiler) plugins(n *yaml.Node, p *rules.PolicySpec) {
	for _, item := range c.items(n, "plugins", rules.PluginsMax) {
		plugin, ok := c.plugin(item)
		if ok && slices.ContainsFunc(p.Plugins, func(other rules.Plugin) bool { return other.Name == plugin.Name }) {
			c.fail(item, "name_repeated", fmt.Sprintf("there is already a plugin %q", plugin.Name), "rename one of the files")
			continue
		}
		c.pluginPlaces[pluginKey{p.Name, plugin.Name}] = placeOf(item)
		p.Plugins = append(p.Plugins, plugin)
	}
}

func (c *compiler) plugin(n *yaml.Node) (plugin rules.Plugin, ok bool) {
	found := c.fields(n, "the plugin", "use", "sha256", "config", "grants", "signed_by")
	c.need(n, "the plugin", found, "use", "sha256")
	plugin = rules.Plugin{Config: "{}", Grants: "{}"}
	if f, has := found["config"]; has {
		plugin.Config = c.object(f.value, "config")
	}
	if f, has := found["grants"]; has {
		plugin.Grants = c.grants(f.value)
	}
	if f, has := found["sha256"]; has {
		plugin.SHA256, _ = c.digest(f.value, "sha256")
	}
	plugin.Signers = c.pluginSigners
	if f, has := found["signed_by"]; has {
		plugin.Signers = c.signedBy(f.value)
	}
	f, has := found["use"]
	if !has {
		return plugin, false
	}
	if plugin.Path, ok = c.text(f.value, "use"); !ok {
		return plugin, false
	}
	plugin.Name = strings.TrimSuffix(filepath.Base(plugin.Path), pluginEnding)
	if !rules.ValidName(plugin.Name) || plugin.Name == rules.SourceRules {
		c.fail(f.value, "name_invalid", fmt.Sprintf("a plugin cannot be called %.80q", plugin.Name), "rename the file")
		return plugin, false
	}
	c.checkModule(f.value, found["sha256"].value, plugin)
	return plugin, true
}

// digest reads a module's SHA-256.
func (c *compiler) digest(n *yaml.Node, what string) (string, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return "", false
	}
	s = strings.ToLower(s)
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != sha256.Size {
		c.fail(n, "digest_invalid", what+" is not 64 hex digits", "copy it from `sha256sum`")
		return "", false
	}
	return s, true
}

// checkModule compares the file with the digest that the reviewer of the policy saw, and asks for its signature.
func (c *compiler) checkModule(at, digestAt *yaml.Node, plugin rules.Plugin) {
	module, err := c.read(plugin.Path)
	if err != nil {
		c.fail(at, "plugin_unreadable", fmt.Sprintf("%.200q cannot be read: %v", plugin.Path, err), "check the path; it is relative to the policy file")
		return
	}
	if sum := sha256.Sum256(module); plugin.SHA256 != "" && hex.EncodeToString(sum[:]) != plugin.SHA256 {
		c.fail(digestAt, "plugin_digest_mismatch", fmt.Sprintf("the file's SHA-256 is %x", sum), "review the new module before you write its digest here")
	}
	signature := func() ([]byte, error) { return c.read(plugin.Path + trust.SignatureEnding) }
	if err := trust.Require(module, trust.Demand{Signers: plugin.Signers}, signature); err != nil {
		c.failWith(at, err)
	}
}

// grants reads what a plugin may be told.
func (c *compiler) grants(n *yaml.Node) string {
	found := c.fields(n, "grants", "facts")
	grants := map[string]any{}
	if f, ok := found["facts"]; ok {
		if facts := c.set(f.value, "facts", grantsMax, c.fact); len(facts) > 0 {
			grants["facts"] = facts
		}
	}
	return c.canonical(n, grants)
}

// fact reads the name of one fact. An unknown one grants nothing, which nobody would notice.
func (c *compiler) fact(n *yaml.Node, what string) (string, bool) {
	s, ok := c.name(n, what)
	if known := abi.FactNames(); ok && !slices.Contains(known, s) {
		c.fail(n, "fact_unknown", fmt.Sprintf("there is no fact %.80q", s), suggest(s, known))
		return "", false
	}
	return s, ok
}

// object reads a free mapping as canonical JSON.
func (c *compiler) object(n *yaml.Node, what string) string {
	if n.Kind != yaml.MappingNode {
		c.wrongKind(n, what, "a mapping")
		return "{}"
	}
	return c.canonical(n, c.value(n, what))
}

func (c *compiler) canonical(n *yaml.Node, value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		c.failWith(n, err)
		return "{}"
	}
	canonical, err := abi.CanonicalJSON(raw)
	if err != nil {
		c.failWith(n, err)
		return "{}"
	}
	return string(canonical)
}

var plainInteger = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,15})$`)

// value turns a node into what JSON can hold. Plain numbers must be integers that every JSON reader keeps exact;
// decimals are written as text, and the plugin says how to read them.
func (c *compiler) value(n *yaml.Node, what string) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for _, f := range c.entries(n, what, abi.JSONEntriesMax) {
			object[f.key.Value] = c.value(f.value, what+"."+f.key.Value)
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, c.value(item, "an entry of "+what))
		}
		return list
	case yaml.ScalarNode:
		return c.scalar(n, what)
	case yaml.AliasNode, yaml.DocumentNode, yaml.StreamNode: // an alias is reported already, the others have no parent
	}
	return nil
}

func (c *compiler) scalar(n *yaml.Node, what string) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return c.flag(n, what)
	case "!!int", "!!float":
		if !plainInteger.MatchString(n.Value) {
			c.fail(n, "number_invalid", fmt.Sprintf("%.100s is %.60q, which is not a plain integer", what, n.Value), "put it in quotes, to pass it as text")
			return nil
		}
		return json.Number(n.Value)
	default:
		return n.Value
	}
}
