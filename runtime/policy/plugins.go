package policy

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

const (
	pluginEnding = ".wasm"
	grantsMax    = 32
	digestHex    = 64
)

func (c *compiler) plugins(n *yaml.Node, p *rules.PolicySpec) {
	for _, item := range c.items(n, "plugins", rules.PluginsMax) {
		plugin, ok := c.plugin(item)
		if ok && slices.ContainsFunc(p.Plugins, func(other rules.Plugin) bool { return other.Name == plugin.Name }) {
			c.fail(item, "name_repeated", fmt.Sprintf("there is already a plugin %q", plugin.Name), "rename one of the files")
			continue
		}
		p.Plugins = append(p.Plugins, plugin)
	}
}

func (c *compiler) plugin(n *yaml.Node) (plugin rules.Plugin, ok bool) {
	found := c.fields(n, "the plugin", "use", "sha256", "config", "grants")
	c.need(n, "the plugin", found, "use", "sha256")
	plugin = rules.Plugin{Config: "{}", Grants: "{}"}
	if f, has := found["config"]; has {
		plugin.Config = c.object(f.value, "config")
	}
	if f, has := found["grants"]; has {
		plugin.Grants = c.grants(f.value)
	}
	want := ""
	if f, has := found["sha256"]; has {
		want, _ = c.text(f.value, "sha256")
		if want = strings.ToLower(want); !isDigest(want) {
			c.fail(f.value, "digest_invalid", "sha256 is not 64 hex digits", "copy it from `sha256sum`")
			want = ""
		}
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
	plugin.SHA256 = c.pluginDigest(f.value, found["sha256"].value, plugin.Path, want)
	return plugin, true
}

func isDigest(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == digestHex/2
}

// pluginDigest compares the file with the digest that the reviewer of the policy saw.
func (c *compiler) pluginDigest(at, digestAt *yaml.Node, path, want string) string {
	digest, err := c.digestOf(path)
	if err != nil {
		c.fail(at, "plugin_unreadable", fmt.Sprintf("%.200q cannot be read: %v", path, err), "check the path; it is relative to the policy file")
		return want
	}
	if got := hex.EncodeToString(digest[:]); want != "" && got != want {
		c.fail(digestAt, "plugin_digest_mismatch", fmt.Sprintf("the file's SHA-256 is %s", got), "review the new module before you write its digest here")
	}
	return want
}

// grants reads what a plugin may be told.
func (c *compiler) grants(n *yaml.Node) string {
	found := c.fields(n, "grants", "facts")
	grants := map[string]any{}
	if f, ok := found["facts"]; ok {
		if facts := c.set(f.value, "facts", grantsMax, c.name); len(facts) > 0 {
			grants["facts"] = facts
		}
	}
	return c.canonical(n, grants)
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
