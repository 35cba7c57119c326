package rules

import (
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	evmAddressBytes  = 42
	accountBytesMax  = 128 // CAIP-10
	eip155Prefix     = "eip155:"
	recipientFix     = `write an address ("0x" and 40 hex digits), an account ("eip155:8453:0x…"), a domain ("api.example.com") or an origin ("https://api.example.com:8443")`
	elidedASCII      = "..."
	elidedEllipsis   = "…"
	elidedHexDigits  = 39
	httpsSchemeStart = "https://"
)

// Recipient is one entry of a list of payees.
type Recipient struct {
	// Network is CAIP-2; empty for an address that stands for itself on every eip155 network.
	Network string
	// Address is the account; empty for an origin.
	Address string
	// Origin is where a merchant is reached; empty for an address.
	Origin Origin
	// Elided marks an address that was cut short, "0x1234...". It matches nobody: matching by prefix would hand
	// the money to whoever mines a look-alike address.
	Elided bool
}

// ParseRecipient reads an address, a CAIP-10 account, a domain (https on its usual port) or an origin.
func ParseRecipient(s string) (Recipient, error) {
	switch {
	case strings.HasPrefix(s, "0x"):
		return parseAddress(s)
	case strings.Contains(s, "://"):
		origin, err := ParseOrigin(s)
		return Recipient{Origin: origin}, err
	}
	if at := strings.LastIndexByte(s, ':'); at >= 0 {
		if network, err := abi.ParseNetwork(s[:at]); err == nil {
			return parseAccount(string(network), s[at+1:])
		}
		return Recipient{}, recipientError(s)
	}
	if host := strings.ToLower(s); isDomain(host) {
		return Recipient{Origin: Origin(httpsSchemeStart + host)}, nil
	}
	return Recipient{}, recipientError(s)
}

func recipientError(s string) error {
	return &abi.Error{
		Code: "recipient_invalid", Message: fmt.Sprintf("%.80q is neither an address nor a domain nor an origin", s),
		Fix: recipientFix,
	}
}

func parseAddress(s string) (Recipient, error) {
	lower := strings.ToLower(s)
	if isEVMAddress(lower) {
		return Recipient{Address: lower}, nil
	}
	short := strings.TrimSuffix(strings.TrimSuffix(lower, elidedASCII), elidedEllipsis)
	digits := strings.TrimPrefix(short, "0x")
	if short != lower && len(digits) <= elidedHexDigits && every(digits, isHex) {
		return Recipient{Address: short + elidedASCII, Elided: true}, nil
	}
	return Recipient{}, recipientError(s)
}

func isEVMAddress(s string) bool {
	return len(s) == evmAddressBytes && strings.HasPrefix(s, "0x") && every(s[2:], isHex)
}

func parseAccount(network, account string) (Recipient, error) {
	if strings.HasPrefix(network, eip155Prefix) {
		if account = strings.ToLower(account); !isEVMAddress(account) {
			return Recipient{}, recipientError(network + ":" + account)
		}
		return Recipient{Network: network, Address: account}, nil
	}
	allowed := func(c byte) bool { return c == '%' || c != '_' && isName(c) }
	if account == "" || len(account) > accountBytesMax || !every(account, allowed) {
		return Recipient{}, recipientError(network + ":" + account)
	}
	return Recipient{Network: network, Address: account}, nil
}

// String is the canonical spelling, which ParseRecipient reads again.
func (r Recipient) String() string {
	switch {
	case r.Origin != "":
		return string(r.Origin)
	case r.Network != "":
		return r.Network + ":" + r.Address
	default:
		return r.Address
	}
}

// payees is a list of recipients, ready to look up.
type payees struct {
	accounts map[string]bool // canonical spellings
	origins  map[Origin]bool
}

func newPayees(list []string) payees {
	set := payees{accounts: map[string]bool{}, origins: map[Origin]bool{}}
	for _, s := range list {
		r, err := ParseRecipient(s)
		switch {
		case err != nil || r.Elided:
		case r.Origin != "":
			set.origins[r.Origin] = true
		default:
			set.accounts[r.String()] = true
		}
	}
	return set
}

// hasAccount looks an account up on its network, and for eip155 also as an address that is listed for all of them.
func (p payees) hasAccount(network, address string) bool {
	if strings.HasPrefix(network, eip155Prefix) {
		address = strings.ToLower(address)
		if p.accounts[address] {
			return true
		}
	}
	return p.accounts[network+":"+address]
}
