package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

// Keys of the top level. A file without any of structureKeys is the flat form: the keys of one policy, for all
// agents.
var (
	structureKeys = []string{"version", "agents", "policies"}
	sharedKeys    = []string{"tenant", "approvers", "merchants", "assets", "networks", "trust"}
)

const (
	schemaVersion = "1"
	flatName      = "default"
	everyAgent    = "*"
)

// use is a name that must exist somewhere else in the file.
type use struct {
	at   *yaml.Node
	name string
}

// document reads the whole file into c.spec, reporting as it goes.
func (c *compiler) document(root *yaml.Node) {
	known := slices.Concat(structureKeys, sharedKeys, policyKeys())
	top := c.fields(root, "the file", known...)
	has := func(key string) bool { _, ok := top[key]; return ok }
	c.spec.Format = rules.Format

	c.shared(root, top)
	if slices.ContainsFunc(structureKeys, has) {
		c.structured(root, top)
	} else if slices.ContainsFunc(policyKeys(), has) {
		c.spec.Agents = []rules.AgentSpec{{Pattern: everyAgent, Policy: flatName}}
		c.policy(root, flatName, top)
	} else if len(c.errors.list) == 0 {
		c.fail(root, "policy_empty", "the file holds no policy", "start with `version: 1`, or with `max_transaction_usdc:`")
	}
	c.tenantCeiling(root, top)
	c.exposure()
}

func (c *compiler) structured(root *yaml.Node, top map[string]field) {
	for _, key := range policyKeys() {
		if f, ok := top[key]; ok {
			c.fail(f.key, "key_misplaced", fmt.Sprintf("%q belongs to a policy", key), "move it under policies: and the policy's name")
		}
	}
	c.need(root, "the file", top, structureKeys...)
	if f, ok := top["version"]; ok {
		if s, ok := c.text(f.value, "version"); ok && s != schemaVersion {
			c.fail(f.value, "version_unknown", fmt.Sprintf("version is %.20q, this purser reads %s", s, schemaVersion), "write `version: 1`")
		}
	}
	if f, ok := top["policies"]; ok {
		c.policies(f.value)
	}
	if f, ok := top["agents"]; ok {
		c.agents(f.value)
	}
}

// need reports required keys that are missing.
func (c *compiler) need(n *yaml.Node, what string, found map[string]field, keys ...string) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for _, key := range keys {
		if _, ok := found[key]; !ok {
			c.fail(n, "key_missing", fmt.Sprintf("%s has no %s", what, key), fmt.Sprintf("add `%s:`", key))
		}
	}
}

// agents gives ids and prefixes their policy. Two patterns can only tie by being equal, which is a repeated key.
func (c *compiler) agents(n *yaml.Node) {
	for _, f := range c.entries(n, "agents", rules.AgentsMax) {
		pattern := f.key.Value
		if !rules.ValidPattern(pattern) {
			c.fail(f.key, "pattern_invalid", fmt.Sprintf("%.80q is no pattern of agents", pattern),
				"write an agent's id, a prefix followed by *, or *")
		}
		found := c.fields(f.value, "the agent", "policy", "tier", "groups")
		c.need(f.value, "the agent", found, "policy")
		agent := rules.AgentSpec{Pattern: pattern}
		if p, ok := found["policy"]; ok {
			if agent.Policy, ok = c.name(p.value, "policy"); ok {
				c.policyUses = append(c.policyUses, use{p.value, agent.Policy})
			}
		}
		if t, ok := found["tier"]; ok {
			agent.Tier, _ = c.name(t.value, "tier")
		}
		if g, ok := found["groups"]; ok {
			agent.Groups = c.set(g.value, "groups", rules.GroupsMax, c.name)
		}
		c.spec.Agents = append(c.spec.Agents, agent)
	}
	slices.SortFunc(c.spec.Agents, func(a, b rules.AgentSpec) int { return strings.Compare(a.Pattern, b.Pattern) })
	c.resolvePolicies()
}

func (c *compiler) resolvePolicies() {
	used := map[string]bool{}
	var names []string
	for _, p := range c.spec.Policies {
		names = append(names, p.Name)
	}
	for _, u := range c.policyUses {
		used[u.name] = true
		if !slices.Contains(names, u.name) {
			c.fail(u.at, "policy_unknown", fmt.Sprintf("there is no policy %.80q", u.name), suggest(u.name, names))
		}
	}
	for _, p := range c.policyPlaces {
		if !used[p.name] {
			c.warn(p.at, "policy_unused", fmt.Sprintf("no agent uses policy %q", p.name), "name it under agents: or remove it")
		}
	}
}

// set reads a list whose order does not matter and sorts it. read turns an item into its canonical spelling.
func (c *compiler) set(n *yaml.Node, what string, most int, read func(*yaml.Node, string) (string, bool)) []string {
	var list []string
	for _, item := range c.items(n, what, most) {
		s, ok := read(item, "an entry of "+what)
		if ok && slices.Contains(list, s) {
			c.fail(item, "entry_repeated", fmt.Sprintf("%s names %.80q twice", what, s), "remove one")
			continue
		}
		if ok {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, cmp.Compare[string])
	return list
}
