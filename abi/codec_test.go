package abi

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzEveryMessageHasOneSpelling: whatever Unmarshal takes, Marshal writes back
// byte for byte, and the JSON view is the same message.
func FuzzEveryMessageHasOneSpelling(f *testing.F) {
	names := MessageNames()
	for i, name := range names {
		for _, v := range readVectors(f, name).Valid {
			wire, err := hex.DecodeString(v.Hex)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), wire)
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, wire []byte) {
		name := names[int(index)%len(names)]
		m := NewMessage(name)
		if err := m.Unmarshal(wire); err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != "bad_wire" || e.Where == "" {
				t.Fatalf("%s: error %v has no code bad_wire or no place", name, err)
			}
			if diff := cmp.Diff(NewMessage(name), m, amountEqual); diff != "" {
				t.Fatalf("%s: a refused message left something behind:\n%s", name, diff)
			}
			return
		}
		again, err := m.Marshal()
		if err != nil || !bytes.Equal(again, wire) {
			t.Fatalf("%s: %x was read and written back as %x, %v", name, wire, again, err)
		}
		view, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%s: no JSON view: %v", name, err)
		}
		fromView := NewMessage(name)
		if err := json.Unmarshal(view, fromView); err != nil {
			t.Fatalf("%s: own view %s is refused: %v", name, view, err)
		}
		if viaView, err := fromView.Marshal(); err != nil || !bytes.Equal(viaView, wire) {
			t.Fatalf("%s: view %s became %x, want %x, %v", name, view, viaView, wire, err)
		}
	})
}

var amountEqual = cmp.Comparer(func(a, b Amount) bool { return a == b })

func TestMarshalRefusesWhatHasNoCanonicalBytes(t *testing.T) {
	for _, c := range []struct {
		name, where string
		message     Message
	}{
		{"text that is not UTF-8", "Agent.id", &Agent{ID: "a\xff"}},
		{"a list element that is not UTF-8", "Agent.groups", &Agent{Groups: []string{"a\xff"}}},
		{"a number above 2^53-1", "QuoteSample.observed_unix_s", &QuoteSample{ObservedUnixS: WireIntegerMax + 1}},
		{"an unknown enum value", "Quote.evidence", &Quote{Evidence: EvidencePinned + 1}},
		{"an unknown outcome", "DecideResult.outcome", &DecideResult{Outcome: Allow + 1}},
		{"too many elements", "Agent.groups", &Agent{Groups: make([]string, WireRepeatedMax+1)}},
		{"a nested fault", "Quote.timeout_s", &DecideRequest{Quote: &Quote{TimeoutS: WireIntegerMax + 1}}},
		{"a message too large", "Answer", &Answer{Result: make([]byte, WireMessageBytesMax)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.message.Marshal()
			var e *Error
			if !errors.As(err, &e) || e.Code != "bad_message" || e.Where != c.where {
				t.Fatalf("Marshal says %v, want bad_message at %s", err, c.where)
			}
		})
	}
}

func TestJSONViewRefusesWhatMarshalRefuses(t *testing.T) {
	for _, m := range []Message{
		&Agent{ID: "a\xff"}, &DecideResult{Outcome: Allow + 1}, &Quote{TimeoutS: WireIntegerMax + 1},
	} {
		if view, err := m.MarshalJSON(); err == nil {
			t.Errorf("%T has the view %s", m, view)
		}
	}
}

func TestUnmarshalBoundsRepeatedFieldsAndSize(t *testing.T) {
	element := []byte{2<<3 | 2, 0}
	var a Agent
	if err := a.Unmarshal(bytes.Repeat(element, WireRepeatedMax)); err != nil || len(a.Groups) != WireRepeatedMax {
		t.Fatalf("%d elements: %v, want WireRepeatedMax", len(a.Groups), err)
	}
	if err := a.Unmarshal(bytes.Repeat(element, WireRepeatedMax+1)); CodeOf(err) != "bad_wire" || a.Groups != nil {
		t.Fatalf("one element too many: %v", err)
	}
	size := WireMessageBytesMax + 1
	big := append(binary.AppendUvarint([]byte{2<<3 | 2}, uint64(size-5)), make([]byte, size-5)...)
	if err := new(Answer).Unmarshal(big); CodeOf(err) != "bad_wire" || !strings.Contains(err.Error(), "WireMessageBytesMax") {
		t.Fatalf("a message of %d bytes: %v", len(big), err)
	}
}

func TestUnmarshalKeepsNothingOfItsInput(t *testing.T) {
	wire, err := (&Answer{ID: "id", Result: []byte("result")}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var a Answer
	if err := a.Unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	clear(wire)
	if a.ID != "id" || string(a.Result) != "result" {
		t.Fatalf("changing the input changed the message: %+v", a)
	}
}

func TestNestedLengthsOfEveryWidthRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 120, 125, 126, 127, 128, 129, 16370, 16383, 16384, 1 << 20} {
		before := &BuildResult{Ok: true, Signing: []SigningRequest{
			{ID: "a", Preimage: make([]byte, n), Summary: &Summary{Nonce: make([]byte, n), Amount: NewAmount(7)}},
			{ID: "b"},
		}, State: []byte{1}}
		wire, err := before.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var after BuildResult
		if err := after.Unmarshal(wire); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if len(after.Signing) != 2 || len(after.Signing[0].Preimage) != n ||
			len(after.Signing[0].Summary.Nonce) != n || after.Signing[0].Summary.Amount != NewAmount(7) {
			t.Fatalf("%d bytes: came back different", n)
		}
	}
}

func TestAValueMarshalsLikeItsPointer(t *testing.T) {
	byValue, err := json.Marshal(struct{ A Agent }{Agent{ID: "x", SignedRequest: true}})
	if err != nil || string(byValue) != `{"A":{"id":"x","signed_request":true}}` {
		t.Fatalf("%s, %v", byValue, err)
	}
}
