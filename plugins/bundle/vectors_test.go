package bundle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
)

var update = flag.Bool("update", false, "write the bytes of every vector's JSON views into the vector files")

// vector is one call of a plugin. People write the JSON views; the bytes beside them are what a plugin gets and must
// return, so that a plugin's own tests, in any language, need no JSON view.
type vector struct {
	Name         string          `json:"name"`
	Config       json.RawMessage `json:"config"`
	ConfigureHex string          `json:"configure_hex"`
	Call         string          `json:"call"`
	Request      json.RawMessage `json:"request,omitempty"`
	RequestHex   string          `json:"request_hex,omitempty"`
	Result       json.RawMessage `json:"result"`
	ResultHex    string          `json:"result_hex"`
}

type vectorFile struct {
	Vectors []vector `json:"vectors"`
}

const callConfigure = "purser_configure"

// message is a generated message.
type message interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
	UnmarshalJSON([]byte) error
}

// messages gives the request and result of each call.
var messages = map[string]func() (request, result message){
	callConfigure:           func() (message, message) { return new(abi.ConfigureRequest), new(abi.ConfigureResult) },
	"purser_policy_decide":  func() (message, message) { return new(abi.DecideRequest), new(abi.DecideResult) },
	"purser_chain_describe": func() (message, message) { return new(abi.DescribeRequest), new(abi.DescribeResult) },
	"purser_chain_needs":    func() (message, message) { return new(abi.NeedsRequest), new(abi.NeedsResult) },
	"purser_chain_build":    func() (message, message) { return new(abi.BuildRequest), new(abi.BuildResult) },
	"purser_chain_assemble": func() (message, message) { return new(abi.AssembleRequest), new(abi.AssembleResult) },
	"purser_chain_verify":   func() (message, message) { return new(abi.VerifyRequest), new(abi.VerifyResult) },
	"purser_chain_plan":     func() (message, message) { return new(abi.PlanRequest), new(abi.PlanResult) },
	"purser_chain_facts":    func() (message, message) { return new(abi.FactsRequest), new(abi.FactsResult) },
}

func vectorPath(plugin string) string { return filepath.Join("..", plugin, "testdata", "vectors.json") }

func readVectors(t testing.TB, plugin string) []vector {
	t.Helper()
	raw, err := os.ReadFile(vectorPath(plugin))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var file vectorFile
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, v := range file.Vectors {
		if seen[v.Name+v.Call] {
			t.Fatalf("two vectors of %s are called %q", v.Call, v.Name)
		}
		seen[v.Name+v.Call] = true
	}
	if len(seen) == 0 {
		t.Fatalf("%s holds no vectors", vectorPath(plugin))
	}
	return file.Vectors
}

// withBytes fills in the bytes of the views.
func (v vector) withBytes() (vector, error) {
	canonical, entries, err := abi.Flatten(v.Config)
	if err != nil {
		return v, err
	}
	configure := abi.ConfigureRequest{Config: canonical, Entries: entries}
	encoded, err := configure.Marshal()
	if err != nil {
		return v, err
	}
	v.ConfigureHex = hex.EncodeToString(encoded)
	newMessages, ok := messages[v.Call]
	if !ok {
		return v, fmt.Errorf("unknown call %q", v.Call)
	}
	request, result := newMessages()
	if v.Call != callConfigure {
		if v.RequestHex, err = viewBytes(v.Request, request); err != nil {
			return v, fmt.Errorf("request: %w", err)
		}
	}
	if v.ResultHex, err = viewBytes(v.Result, result); err != nil {
		return v, fmt.Errorf("result: %w", err)
	}
	return v, nil
}

func viewBytes(view json.RawMessage, into message) (string, error) {
	if err := into.UnmarshalJSON(view); err != nil {
		return "", err
	}
	encoded, err := into.Marshal()
	return hex.EncodeToString(encoded), err
}

func TestEveryVectorHoldsTheBytesOfItsViews(t *testing.T) {
	for _, plugin := range []string{"chain-evm", "price-sanity"} {
		vectors := readVectors(t, plugin)
		for i, v := range vectors {
			filled, err := v.withBytes()
			if err != nil {
				t.Fatalf("%s: %s: %v", plugin, v.Name, err)
			}
			if !*update && (filled.ConfigureHex != v.ConfigureHex || filled.RequestHex != v.RequestHex || filled.ResultHex != v.ResultHex) {
				t.Errorf("%s: %s: the bytes are not those of the view; run the test with -update", plugin, v.Name)
			}
			vectors[i] = filled
		}
		if *update {
			writeVectors(t, plugin, vectors)
		}
	}
}

func writeVectors(t *testing.T, plugin string, vectors []vector) {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(vectorFile{vectors}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorPath(plugin), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
