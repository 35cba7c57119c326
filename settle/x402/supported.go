package x402

import (
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const (
	kindsMax      = 256 // entries of /supported
	extensionsMax = 64  // extension keys of /supported
	signersMax    = 256 // addresses per network pattern of /supported
)

// SupportedResponse is what a facilitator says it can settle.
type SupportedResponse struct {
	// Kinds are the combinations it settles.
	Kinds []Kind
	// Extensions are the extension keys it knows.
	Extensions []string
	// Signers are its own addresses by CAIP-2 pattern, such as "eip155:*".
	Signers map[string][]string
}

// Kind is one combination of version, scheme and network.
type Kind struct {
	// X402Version is 1 or 2.
	X402Version int
	// Scheme is such as "exact".
	Scheme string
	// Network is a CAIP-2 id for version 2 and a name for version 1.
	Network abi.Network
	// Extra is what offers of this kind must carry, or nil.
	Extra json.RawMessage
}

type supportedWire struct {
	Kinds      []kindWire          `json:"kinds"`
	Extensions []string            `json:"extensions"`
	Signers    map[string][]string `json:"signers"`
}

type kindWire struct {
	X402Version int             `json:"x402Version"`
	Scheme      string          `json:"scheme"`
	Network     abi.Network     `json:"network"`
	Extra       json.RawMessage `json:"extra,omitempty"`
}

// ParseSupportedResponse reads the answer to /supported. Kinds of version 1 keep
// their network name; missing extensions and signers are empty.
func ParseSupportedResponse(text []byte) (SupportedResponse, error) {
	f := openFields(CodeResponse, text, responseBytesMax)
	r := SupportedResponse{Extensions: []string{}, Signers: map[string][]string{}}
	for i, raw := range f.array("kinds", kindsMax) {
		in := readFields(CodeResponse, fmt.Sprintf("kinds[%d]", i), raw)
		version := in.integer("x402Version")
		kind := Kind{
			X402Version: int(version), Scheme: in.nonEmpty("scheme"),
			Network: abi.Network(in.nonEmpty("network")), Extra: in.object("extra"),
		}
		if version == Version {
			in.network("network")
		}
		if in.err != nil {
			return SupportedResponse{}, in.err
		}
		r.Kinds = append(r.Kinds, kind)
	}
	if f.has("extensions") {
		r.Extensions = f.texts("extensions", extensionsMax)
	}
	if signers := f.object("signers"); signers != nil {
		in := readFields(CodeResponse, "signers", signers)
		for pattern := range in.members {
			r.Signers[pattern] = in.texts(pattern, signersMax)
		}
		f.adopt(in.err)
	}
	if f.err != nil {
		return SupportedResponse{}, f.err
	}
	return r, nil
}

func (f *fields) texts(key string, elementsMax int) []string {
	list := []string{}
	for i, raw := range f.array(key, elementsMax) {
		if raw[0] != '"' {
			f.fail(fmt.Sprintf("%s[%d]", key, i), "want a string")
			return nil
		}
		s, err := unquote(raw)
		if err != nil || len(s) > textBytesMax {
			f.fail(fmt.Sprintf("%s[%d]", key, i), "want a shorter string")
			return nil
		}
		list = append(list, s)
	}
	return list
}

// EncodeSupportedResponse writes the answer; absent lists are written empty.
func EncodeSupportedResponse(r SupportedResponse) ([]byte, error) {
	wire := supportedWire{Kinds: []kindWire{}, Extensions: r.Extensions, Signers: r.Signers}
	for _, k := range r.Kinds {
		wire.Kinds = append(wire.Kinds, kindWire(k))
	}
	if wire.Extensions == nil {
		wire.Extensions = []string{}
	}
	if wire.Signers == nil {
		wire.Signers = map[string][]string{}
	}
	text, err := marshal(wire)
	return checked(text, err, ParseSupportedResponse)
}

// Supports reports whether a kind of version 2 with this scheme and network is listed.
func (r SupportedResponse) Supports(scheme string, network abi.Network) bool {
	for _, k := range r.Kinds {
		if k.X402Version == Version && k.Scheme == scheme && k.Network == network {
			return true
		}
	}
	return false
}
