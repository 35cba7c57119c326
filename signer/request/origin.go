package request

import (
	"net/url"
	"strings"
)

// Origin is scheme://host[:port] of a resource's URL in lower case, the scheme's own port left out: the spelling that
// the host which connects there uses. Code "request_malformed".
func Origin(resource string) (string, error) {
	u, err := url.Parse(resource)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", malformed("url", "the url is not a plain http or https address")
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") { // an IPv6 literal
		host = "[" + host + "]"
	}
	port := u.Port()
	if port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		return u.Scheme + "://" + host, nil
	}
	return u.Scheme + "://" + host + ":" + port, nil
}
