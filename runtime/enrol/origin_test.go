package enrol_test

import (
	"net/url"
	"testing"

	"github.com/purserhq/purser/settle/x402"
	"github.com/purserhq/purser/signer/request"
)

// The agent signs the origin that it means; the host compares the one it connected to. Both must spell it alike.
func TestTheOriginIsSpelledAsTheHostSpellsIt(t *testing.T) {
	for _, address := range []string{
		"https://api.example.com/report", "https://API.Example.com:443/", "http://127.0.0.1:4021/paid?x=1", "http://localhost:80", "HTTPS://a.example:8443/x",
		"http://[2001:DB8::1]:80/", "https://[::1]:8443/", "https://xn--bcher-kva.example/", "http://a.example:443/", "https://a.example:/",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := request.Origin(address); err != nil || got != x402.Origin(u) {
			t.Errorf("%s: %q, %v, the host says %q", address, got, err, x402.Origin(u))
		}
	}
}
