package policy

import (
	"fmt"
	"slices"

	"github.com/purserhq/purser/internal/trust"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

// trust reads what is demanded of modules, by kind. A policy plugin is pinned where it is used; a chain adapter is
// named elsewhere, so its digests stand here.
func (c *compiler) trust(n *yaml.Node) {
	found := c.fields(n, "trust", "policy", "chain")
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		c.fail(n, "key_missing", "trust demands nothing", "add `policy:` or `chain:`, or remove the key")
	}
	if f, ok := found["policy"]; ok {
		kind := c.fields(f.value, "trust.policy", "signers")
		c.need(f.value, "trust.policy", kind, "signers")
		if f, ok := kind["signers"]; ok {
			c.pluginSigners = c.signers(f.value, "signers")
		}
	}
	if f, ok := found["chain"]; ok {
		kind := c.fields(f.value, "trust.chain", "signers", "sha256")
		if f, ok := kind["signers"]; ok {
			c.spec.ChainTrust.Signers = c.signers(f.value, "signers")
		}
		if f, ok := kind["sha256"]; ok {
			c.spec.ChainTrust.SHA256 = c.set(f.value, "sha256", rules.DigestsMax, c.digest)
			c.refuseEmpty(f.value, "sha256")
		}
		if f.value.Kind == yaml.MappingNode && len(f.value.Content) == 0 {
			c.fail(f.value, "key_missing", "trust.chain demands nothing", "add `signers:` or `sha256:`")
		}
	}
}

// signers reads public keys. An empty list is refused: it reads like nobody and would demand nothing.
func (c *compiler) signers(n *yaml.Node, what string) []string {
	c.refuseEmpty(n, what)
	return c.set(n, what, rules.SignersMax, func(n *yaml.Node, what string) (string, bool) {
		s, ok := c.text(n, what)
		if !ok {
			return "", false
		}
		key, err := trust.ParsePublicKey(s)
		if err != nil {
			c.fail(n, "key_invalid", fmt.Sprintf("%s is %.80q, which is not a minisign public key", what, s), "copy the line that begins with RW from the .pub file")
			return "", false
		}
		return key.String(), true
	})
}

// refuseEmpty reports a list without entries.
func (c *compiler) refuseEmpty(n *yaml.Node, what string) {
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		c.fail(n, "list_empty", what+" lists nothing", "write at least one, or remove the key")
	}
}

// signedBy reads the signers of one plugin. They narrow those of trust.policy and never widen them.
func (c *compiler) signedBy(n *yaml.Node) []string {
	signers := c.signers(n, "signed_by")
	if len(c.pluginSigners) == 0 {
		return signers
	}
	for i, signer := range signers {
		if !slices.Contains(c.pluginSigners, signer) {
			c.fail(n, "signer_untrusted", fmt.Sprintf("trust.policy does not list signer %s", signer), "list the key under trust.policy.signers first")
			return slices.Delete(signers, i, len(signers))
		}
	}
	return signers
}
