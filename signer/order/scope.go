package order

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
)

// Scope is what a freeze stops: everything of the tenant, or of one agent, wallet, payee or network.
type Scope struct {
	kind  scopeKind
	value string
	// network narrows a payee to one network, when it was written as a CAIP-10 account.
	network abi.Network
}

type scopeKind string

const (
	scopeTenant  scopeKind = "tenant"
	scopeAgent   scopeKind = "agent"
	scopeWallet  scopeKind = "wallet"
	scopePayee   scopeKind = "payee"
	scopeNetwork scopeKind = "network"
)

// Target is one payment, as far as the asker knows it. An empty field is in no scope but the tenant's.
type Target struct {
	Agent, Wallet string
	// Payee is the account as intents carry it.
	Payee   string
	Network string
}

var (
	// accountPattern is the account address of CAIP-10.
	accountPattern = regexp.MustCompile(`^[-.%a-zA-Z0-9]{1,128}$`)
	evmPattern     = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)
)

// ParseScope reads "tenant", "agent/ID", "wallet/ID", "payee/ACCOUNT" or "network/CAIP-2". An account is an address or
// CAIP-10; an EVM address may be written in any case and means the same. Code "order_invalid".
func ParseScope(s string) (Scope, error) {
	kind, value, valued := strings.Cut(s, "/")
	scope := Scope{kind: scopeKind(kind), value: value}
	ok := false
	switch scope.kind {
	case scopeTenant:
		ok = !valued
	case scopeAgent:
		ok = agentPattern.MatchString(value)
	case scopeWallet:
		ok = walletPattern.MatchString(value)
	case scopePayee:
		scope.network, scope.value, ok = account(value)
	case scopeNetwork:
		_, err := abi.ParseNetwork(value)
		ok = err == nil
	}
	if !ok {
		// A scope with a misspelt account would freeze nothing while everybody believes it does.
		return Scope{}, malformed("freeze.scope", fmt.Sprintf("%.200q is not tenant, agent/ID, wallet/ID, payee/ACCOUNT or network/CAIP-2", s))
	}
	return scope, nil
}

// String is the canonical form.
func (s Scope) String() string {
	switch {
	case s.kind == scopeTenant:
		return string(s.kind)
	case s.network != "":
		return string(s.kind) + "/" + string(s.network) + ":" + s.value
	}
	return string(s.kind) + "/" + s.value
}

// Covers reports whether the payment is within the scope.
func (s Scope) Covers(t Target) bool { return slices.Contains(t.Scopes(), s) }

// Scopes lists every scope that the payment is in, so that whoever keeps freezes by scope asks for a handful and does
// not walk them all.
func (t Target) Scopes() []Scope {
	scopes := append(make([]Scope, 0, scopesMax), Scope{kind: scopeTenant})
	for _, part := range []Scope{{kind: scopeAgent, value: t.Agent}, {kind: scopeWallet, value: t.Wallet}, {kind: scopeNetwork, value: t.Network}} {
		if part.value != "" {
			scopes = append(scopes, part)
		}
	}
	network, address, ok := account(t.Payee)
	if !ok {
		return scopes
	}
	if network == "" {
		network = abi.Network(t.Network)
	}
	scopes = append(scopes, Scope{kind: scopePayee, value: address})
	if network != "" {
		scopes = append(scopes, Scope{kind: scopePayee, value: address, network: network})
	}
	return scopes
}

// scopesMax is how many scopes one payment can be in.
const scopesMax = 6

// account takes a CAIP-10 account or a bare address apart. The address of an EVM account is lower case afterwards;
// others are told apart by case (base58).
func account(s string) (network abi.Network, address string, ok bool) {
	address = s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		var err error
		if network, err = abi.ParseNetwork(s[:i]); err != nil {
			return "", "", false
		}
		address = s[i+1:]
	}
	if evmPattern.MatchString(address) {
		return network, strings.ToLower(address), true
	}
	hexadecimal := strings.HasPrefix(address, "0x") || strings.HasPrefix(address, "0X")
	return network, address, accountPattern.MatchString(address) && !hexadecimal && !strings.HasPrefix(string(network), "eip155:")
}
