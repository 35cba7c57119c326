package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
)

// Grants are what the operator lets a module have. They live outside the module and only narrow: a manifest that
// wants more than is granted refuses to load, so that a missing grant is found at install and not at a payment.
//
// Read them with ParseGrants: encoding/json would take "Facts" for facts, and the last of two.
type Grants struct {
	// Facts a policy may see, by name.
	Facts []string `json:"facts,omitempty"`
	// RPCMethods a chain adapter may ask for, by name.
	RPCMethods []string `json:"rpc_methods,omitempty"`
	// Limits narrower than the host's; zero fields keep the host's.
	Limits Limits `json:"limits,omitzero"`
}

// ParseGrants reads an object with the members facts, rpc_methods and limits. It refuses unknown and repeated members
// and a limit of zero, which would read as "none" and mean the most there is. Errors have the code grants_invalid.
func ParseGrants(document []byte) (Grants, error) {
	_, entries, err := abi.Flatten(document)
	if err != nil {
		return Grants{}, &abi.Error{Code: CodeGrantsInvalid, Message: "the grants cannot be read", Where: "grants", Cause: err}
	}
	var g Grants
	for _, entry := range entries {
		if problem := g.set(entry); problem != "" {
			return Grants{}, &abi.Error{
				Code: CodeGrantsInvalid, Message: problem, Where: "grants" + entry.Pointer,
				Fix: "grants have the members facts, rpc_methods and limits",
			}
		}
	}
	return g, nil
}

// set takes one value of the flattened document, of which parents come first, and says what is wrong with it.
func (g *Grants) set(entry abi.JSONEntry) (problem string) {
	at := strings.LastIndexByte(entry.Pointer, '/') + 1
	parent, name := entry.Pointer[:at], entry.Pointer[at:]
	want := abi.JSONString
	switch {
	case entry.Pointer == "" || entry.Pointer == "/limits":
		want = abi.JSONObject
	case entry.Pointer == "/facts" || entry.Pointer == "/rpc_methods":
		want = abi.JSONArray
	case parent == "/limits/":
		want = abi.JSONNumber
	case parent != "/facts/" && parent != "/rpc_methods/":
		return "this member is not known"
	}
	if entry.Type != want {
		return fmt.Sprintf("this is of the type %s, want %s", entry.Type, want)
	}
	switch parent {
	case "/facts/":
		g.Facts = append(g.Facts, entry.Text)
	case "/rpc_methods/":
		g.RPCMethods = append(g.RPCMethods, entry.Text)
	case "/limits/":
		return g.Limits.set(name, entry.Text)
	}
	return ""
}

func (l *Limits) set(name, digits string) (problem string) {
	for _, field := range l.fields() {
		if field.name != name {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || n == 0 || n > abi.JSONIntegerMax {
			return "this limit is not a whole number above zero"
		}
		*field.value = n
		return ""
	}
	return "this limit is not known"
}

func (g Grants) check(m *abi.Manifest) error {
	for _, fact := range m.Facts {
		if !slices.Contains(g.Facts, fact.Name) {
			return grantMissing("fact", fact.Name)
		}
	}
	for _, method := range m.RPCMethods {
		if !slices.Contains(g.RPCMethods, method) {
			return grantMissing("RPC method", method)
		}
	}
	return nil
}

func grantMissing(what, name string) error {
	return &abi.Error{
		Code: CodeGrantMissing, Where: name, Fix: "grant it, or do not install the module",
		Message: fmt.Sprintf("the module wants the %s %q, which is not granted", what, name),
	}
}

// hash identifies the grants in decision records. Order and repetition do not matter, so they do not change it.
func (g Grants) hash() (Digest, error) {
	list := func(names []string) []string {
		sorted := slices.Clone(names)
		slices.Sort(sorted)
		return slices.Compact(sorted)
	}
	canonical := Grants{Facts: list(g.Facts), RPCMethods: list(g.RPCMethods), Limits: g.Limits}
	data, err := json.Marshal(canonical)
	if err != nil {
		return Digest{}, fmt.Errorf("encode grants: %w", err)
	}
	return lengthPrefixed([]byte("purser/sandbox/grants/1"), data), nil
}
