package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

// Bundle is a checked policy bundle. It never changes, so any number of goroutines may use it.
type Bundle struct {
	spec      Spec
	canonical []byte
	hash      [sha256.Size]byte

	policies map[string]*Policy
	exact    map[string]AgentSpec // by id
	prefixes map[string]AgentSpec // by prefix without the '*'
	tokens   map[string]Token     // by asset
	networks map[string]bool
	pins     map[Origin]payees
	people   map[string]bool
	metered  map[metered]bool
}

// New checks a spec and compiles it. The spec may be changed afterwards: the bundle keeps its own copy. The error
// has code policy_invalid.
func New(spec Spec) (*Bundle, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode policy: %w", err)
	}
	canonical, err := abi.CanonicalJSON(raw)
	if err != nil {
		return nil, &abi.Error{
			Code: "policy_invalid", Message: "the compiled policy is too large", Cause: err,
			Fix: fmt.Sprintf("keep the compiled form within %d bytes", abi.ConfigBytesMax),
		}
	}
	bundle, err := Decode(canonical)
	if err != nil {
		return nil, err
	}
	copyPaths(bundle.spec, spec)
	return bundle, nil
}

// copyPaths carries over the only field outside the canonical form.
func copyPaths(to, from Spec) {
	for i, policy := range from.Policies {
		for j, plugin := range policy.Plugins {
			to.Policies[i].Plugins[j].Path = plugin.Path
		}
	}
}

// Decode reads what Canonical returns, and nothing else: another spelling of the same bundle would have another
// hash. The error has code policy_invalid.
func Decode(canonical []byte) (*Bundle, error) {
	var spec Spec
	decoder := json.NewDecoder(bytes.NewReader(canonical))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&spec); err != nil {
		return nil, &abi.Error{Code: "policy_invalid", Message: "the compiled policy cannot be read", Cause: err}
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode policy: %w", err)
	}
	again, err := abi.CanonicalJSON(raw)
	if err != nil || !bytes.Equal(again, canonical) {
		return nil, &abi.Error{Code: "policy_invalid", Message: "the compiled policy is not in its canonical form", Cause: err}
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	return compile(spec, again), nil
}

func compile(spec Spec, canonical []byte) *Bundle {
	b := &Bundle{
		spec: spec, canonical: canonical, hash: sha256.Sum256(canonical),
		policies: map[string]*Policy{}, exact: map[string]AgentSpec{}, prefixes: map[string]AgentSpec{},
		tokens: map[string]Token{}, networks: map[string]bool{}, pins: map[Origin]payees{}, people: map[string]bool{},
		metered: meteredBy(spec),
	}
	for _, agent := range spec.Agents {
		if prefix, ok := strings.CutSuffix(agent.Pattern, "*"); ok {
			b.prefixes[prefix] = agent
		} else {
			b.exact[agent.Pattern] = agent
		}
	}
	for _, token := range spec.Tokens {
		b.tokens[token.Asset] = token
	}
	for _, network := range spec.Networks {
		b.networks[network] = true
	}
	for _, merchant := range spec.Merchants {
		b.pins[Origin(merchant.Origin)] = newPayees(merchant.PayTo)
	}
	for _, approver := range spec.Approvers {
		b.people[approver.Name] = true
	}
	for i := range spec.Policies {
		policy := newPolicy(b, &b.spec.Policies[i])
		b.policies[policy.Name()] = policy
	}
	return b
}

// Hash is the SHA-256 of Canonical. It names the bundle in every decision.
func (b *Bundle) Hash() [sha256.Size]byte { return b.hash }

// Canonical is the bundle as canonical JSON (RFC 8785), the form Decode reads. The caller owns the copy.
func (b *Bundle) Canonical() []byte { return bytes.Clone(b.canonical) }

// For returns the policy of an agent, by the most specific pattern: its id, else the longest prefix. ok is false
// for an agent that no pattern names, and for an id that is not ValidName: then nothing may be paid
// (abi.ReasonNoPolicy).
func (b *Bundle) For(agentID string) (policy *Policy, ok bool) {
	agent, ok := b.agent(agentID)
	if !ok {
		return nil, false
	}
	policy, ok = b.policies[agent.Policy]
	return policy, ok
}

// Agent returns what the bundle says of an agent, for DecideRequest.Agent; SignedRequest is the caller's to set.
func (b *Bundle) Agent(agentID string) (agent *abi.Agent, ok bool) {
	spec, ok := b.agent(agentID)
	if !ok {
		return nil, false
	}
	return &abi.Agent{ID: agentID, Groups: append([]string(nil), spec.Groups...), Tier: spec.Tier}, true
}

func (b *Bundle) agent(id string) (AgentSpec, bool) {
	if !ValidName(id) {
		return AgentSpec{}, false
	}
	if agent, ok := b.exact[id]; ok {
		return agent, true
	}
	for length := len(id); length >= 0; length-- {
		if agent, ok := b.prefixes[id[:length]]; ok {
			return agent, true
		}
	}
	return AgentSpec{}, false
}

// Approvers returns everybody who may hold an approver's key. The caller owns the copy.
func (b *Bundle) Approvers() []Approver { return append([]Approver(nil), b.spec.Approvers...) }

// Spec returns the bundle as plain data. The caller owns the copy.
func (b *Bundle) Spec() (Spec, error) {
	var spec Spec
	if err := json.Unmarshal(b.canonical, &spec); err != nil {
		return Spec{}, fmt.Errorf("decode policy: %w", err)
	}
	copyPaths(spec, b.spec)
	return spec, nil
}
