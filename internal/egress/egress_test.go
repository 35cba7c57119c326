package egress

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for address, public := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1:248:1893:25c8:1946]:443": true,
		"127.0.0.1:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false, "10.0.0.1:80": false, "172.16.3.4:80": false,
		"192.168.1.1:80": false, "169.254.169.254:80": false, "[fe80::1]:80": false, "[fd00:ec2::254]:80": false, "0.0.0.0:80": false,
		"100.64.0.1:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false, "[64:ff9b::7f00:1]:80": false, "[2002:7f00:1::]:80": false, "nonsense": false,
	} {
		if err := checkPublic(address); (err == nil) != public {
			t.Errorf("%s: %v, want public %v", address, err, public)
		}
	}
}

func TestALoopbackServerIsReachedOnlyWhenNamed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, named := range []bool{false, true} {
		client := http.Client{Transport: Transport(func(hostPort string) bool { return named && hostPort == host })}
		// A name that resolves to loopback is the same as the address.
		for _, url := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
			response, err := client.Get(url)
			if err == nil {
				_ = response.Body.Close()
			}
			want := named && url == server.URL
			if (err == nil) != want {
				t.Errorf("%s, named %v: %v", url, named, err)
			}
			var coded *abi.Error
			if err != nil && (!errors.As(err, &coded) || coded.Code != "address_refused") {
				t.Errorf("%s: %v, want address_refused", url, err)
			}
		}
	}
}
