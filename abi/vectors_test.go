package abi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const vectorsFolder = "testdata/v1"

type vectors struct {
	Message string
	Valid   []struct {
		Name, Hex string
		View      json.RawMessage
	}
	Refused []struct{ Name, Hex, Code, Problem, Guest string }
}

func readVectors(tb testing.TB, message string) (v vectors) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(vectorsFolder, message+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		tb.Fatal(err)
	}
	if v.Message != message || len(v.Valid) == 0 || len(v.Refused) == 0 {
		tb.Fatalf("%s holds no vectors of %s", vectorsFolder, message)
	}
	return v
}

func TestGoldenVectorsReadAndWriteTheSame(t *testing.T) {
	for _, name := range MessageNames() {
		for _, v := range readVectors(t, name).Valid {
			wire, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			fromWire, fromView := NewMessage(name), NewMessage(name)
			if err := fromWire.Unmarshal(wire); err != nil {
				t.Errorf("%s, %s: %v", name, v.Name, err)
				continue
			}
			if err := fromView.UnmarshalJSON(v.View); err != nil {
				t.Errorf("%s, %s: view: %v", name, v.Name, err)
				continue
			}
			for _, m := range []Message{fromWire, fromView} {
				if again, err := m.Marshal(); err != nil || !bytes.Equal(again, wire) {
					t.Errorf("%s, %s: written as %x, %v", name, v.Name, again, err)
				}
			}
			var want bytes.Buffer
			if err := json.Compact(&want, v.View); err != nil {
				t.Fatal(err)
			}
			if view, err := fromWire.MarshalJSON(); err != nil || !bytes.Equal(view, want.Bytes()) {
				t.Errorf("%s, %s: view is %s, %v", name, v.Name, view, err)
			}
		}
	}
}

func TestGoldenVectorsOfWrongBytesAreRefused(t *testing.T) {
	for _, name := range MessageNames() {
		for _, v := range readVectors(t, name).Refused {
			wire, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			if err := NewMessage(name).Unmarshal(wire); CodeOf(err) != v.Code {
				t.Errorf("%s, %s: %v, want %s", name, v.Name, err, v.Code)
			}
		}
	}
}

func TestGoldenVectorsMatchTheirSums(t *testing.T) {
	want, err := os.ReadFile(filepath.Join(vectorsFolder, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, name := range MessageNames() {
		text, err := os.ReadFile(filepath.Join(vectorsFolder, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%x  %s.json\n", sha256.Sum256(text), name)
	}
	if got.String() != string(want) {
		t.Error("a vector file differs from SHA256SUMS; run go generate ./abi if the schema changed")
	}
}
