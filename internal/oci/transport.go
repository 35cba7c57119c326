package oci

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/purserhq/purser/abi"
)

// guard lets no request leave without TLS, unless that was allowed or stays on this machine. It sees redirects and the
// addresses of token servers too, which a registry chooses: credentials would go there.
type guard struct {
	base      http.RoundTripper
	plainHTTP bool
	// local says that the registry is on this machine. One elsewhere has nothing to ask of what listens here only.
	local bool
}

var _ http.RoundTripper = guard{}

func (g guard) RoundTrip(request *http.Request) (*http.Response, error) {
	if !g.local && isHere(request.URL.Hostname()) {
		if request.Body != nil {
			_ = request.Body.Close() // a RoundTripper closes it, also when it fails
		}
		return nil, &abi.Error{
			Code: CodeRegistryInsecure, Message: fmt.Sprintf("the registry wants a request sent to %.200s, which is this machine", request.URL.Host),
			Fix: "do not use this registry; one on this machine is named as localhost",
		}
	}
	if request.URL.Scheme != "https" && !g.plainHTTP && !isLoopback(request.URL.Hostname()) {
		if request.Body != nil {
			_ = request.Body.Close() // a RoundTripper closes it, also when it fails
		}
		return nil, &abi.Error{
			Code: CodeRegistryInsecure, Message: fmt.Sprintf("%.200s would be spoken to without TLS", request.URL.Host),
			Fix: "use a registry with TLS, or allow it with --plain-http on a network you trust",
		}
	}
	return g.base.RoundTrip(request)
}

// isLoopback takes the name localhost for what it means, as every tool for registries does.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isHere also holds for the address that means every one of this machine's.
func isHere(host string) bool {
	ip := net.ParseIP(host)
	return isLoopback(host) || ip != nil && ip.IsUnspecified()
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: connectTimeMax}).DialContext, TLSHandshakeTimeout: connectTimeMax,
		ResponseHeaderTimeout: responseTimeMax, IdleConnTimeout: time.Minute, MaxIdleConns: 8, ForceAttemptHTTP2: true,
	}
}

// guarded repeats what failed on the way or for lack of capacity, a few times with pauses, within the caller's deadline.
func (c *Client) guarded(host string) http.RoundTripper {
	return retry.NewTransport(guard{base: c.transport, plainHTTP: c.config.PlainHTTP, local: isHere(host)})
}

// checkRedirect bounds redirects; where one may lead is for guard to say.
func checkRedirect(_ *http.Request, via []*http.Request) error {
	if len(via) >= redirectsMax {
		return errors.New("too many redirects")
	}
	return nil
}
