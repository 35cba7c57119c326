package abi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Codes of ParseManifest's errors.
const (
	// CodeManifestInvalid: the manifest breaks a rule of v1.md section 10.
	CodeManifestInvalid = "manifest_invalid"
	// CodeABIUnsupported: the plugin is built for an ABI version that this host does not speak.
	CodeABIUnsupported = "abi_unsupported"
)

// Limits of a manifest's lists and texts.
const (
	manifestTextBytesMax  = 500
	manifestVectorsMax    = 200
	manifestRPCMethodsMax = 64
)

// Manifest is what a plugin says about itself, in the custom section
// ManifestSection of its module, so that the module's hash covers it. It asks;
// what is granted is the operator's to say, and never more.
type Manifest struct {
	// Name identifies the plugin: lower case, digits, dashes.
	Name string
	// Version is the author's version, such as "1.2.0".
	Version string
	Kind    Kind
	// ABIMajor and ABIMinor are the version the plugin was built for.
	ABIMajor, ABIMinor uint64
	// Description, License (an SPDX expression) and Source (a URL) are for people.
	Description, License, Source string
	// ConfigSchema is the JSON Schema of the configuration, a canonical JSON
	// object; nil means the plugin takes only an empty object.
	ConfigSchema []byte
	// Facts are the ones a policy asks for.
	Facts []FactWanted
	// CosignerEnforced asks that the co-signer runs the policy too.
	CosignerEnforced bool
	// RPCMethods are the reads a chain adapter may ask for: needs.rpc.
	RPCMethods []string
	// Limits are what the plugin wants; zero means the default, which is the most.
	Limits ManifestLimits
	// Vectors are the plugin's own proof that it works; the host runs them
	// before it takes the plugin into service.
	Vectors []ManifestVector
}

// FactWanted is one fact a policy asks for.
type FactWanted struct {
	// Name is a member of Facts: budgets, quotes or payee.
	Name string
	// Provenance is the weakest that will do.
	Provenance Provenance
}

// ManifestLimits are the limits a plugin wants for each call.
type ManifestLimits struct {
	// Fuel is in units of metered work.
	Fuel uint64
	// MemoryPages is in pages of 64 KiB.
	MemoryPages uint64
	// OutputBytes bounds a result.
	OutputBytes uint64
}

// ManifestVector is one example call. Config, Request and Result are JSON: the
// configuration and the views of the call's messages.
type ManifestVector struct {
	Name, Call              string
	Config, Request, Result []byte
}

