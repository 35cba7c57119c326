package oci

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/purserhq/purser/abi"
)

// answers stands for a network: everything that gets out is answered.
type answers struct{ asked int }

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.asked++
	return &http.Response{StatusCode: http.StatusOK}, nil
}

func requestTo(t *testing.T, address string) *http.Request {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{URL: parsed}
}

func TestOnlyLoopbackNeedsNoTLS(t *testing.T) {
	for _, c := range []struct {
		address string
		plain   bool
		code    string
	}{
		{"https://registry.example/v2/", false, ""},
		{"http://127.0.0.1:5000/v2/", false, ""},
		{"http://[::1]:5000/v2/", false, ""},
		{"http://localhost:5000/v2/", false, ""},
		{"http://registry.example/v2/", true, ""},
		{"http://registry.example/v2/", false, CodeRegistryInsecure},
		{"http://10.0.0.1/v2/", false, CodeRegistryInsecure},
		{"http://localhost.example/v2/", false, CodeRegistryInsecure},
		{"http://127.0.0.1.example/v2/", false, CodeRegistryInsecure},
		{"ftp://registry.example/v2/", false, CodeRegistryInsecure},
	} {
		network := &answers{}
		_, err := guard{network, c.plain, true}.RoundTrip(requestTo(t, c.address)) //nolint:bodyclose // there is none
		if abi.CodeOf(err) != c.code || (network.asked == 1) != (c.code == "") {
			t.Errorf("%s, plain HTTP %v: %v, asked %d times", c.address, c.plain, err, network.asked)
		}
	}
}

// A registry chooses where it redirects to and who gives out its tokens: neither may be a service of this machine.
func TestARegistryElsewhereSendsNothingToThisMachine(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:5000/token", "https://127.0.0.1/", "http://localhost:5000/", "https://[::1]:5000/", "https://0.0.0.0:5000/", "https://[::]/", "http://[::ffff:127.0.0.1]:80/"} {
		for _, plain := range []bool{false, true} {
			network := &answers{}
			_, err := guard{network, plain, false}.RoundTrip(requestTo(t, address)) //nolint:bodyclose // there is none
			if abi.CodeOf(err) != CodeRegistryInsecure || network.asked != 0 {
				t.Errorf("%s, plain HTTP %v: %v, asked %d times", address, plain, err, network.asked)
			}
		}
	}
	network := &answers{}
	if _, err := (guard{network, false, true}).RoundTrip(requestTo(t, "https://registry.example/")); err != nil || network.asked != 1 { //nolint:bodyclose // there is none
		t.Errorf("from here to elsewhere: %v", err)
	}
}

// The whole way: a registry elsewhere names a service of this machine as its token server, as where to look, and as where
// uploads go.
func TestNothingThatARegistryNamesReachesThisMachine(t *testing.T) {
	reached := 0
	victim := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer victim.Close()
	for name, answer := range map[string]func(*http.Request) (int, http.Header){
		"a token server": func(*http.Request) (int, http.Header) {
			return http.StatusUnauthorized, http.Header{"Www-Authenticate": {`Bearer realm="` + victim.URL + `/token",service="registry.example"`}}
		},
		"a redirect": func(*http.Request) (int, http.Header) {
			return http.StatusTemporaryRedirect, http.Header{"Location": {victim.URL + "/v2/"}}
		},
		"an upload": func(request *http.Request) (int, http.Header) {
			if request.Method == http.MethodPost {
				return http.StatusAccepted, http.Header{"Location": {victim.URL + "/v2/upload"}}
			}
			return http.StatusNotFound, http.Header{}
		},
	} {
		client, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		client.transport = roundTrip(func(request *http.Request) (*http.Response, error) {
			if request.URL.Host != "registry.example" {
				return victim.Client().Transport.RoundTrip(request)
			}
			status, header := answer(request)
			return &http.Response{StatusCode: status, Request: request, Body: http.NoBody, Header: header}, nil
		})
		reference, err := ParseReference("registry.example/team/ceiling:1.0.0")
		if err != nil {
			t.Fatal(err)
		}
		_, pullErr := client.Pull(t.Context(), reference)
		_, pushErr := client.Push(t.Context(), reference, wasmWith(document), nil)
		if pullErr == nil || pushErr == nil || reached != 0 {
			t.Errorf("%s: %v; %v; the service was asked %d times", name, pullErr, pushErr, reached)
		}
		reached = 0
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func TestRedirectsAreBounded(t *testing.T) {
	one := requestTo(t, "https://registry.example/")
	if err := checkRedirect(one, []*http.Request{one}); err != nil {
		t.Error(err)
	}
	if err := checkRedirect(one, make([]*http.Request, redirectsMax)); err == nil {
		t.Error("redirects without end")
	}
}

func TestTheHostOfAnAddress(t *testing.T) {
	for address, want := range map[string]string{"a.example": "a.example", "a.example:5000": "a.example", "[::1]:5000": "::1", "[::1]": "::1", "127.0.0.1:1": "127.0.0.1"} {
		if got := hostOf(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}
