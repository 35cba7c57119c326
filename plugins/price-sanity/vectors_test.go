package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/policy"
)

// vector is the part of testdata/vectors.json that a plugin needs; the JSON views beside it are for people. The Rust
// policy of examples/policy-rust passes the same file.
type vector struct {
	Name         string `json:"name"`
	ConfigureHex string `json:"configure_hex"`
	Call         string `json:"call"`
	RequestHex   string `json:"request_hex"`
	ResultHex    string `json:"result_hex"`
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

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func configureWith(t testing.TB, raw []byte) *abi.ConfigureResult {
	t.Helper()
	var request abi.ConfigureRequest
	if err := request.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	return policy.Configure(&request)
}

func TestEveryVectorGivesItsResult(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			var result interface{ Marshal() ([]byte, error) } = configureWith(t, unhex(t, v.ConfigureHex))
			if v.Call != "purser_configure" {
				var request abi.DecideRequest
				if err := request.Unmarshal(unhex(t, v.RequestHex)); err != nil {
					t.Fatal(err)
				}
				result = policy.Decide(&request)
			}
			got, err := result.Marshal()
			if err != nil || !bytes.Equal(got, unhex(t, v.ResultHex)) {
				t.Errorf("%v\n got %q\nwant %q", err, got, unhex(t, v.ResultHex))
			}
		})
	}
}

// A dearer quote never gets a milder answer, whatever the history.
func FuzzRaisingThePriceNeverHelps(f *testing.F) {
	f.Add(uint64(1), uint64(2), []byte{1, 2, 3})
	f.Add(uint64(1000001), uint64(7), []byte{0, 0, 255, 3, 9, 9})
	for _, v := range readVectors(f) {
		if v.Name == "a ceiling is enough" {
			if result := configureWith(f, unhex(f, v.ConfigureHex)); !result.Ok {
				f.Fatal(result)
			}
		}
	}
	f.Fuzz(func(t *testing.T, price, more uint64, history []byte) {
		price >>= 16 // keep the sum in range
		more >>= 16
		if price == 0 {
			return
		}
		quotes := &abi.QuoteHistory{Provenance: abi.ProvenanceOwn}
		for _, b := range history {
			quotes.Samples = append(quotes.Samples, abi.QuoteSample{Amount: abi.NewAmount(uint64(b) * 1000)})
		}
		decideAt := func(price uint64) abi.Outcome {
			amount := abi.NewAmount(price)
			return policy.Decide(&abi.DecideRequest{
				Intent: &abi.Intent{Amount: amount}, Quote: &abi.Quote{Amount: amount},
				Agent: &abi.Agent{ID: "a"}, Facts: &abi.Facts{Quotes: quotes},
			}).Outcome
		}
		if low, high := decideAt(price), decideAt(price+more); high > low {
			t.Errorf("%s at %d but %s at %d", low, price, high, price+more)
		}
	})
}
