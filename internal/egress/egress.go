// Package egress dials resource servers on behalf of agents. An agent chooses the URL, so it refuses every address that
// is not on the public internet, unless the operator named that host and port: otherwise an agent could read the
// machine's own services or a cloud's metadata through the runtime.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	dialTimeMax           = 5 * time.Second
	tlsTimeMax            = 5 * time.Second
	responseHeaderTimeMax = 60 * time.Second
	responseHeaderMax     = 64 << 10
	idleConnectionsMax    = 64
	idleTimeMax           = 30 * time.Second
)

// Transport is an http.RoundTripper that applies the rule to the address that is really dialled, after name resolution,
// so that a name cannot point somewhere else the second time. It uses no proxy: one would dial in its place.
// permitted tells whether the operator allows a host:port that is not public; it is asked for each connection.
func Transport(permitted func(hostPort string) bool) *http.Transport {
	return &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: dialTimeMax}
			if !permitted(address) {
				dialer.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error { return checkPublic(resolved) }
			}
			return dialer.DialContext(ctx, network, address)
		},
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: tlsTimeMax, ResponseHeaderTimeout: responseHeaderTimeMax,
		MaxResponseHeaderBytes: responseHeaderMax, MaxIdleConns: idleConnectionsMax, MaxIdleConnsPerHost: idleConnectionsMax / 4,
		IdleConnTimeout: idleTimeMax,
	}
}

// reserved are the ranges that netip's predicates do not cover: shared address space, benchmarking, documentation,
// IPv4 inside IPv6 by translation, and the rest of what is not globally routed (IANA special-purpose registries).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// checkPublic refuses an ip:port that is not on the public internet.
func checkPublic(resolved string) error {
	target, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return refused(resolved)
	}
	ip := target.Addr().Unmap()
	public := ip.IsGlobalUnicast() && !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast()
	if !public || slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return refused(resolved)
	}
	return nil
}

func refused(resolved string) error {
	// What the name resolved to is for this machine's log only: it would tell an agent about the network behind it.
	return &abi.Error{
		Code: "address_refused", Message: "the host is not at a public address", Cause: fmt.Errorf("dial %s", resolved),
		Fix: "if the merchant really is there, pin its origin in the policy's merchants",
	}
}
