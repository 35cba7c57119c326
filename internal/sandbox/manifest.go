package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"

	"github.com/purserhq/purser/abi"
)

// Bounds on a manifest.
const (
	manifestBytesMax     = 256 << 10
	manifestTextBytesMax = 1024
	manifestFactsMax     = 64
	manifestNeedsMax     = 64
)

// Manifest is what a module says about itself, in its custom section purser.manifest. The module hash covers it.
type Manifest struct {
	Name        string
	Version     string
	Kind        Kind
	ABIMinor    uint32
	Description string
	License     string
	Source      string
	// ConfigSchema is a JSON object, unread here; nil when absent.
	ConfigSchema json.RawMessage
	// Facts a policy wants in its requests.
	Facts []FactWanted
	// RPCMethods a chain adapter may ask the host to call.
	RPCMethods []string
	// CosignerEnforced says that the co-signer must run this policy too.
	CosignerEnforced bool
	// Limits the guest is content with; zero fields mean the host's.
	Limits Limits
	// Vectors is a JSON array of tests, unread here; nil when absent.
	Vectors json.RawMessage
}

// FactWanted is one fact a policy reads.
type FactWanted struct {
	Name string
	// Provenance is the weakest origin the policy accepts.
	Provenance Provenance
}

// Provenance says where a fact may come from.
type Provenance string

const (
	// Own facts come from the evaluating side's own store.
	Own Provenance = "own"
	// Proven facts come with evidence the evaluating side has checked.
	Proven Provenance = "proven"
	// Asserted facts are somebody's word.
	Asserted Provenance = "asserted"
)

var (
	manifestName    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	manifestVersion = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`)
	manifestItem    = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_.]*$`)
)

// ParseManifest reads the content of a purser.manifest section. It is strict: unknown or repeated members, wrong
// types and values out of range are errors of code manifest_invalid or, for another ABI, abi_unsupported.
func ParseManifest(data []byte) (Manifest, error) {
	if len(data) > manifestBytesMax {
		return Manifest{}, manifestInvalid("%d bytes, at most %d", len(data), manifestBytesMax)
	}
	if err := checkJSON(data); err != nil {
		return Manifest{}, manifestInvalid("%v", err)
	}
	object, err := members("manifest", data, "name", "version", "kind", "abi", "description", "license", "source",
		"config_schema", "facts", "needs", "cosigner_enforced", "limits", "vectors")
	if err != nil {
		return Manifest{}, manifestInvalid("%v", err)
	}
	var m Manifest
	simple := map[string]any{
		"name": &m.Name, "version": &m.Version, "kind": &m.Kind, "description": &m.Description,
		"license": &m.License, "source": &m.Source, "cosigner_enforced": &m.CosignerEnforced,
		"config_schema": &m.ConfigSchema, "vectors": &m.Vectors,
	}
	for key, target := range simple {
		if err := member(object, key, target); err != nil {
			return Manifest{}, manifestInvalid("%v", err)
		}
	}
	for _, part := range []func(map[string]json.RawMessage) error{m.readABI, m.readFacts, m.readNeeds, m.readLimits, m.check} {
		if err := part(object); err != nil {
			return Manifest{}, err
		}
	}
	return m, nil
}

func (m *Manifest) readABI(object map[string]json.RawMessage) error {
	parts, err := members("abi", object["abi"], "major", "minor")
	if err != nil {
		return manifestInvalid("%v", err)
	}
	var major, minor uint32
	if err := member(parts, "major", &major); err != nil {
		return manifestInvalid("abi.%v", err)
	}
	if err := member(parts, "minor", &minor); err != nil {
		return manifestInvalid("abi.%v", err)
	}
	m.ABIMinor = minor
	return checkABI(major, minor)
}

// checkABI refuses a guest that is newer than the host as well: it may rely on a field the host does not send.
func checkABI(major, minor uint32) error {
	if major == abiMajor && minor <= abiMinor {
		return nil
	}
	return &abi.Error{
		Code: CodeABIUnsupported, Where: customManifest, Fix: "use a matching purser release",
		Message: fmt.Sprintf("the module is built for ABI %d.%d, this host speaks up to %d.%d", major, minor, abiMajor, abiMinor),
	}
}

