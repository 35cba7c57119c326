package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

// vector is the part of testdata/vectors.json that a plugin needs; the JSON views beside it are for people. The
// expected results were computed with ethers 6 and a hand-assembled state program, not with this package.
type vector struct {
	Name         string `json:"name"`
	ConfigureHex string `json:"configure_hex"`
	Call         string `json:"call"`
	RequestHex   string `json:"request_hex"`
	ResultHex    string `json:"result_hex"`
}

type message interface {
	Marshal() ([]byte, error)
	Unmarshal(b []byte) error
}

// through decodes the request, calls and encodes the result, as the exported functions do.
func through[Q any, R message, P interface {
	*Q
	message
}](t testing.TB, requestHex string, call func(P) R) string {
	t.Helper()
	request := P(new(Q))
	if err := request.Unmarshal(unhex(t, requestHex)); err != nil {
		t.Fatal(err)
	}
	result, err := call(request).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(result)
}

var calls = map[string]func(testing.TB, string) string{
	"purser_chain_describe": func(t testing.TB, r string) string { return through(t, r, chain.Describe) },
	"purser_chain_needs":    func(t testing.TB, r string) string { return through(t, r, chain.Needs) },
	"purser_chain_build":    func(t testing.TB, r string) string { return through(t, r, chain.Build) },
	"purser_chain_assemble": func(t testing.TB, r string) string { return through(t, r, chain.Assemble) },
	"purser_chain_verify":   func(t testing.TB, r string) string { return through(t, r, chain.Verify) },
	"purser_chain_plan":     func(t testing.TB, r string) string { return through(t, r, chain.Plan) },
	"purser_chain_facts":    func(t testing.TB, r string) string { return through(t, r, chain.Facts) },
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Vectors) == 0 {
		t.Fatalf("%d vectors: %v", len(file.Vectors), err)
	}
	return file.Vectors
}

func TestEveryVectorGivesItsResult(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			got := through(t, v.ConfigureHex, chain.Configure)
			if v.Call != "purser_configure" {
				got = calls[v.Call](t, v.RequestHex)
			}
			if got != v.ResultHex {
				t.Errorf("%s:\n got %s\nwant %s\n got %q", v.Call, got, v.ResultHex, unhex(t, got))
			}
		})
	}
	chain.Configure(&abi.ConfigureRequest{}) // back to the defaults for the other tests
}