var (
	pluginNameForm    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	pluginVersionForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z.-]{1,40})?$`)
	rpcMethodForm     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	factNames         = []string{"budgets", "quotes", "payee"}
)

// FactNames lists the facts that a policy can ask for, and that an operator can grant. The caller owns the copy.
func FactNames() []string { return slices.Clone(factNames) }

// ParseManifest reads and checks a manifest. It refuses unknown and repeated
// members, limits above the defaults, and vectors that are not views of their
// call's messages: CodeManifestInvalid. Another major version or a newer minor is
// CodeABIUnsupported, because the cure is another release and not another manifest.
func ParseManifest(document []byte) (*Manifest, error) {
	m := &Manifest{}
	if len(document) > ManifestBytesMax {
		return nil, badManifest("", fmt.Sprintf("manifest has %d bytes, at most %d are read", len(document), ManifestBytesMax), nil)
	}
	r := newViewReader(document)
	m.read(r)
	if err := r.finish(); err != nil {
		return nil, badManifest("", "manifest cannot be read", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func badManifest(where, problem string, cause error) error {
	return &Error{
		Code: CodeManifestInvalid, Message: problem, Where: where, Cause: cause,
		Fix: "write the manifest as abi/v1.md describes it",
	}
}

func (m *Manifest) checkABI() error {
	if m.ABIMajor == Major && m.ABIMinor <= Minor {
		return nil
	}
	return &Error{
		Code: CodeABIUnsupported, Where: "abi", Fix: "use a matching purser release",
		Message: fmt.Sprintf("the plugin is built for ABI %d.%d, this host speaks up to %d.%d", m.ABIMajor, m.ABIMinor, Major, Minor),
	}
}

func (m *Manifest) check() error {
	if err := m.checkABI(); err != nil {
		return err
	}
	limits := m.Kind.DefaultLimits()
	for _, rule := range []struct {
		broken  bool
		where   string
		problem string
	}{
		{!pluginNameForm.MatchString(m.Name) || len(m.Name) > 64, "name", "want lower-case words joined by dashes, at most 64 bytes"},
		{!pluginVersionForm.MatchString(m.Version), "version", `want a semantic version such as "1.2.0"`},
		{m.Kind != KindPolicy && m.Kind != KindChain, "kind", "want policy or chain"},
		{m.Description == "", "description", "say in one sentence what the plugin is for"},
		{m.License == "", "license", "name the licence, as an SPDX expression"},
		{len(m.Description) > manifestTextBytesMax || len(m.License) > manifestTextBytesMax ||
			len(m.Source) > manifestTextBytesMax, "description", fmt.Sprintf("texts have at most %d bytes", manifestTextBytesMax)},
		{len(m.ConfigSchema) > 0 && m.ConfigSchema[0] != '{', "config_schema", "want an object"},
		{m.Kind == KindChain && len(m.Facts) > 0, "facts", "facts are for policies"},
		{m.Kind == KindChain && m.CosignerEnforced, "cosigner_enforced", "only a policy can be enforced by the co-signer"},
		{m.Kind == KindPolicy && len(m.RPCMethods) > 0, "needs.rpc", "a policy reads no network"},
		{len(m.RPCMethods) > manifestRPCMethodsMax, "needs.rpc", "too many methods"},
		{m.Limits.Fuel > limits.Fuel, "limits.fuel", fmt.Sprintf("at most %d", limits.Fuel)},
		{m.Limits.MemoryPages > limits.MemoryPages, "limits.memory_pages", fmt.Sprintf("at most %d", limits.MemoryPages)},
		{m.Limits.OutputBytes > limits.OutputBytes, "limits.output_bytes", fmt.Sprintf("at most %d", limits.OutputBytes)},
		{len(m.Vectors) > manifestVectorsMax, "vectors", "too many vectors"},
	} {
		if rule.broken {
			return badManifest(rule.where, rule.problem, nil)
		}
	}
	if err := m.checkLists(); err != nil {
		return err
	}
	return m.checkVectors()
}

func (m *Manifest) checkLists() error {
	seen := map[string]bool{}
	for _, f := range m.Facts {
		if !slices.Contains(factNames, f.Name) || seen[f.Name] {
			return badManifest("facts", fmt.Sprintf("%.40q is not, once, one of %s", f.Name, strings.Join(factNames, ", ")), nil)
		}
		seen[f.Name] = true
	}
	for _, method := range m.RPCMethods {
		if !rpcMethodForm.MatchString(method) || seen[method] {
			return badManifest("needs.rpc", fmt.Sprintf("%.40q is not, once, an RPC method's name", method), nil)
		}
		seen[method] = true
	}
	return nil
}

func (m *Manifest) checkVectors() error {
	for i, v := range m.Vectors {
		where := fmt.Sprintf("vectors[%d]", i)
		call, ok := m.Kind.Call(v.Call)
		if !ok || v.Name == "" {
			return badManifest(where, "needs a name and a call of the plugin's kind", nil)
		}
		if err := NewMessage(call.Request).UnmarshalJSON(v.Request); err != nil {
			return badManifest(where+".request", "is not a "+call.Request, err)
		}
		if err := NewMessage(call.Result).UnmarshalJSON(v.Result); err != nil {
			return badManifest(where+".result", "is not a "+call.Result, err)
		}
	}
	return nil
}

// DefaultLimits are the most that a plugin of this kind may use per call, zero
// for an unknown kind.
func (k Kind) DefaultLimits() ManifestLimits {
	switch k {
	case KindPolicy:
		return ManifestLimits{PolicyFuelMax, PolicyMemoryPagesMax, PolicyOutputBytesMax}
	case KindChain:
		return ManifestLimits{ChainFuelMax, ChainMemoryPagesMax, ChainOutputBytesMax}
	default:
		return ManifestLimits{}
	}
}

// EffectiveLimits are the limits that apply to the plugin before an operator
// narrows them: what it asks for, or the default.
func (m *Manifest) EffectiveLimits() ManifestLimits {
	limits := m.Kind.DefaultLimits()
	for _, l := range []struct{ limit, wanted *uint64 }{
		{&limits.Fuel, &m.Limits.Fuel},
		{&limits.MemoryPages, &m.Limits.MemoryPages},
		{&limits.OutputBytes, &m.Limits.OutputBytes},
	} {
		if *l.wanted > 0 {
			*l.limit = min(*l.limit, *l.wanted)
		}
	}
	return limits
}
