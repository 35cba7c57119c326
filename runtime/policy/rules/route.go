package rules

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	routeBytesMax  = 2048
	methodBytesMax = 16
)

// Route names what an intent buys: "GET https://api.example.com/paid", by the origin the host connected to and the
// path of the URL, without its query. It is empty for a path with more than one spelling (dot segments, needless
// escapes, double slashes), because a rule could be passed by with another one.
func Route(intent *abi.Intent) string {
	origin, err := ParseOrigin(intent.Origin)
	if err != nil || !isMethod(intent.Method) || len(intent.URL) > routeBytesMax {
		return ""
	}
	resource, err := url.Parse(intent.URL)
	if err != nil {
		return ""
	}
	path := resource.EscapedPath()
	if path == "" {
		path = "/"
	}
	if !isPlainPath(path) {
		return ""
	}
	return intent.Method + " " + string(origin) + path
}

func isMethod(s string) bool {
	return s != "" && len(s) <= methodBytesMax && every(s, func(c byte) bool { return 'A' <= c && c <= 'Z' })
}

func isPlainPath(escaped string) bool {
	path, err := url.PathUnescape(escaped)
	if err != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\*") {
		return false
	}
	if (&url.URL{Path: path}).EscapedPath() != escaped {
		return false
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments[1:] {
		last := i == len(segments)-2
		if segment == "." || segment == ".." || segment == "" && !last {
			return false
		}
	}
	return true
}

// RoutePattern matches routes.
type RoutePattern struct {
	method string // empty: any
	target string // origin and path, without the '*'
	prefix bool   // a '*' follows
}

// ParseRoutePattern reads "[METHOD ]origin/path", where the origin may be a plain domain (https) and the last
// character may be '*'.
func ParseRoutePattern(s string) (RoutePattern, error) {
	bad := &abi.Error{
		Code: "route_invalid", Message: fmt.Sprintf("%.80q is not a route", s),
		Fix: `write it like "GET https://api.example.com/paid" or "api.example.com/images/*"`,
	}
	method, target, spaced := strings.Cut(s, " ")
	if !spaced {
		method, target = "", s
	}
	if len(s) > routeBytesMax || spaced && !isMethod(method) {
		return RoutePattern{}, bad
	}
	target, prefix := strings.CutSuffix(target, "*")
	if !strings.Contains(target, "://") {
		target = httpsSchemeStart + target
	}
	start := strings.Index(target, "://") + len("://")
	slash := strings.IndexByte(target[start:], '/')
	if slash < 0 {
		return RoutePattern{}, bad
	}
	origin, err := ParseOrigin(target[:start+slash])
	path := target[start+slash:]
	if err != nil || !isPlainPath(path) {
		return RoutePattern{}, bad
	}
	return RoutePattern{method: method, target: string(origin) + path, prefix: prefix}, nil
}

// String is the canonical spelling.
func (p RoutePattern) String() string {
	s := p.target
	if p.method != "" {
		s = p.method + " " + s
	}
	if p.prefix {
		s += "*"
	}
	return s
}

func (p RoutePattern) matches(route string) bool {
	method, target, _ := strings.Cut(route, " ")
	if p.method != "" && p.method != method {
		return false
	}
	return target == p.target || p.prefix && strings.HasPrefix(target, p.target)
}

// moreSpecific orders patterns that match the same route: a longer target, then an exact one, then a named method.
func (p RoutePattern) moreSpecific(q RoutePattern) bool {
	if len(p.target) != len(q.target) {
		return len(p.target) > len(q.target)
	}
	if p.prefix != q.prefix {
		return !p.prefix
	}
	return p.method != "" && q.method == ""
}
