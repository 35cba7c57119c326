// Package golden makes the golden vectors of ABI 1: for every message, bytes
// that must be read and bytes that must be refused. It is deterministic, and it
// refuses to write a vector that package abi itself does not agree with.
package golden

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Vectors are the vectors of one message, as a file of abi/testdata/v1 holds them.
type Vectors struct {
	// Message is the message's name in abi/purser.proto.
	Message string `json:"message"`
	// Valid must be read, and written back to the same bytes.
	Valid []Valid `json:"valid"`
	// Refused must not be read by a host.
	Refused []Refused `json:"refused"`
}

// Valid is one message in its two forms.
type Valid struct {
	Name string          `json:"name"`
	View json.RawMessage `json:"view"`
	Hex  string          `json:"hex"`
}

// Refused is one encoding that is not canonical.
type Refused struct {
	Name string `json:"name"`
	Hex  string `json:"hex"`
	// Code is the code of the error, always bad_wire.
	Code string `json:"code"`
	// Problem is what package abi says is wrong; other languages may word it
	// differently.
	Problem string `json:"problem"`
	// Guest is "refuses", or "skips" where a guest reads on because a newer host
	// may know more.
	Guest string `json:"guest"`
}

// File is one file of the set, its name relative to abi/testdata/v1.
type File struct {
	Name string
	Text []byte
}

// SumsName is the file that freezes all others.
const SumsName = "SHA256SUMS"

// Files returns all files of the set, SumsName last.
func Files() ([]File, error) {
	var files []File
	var sums bytes.Buffer
	for _, name := range abi.MessageNames() {
		v, err := Of(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f := File{name + ".json", append(text, '\n')}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(f.Text), f.Name)
		files = append(files, f)
	}
	return append(files, File{SumsName, sums.Bytes()}), nil
}

// Of returns the vectors of one message.
func Of(name string) (*Vectors, error) {
	v := &Vectors{Message: name}
	empty, full := abi.NewMessage(name), abi.NewMessage(name)
	if empty == nil {
		return nil, fmt.Errorf("no such message")
	}
	fill(full, 1)
	named := []struct {
		name    string
		message abi.Message
	}{{"empty", empty}, {"every field", full}}
	for i, one := range eachField(name) {
		named = append(named, struct {
			name    string
			message abi.Message
		}{fmt.Sprintf("field %d alone", i+1), one})
	}
	for _, n := range named {
		if err := v.addValid(n.name, n.message); err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
	}
	for _, view := range realistic[name] {
		m := abi.NewMessage(name)
		if err := m.UnmarshalJSON([]byte(view.json)); err != nil {
			return nil, fmt.Errorf("%s: %w", view.name, err)
		}
		if err := v.addValid(view.name, m); err != nil {
			return nil, fmt.Errorf("%s: %w", view.name, err)
		}
	}
	return v, v.addRefused(full)
}

func (v *Vectors) addValid(name string, m abi.Message) error {
	wire, err := m.Marshal()
	if err != nil {
		return err
	}
	view, err := m.MarshalJSON()
	if err != nil {
		return err
	}
	v.Valid = append(v.Valid, Valid{name, view, hex.EncodeToString(wire)})
	return nil
}

// addRefused adds everything that mutate makes of a message, after checking that
// each is in fact refused.
func (v *Vectors) addRefused(full abi.Message) error {
	mutations, err := mutate(full)
	if err != nil {
		return err
	}
	for _, m := range mutations {
		err := abi.NewMessage(v.Message).Unmarshal(m.wire)
		refusal, ok := err.(*abi.Error) //nolint:errorlint // Unmarshal returns its own error, never a wrapped one
		if !ok {
			return fmt.Errorf("%s: %x is not refused: %w", m.name, m.wire, err)
		}
		guest := "refuses"
		if m.guestSkips {
			guest = "skips"
		}
		v.Refused = append(v.Refused, Refused{m.name, hex.EncodeToString(m.wire), refusal.Code, refusal.Message, guest})
	}
	return nil
}
