package policy

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

const ed25519KeyBytes = 32

func (c *compiler) approvals(n *yaml.Node, p *rules.PolicySpec) {
	found := c.fields(n, "approvals", "quorum", "approvers", "expires")
	if f, ok := found["quorum"]; ok {
		p.Approvals.Quorum, _ = c.count(f.value, "quorum", 1, abi.ApprovalsMax)
	}
	if f, ok := found["expires"]; ok {
		p.Approvals.HoldS, _ = c.seconds(f.value, "expires", rules.HoldMinS, rules.HoldMaxS)
	}
	if f, ok := found["approvers"]; ok {
		p.Approvals.Approvers = c.set(f.value, "approvers", rules.ApproversMax, c.approverUse)
	}
}

func (c *compiler) approverUse(n *yaml.Node, what string) (string, bool) {
	name, ok := c.name(n, what)
	known := c.approverNames()
	if ok && !slices.Contains(known, name) {
		fix := "list the person under approvers: at the top of the file"
		if len(known) > 0 {
			fix = suggest(name, known)
		}
		c.fail(n, "approver_unknown", fmt.Sprintf("there is no approver %.80q", name), fix)
		return "", false
	}
	return name, ok
}

func (c *compiler) approverNames() []string {
	var names []string
	for _, a := range c.spec.Approvers {
		names = append(names, a.Name)
	}
	return names
}

// finishApprovals lets everybody approve where nobody is named, and reports holds that can never be cleared.
func (c *compiler) finishApprovals(n *yaml.Node, found map[string]field, p *rules.PolicySpec) {
	f, written := found["approvals"]
	named := written && f.value.Kind == yaml.MappingNode && slices.ContainsFunc(f.value.Content, func(k *yaml.Node) bool { return k.Value == "approvers" })
	if !named {
		p.Approvals.Approvers = c.approverNames()
	}
	switch people := len(p.Approvals.Approvers); {
	case people >= int(min(p.Approvals.Quorum, abi.ApprovalsMax)):
	case written:
		c.fail(f.value, "quorum_unreachable", fmt.Sprintf("%d approvals are needed and %d people may give one", p.Approvals.Quorum, people),
			"name more approvers or lower the quorum")
	default:
		c.warn(n, "nobody_can_approve", "nobody may approve, so every payment that is held ends as a denial", "list people under approvers:")
	}
}

// approvers reads the registry of people. One key under two names is refused: its owner would be a quorum of two.
func (c *compiler) approvers(n *yaml.Node) {
	owner := map[string]string{}
	for _, f := range c.entries(n, "approvers", rules.ApproversMax) {
		name, ok := c.name(f.key, "the approver's name")
		text, isText := c.text(f.value, "the approver's key")
		if !ok || !isText {
			continue
		}
		key, ok := parseKey(text)
		if !ok {
			c.fail(f.value, "key_invalid", fmt.Sprintf("the key of %s is not an Ed25519 public key", name), "write its 32 bytes as hex or base64")
			continue
		}
		if other := owner[key]; other != "" {
			c.fail(f.value, "key_shared", fmt.Sprintf("%s has the key of %s", name, other), "give each person a key of their own")
			continue
		}
		owner[key] = name
		c.spec.Approvers = append(c.spec.Approvers, rules.Approver{Name: name, Key: key})
	}
	slices.SortFunc(c.spec.Approvers, func(a, b rules.Approver) int { return strings.Compare(a.Name, b.Name) })
}

// parseKey reads hex or standard base64, and refuses the all-zero key, for which anybody can sign.
func parseKey(s string) (lowerHex string, ok bool) {
	key, err := hex.DecodeString(s)
	if err != nil {
		key, err = base64.StdEncoding.Strict().DecodeString(s)
	}
	if err != nil || len(key) != ed25519KeyBytes || !slices.ContainsFunc(key, func(b byte) bool { return b != 0 }) {
		return "", false
	}
	return hex.EncodeToString(key), true
}
