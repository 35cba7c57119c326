package rules

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	hostBytesMax  = 253
	labelBytesMax = 63
	originFix     = `write it like "https://api.example.com" or "http://127.0.0.1:4021", without a path`
)

// Origin is scheme://host[:port] in its only spelling: lower case, the scheme's own port left out.
type Origin string

// ParseOrigin reads an origin and refuses everything that a URL may hide one behind: user info, a path, a query,
// a trailing dot, other spellings of an IP address. Comparing origins as strings is then safe.
func ParseOrigin(s string) (Origin, error) {
	scheme, rest, ok := strings.Cut(strings.ToLower(s), "://")
	if !ok || len(s) > hostBytesMax+16 || scheme != "https" && scheme != "http" {
		return "", originError(s)
	}
	host, port, ok := cutPort(rest)
	if !ok {
		return "", originError(s)
	}
	host, ok = canonicalHost(host)
	if !ok {
		return "", originError(s)
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return Origin(scheme + "://" + host), nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", originError(s)
	}
	return Origin(scheme + "://" + host + ":" + port), nil
}

func originError(s string) error {
	return &abi.Error{Code: "origin_invalid", Message: fmt.Sprintf("%.80q is not an origin", s), Fix: originFix}
}

func cutPort(s string) (host, port string, ok bool) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 || strings.HasSuffix(s, "]") {
		return s, "", true
	}
	return s[:at], s[at+1:], s[at+1:] != ""
}

func canonicalHost(host string) (string, bool) {
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		address, err := netip.ParseAddr(inner)
		if !closed || err != nil || !address.Is6() || address.Zone() != "" {
			return "", false
		}
		return "[" + address.String() + "]", true
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return address.String(), address.Is4()
	}
	return host, isDomain(host) || host == "localhost"
}

// isDomain takes lower-case host names with at least two labels. The last label must not be a number: resolvers
// read 127.1 and 0x7f.1 as addresses.
func isDomain(host string) bool {
	labels := strings.Split(host, ".")
	if len(host) > hostBytesMax || len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > labelBytesMax || label[0] == '-' || label[len(label)-1] == '-' ||
			!every(label, func(c byte) bool { return c == '-' || isLower(c) || isDigit(c) }) {
			return false
		}
	}
	return isLower(labels[len(labels)-1][0])
}

// Private reports whether nobody between here and the host can change what it says: https, or this machine.
func (o Origin) Private() bool {
	scheme, rest, _ := strings.Cut(string(o), "://")
	if scheme == "https" {
		return true
	}
	host, _, _ := cutPort(rest)
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}

func every(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c && c <= 'f' }
func isName(c byte) bool {
	return isDigit(c) || isLower(c) || 'A' <= c && c <= 'Z' || c == '-' || c == '_' || c == '.'
}

// ValidName reports whether s may name a policy, budget, approver, tier or group, or be an agent's id: 1 to
// NameBytesMax of letters, digits, '.', '_' and '-'. Names become parts of ledger keys, so '/' and '#' would let
// one scope spend another's budget.
func ValidName(s string) bool { return s != "" && len(s) <= NameBytesMax && every(s, isName) }