func (m *Manifest) readFacts(object map[string]json.RawMessage) error {
	var list []json.RawMessage
	if err := member(object, "facts", &list); err != nil {
		return manifestInvalid("%v", err)
	}
	if len(list) > manifestFactsMax {
		return manifestInvalid("%d facts, at most %d", len(list), manifestFactsMax)
	}
	names := make([]string, 0, len(list))
	for _, raw := range list {
		var fact FactWanted
		parts, err := members("facts[]", raw, "name", "provenance")
		if err != nil {
			return manifestInvalid("%v", err)
		}
		if err := member(parts, "name", &fact.Name); err != nil {
			return manifestInvalid("facts[].%v", err)
		}
		if err := member(parts, "provenance", &fact.Provenance); err != nil {
			return manifestInvalid("facts[].%v", err)
		}
		if p := fact.Provenance; p != Own && p != Proven && p != Asserted {
			return manifestInvalid("fact %q has the provenance %q, not own, proven or asserted", fact.Name, p)
		}
		m.Facts = append(m.Facts, fact)
		names = append(names, fact.Name)
	}
	return checkItems("facts", names)
}

func (m *Manifest) readNeeds(object map[string]json.RawMessage) error {
	raw, ok := object["needs"]
	if !ok {
		return nil
	}
	parts, err := members("needs", raw, "rpc")
	if err != nil {
		return manifestInvalid("%v", err)
	}
	if err := member(parts, "rpc", &m.RPCMethods); err != nil {
		return manifestInvalid("needs.%v", err)
	}
	if len(m.RPCMethods) > manifestNeedsMax {
		return manifestInvalid("%d RPC methods, at most %d", len(m.RPCMethods), manifestNeedsMax)
	}
	return checkItems("needs.rpc", m.RPCMethods)
}

func (m *Manifest) readLimits(object map[string]json.RawMessage) error {
	raw, ok := object["limits"]
	if !ok {
		return nil
	}
	// Fuel has no effect before metering; it is accepted so that modules need not be rebuilt then.
	parts, err := members("limits", raw, "fuel", "memory_pages", "output_bytes")
	if err != nil {
		return manifestInvalid("%v", err)
	}
	var fuel uint64
	for key, target := range map[string]any{"fuel": &fuel, "memory_pages": &m.Limits.MemoryPages, "output_bytes": &m.Limits.OutputBytes} {
		if err := member(parts, key, target); err != nil {
			return manifestInvalid("limits.%v", err)
		}
	}
	if fuel > math.MaxInt64 {
		return manifestInvalid("limits.fuel is out of range")
	}
	return nil
}

func (m *Manifest) check(map[string]json.RawMessage) error {
	switch {
	case len(m.Name) > 64 || !manifestName.MatchString(m.Name):
		return manifestInvalid("name %.64q is not lower-case words joined by hyphens", m.Name)
	case len(m.Version) > 64 || !manifestVersion.MatchString(m.Version):
		return manifestInvalid("version %.64q is not a semantic version", m.Version)
	case !m.Kind.valid():
		return manifestInvalid("kind %.64q is not policy or chain", string(m.Kind))
	case len(m.Description) > manifestTextBytesMax || len(m.License) > manifestTextBytesMax || len(m.Source) > manifestTextBytesMax:
		return manifestInvalid("description, license and source have at most %d bytes each", manifestTextBytesMax)
	case m.Kind == Policy && len(m.RPCMethods) > 0:
		return manifestInvalid("a policy has no needs")
	case m.Kind == Chain && (len(m.Facts) > 0 || m.CosignerEnforced):
		return manifestInvalid("a chain adapter has no facts and is not enforced by the co-signer")
	case m.ConfigSchema != nil && !bytes.HasPrefix(m.ConfigSchema, []byte("{")):
		return manifestInvalid("config_schema is not an object")
	case m.Vectors != nil && !bytes.HasPrefix(m.Vectors, []byte("[")):
		return manifestInvalid("vectors is not an array")
	}
	return nil
}

func checkItems(where string, names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		if len(name) > 128 || !manifestItem.MatchString(name) {
			return manifestInvalid("%s: %.128q is not a name", where, name)
		}
		if seen[name] {
			return manifestInvalid("%s: %q appears twice", where, name)
		}
		seen[name] = true
	}
	return nil
}

func manifestInvalid(format string, args ...any) error {
	return &abi.Error{Code: CodeManifestInvalid, Where: customManifest, Message: "invalid manifest: " + fmt.Sprintf(format, args...)}
}
