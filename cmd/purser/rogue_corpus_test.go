package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/purserhq/purser/signer"
)

// groupOrder is secp256k1's n.
const groupOrder = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

// malformed is one session in which the attacker's messages are not those of its engine.
type malformed struct {
	name string
	// at is the type of the message that is changed.
	at string
	// bend returns what is sent in its place. It may keep something for later.
	bend func(t *testing.T, w *wire, frame signer.Frame) []signer.Frame
	// code is how the co-signer's session ends; empty when either side may notice first.
	code string
	// late says that the co-signer's last message has left by then: the payment is one that its policy allows.
	late bool
}

// corpusAttempts are the malformed messages of docs/threat-model.md's corpus over the real link in real sessions. What
// they do to the library without the guard is in signer/mpc.
func corpusAttempts() []attempt {
	all := append(slices.Clone(corpus), envelopes...)
	flips, messages := 1, []string{"sign1-ciphertext", "sign5-commitment", "sign7-commitment"} // signer/mpc flips them all, without a link
	if os.Getenv(rogueFullEnv) != "" {
		flips, messages = 20, []string{
			"sign1-ciphertext", "sign1-commitment", "sign2-conversion", "sign3-theta", "sign4-opening",
			"sign5-commitment", "sign6-opening", "sign7-commitment", "sign8-opening", lastFrame,
		}
	}
	for _, message := range messages {
		for n := range flips {
			all = append(all, malformed{name: fmt.Sprintf("flips bit %d of %s", n, message), at: message, bend: flipBit, late: message == lastFrame})
		}
	}
	attempts := make([]attempt, 0, len(all))
	for _, m := range all {
		attempts = append(attempts, attempt{"malformed: " + m.name, m.try})
	}
	return attempts
}

// try runs the session. One that breaks before the digest needs no promise.
func (m malformed) try(t *testing.T, r *rogue) []string {
	p := r.seat(t)
	s, err := r.open(t, p.name, p.root)
	if err != nil {
		t.Fatal(err)
	}
	s.wire.bend = func(w *wire, frame signer.Frame) []signer.Frame {
		if frame.Type == m.at {
			return m.bend(t, w, frame)
		}
		return []signer.Frame{frame}
	}
	want := s.ended(m.code)
	if m.code == "" {
		want, _, _ = strings.Cut(want, " code=")
	}
	if err := s.prepare(t); err != nil {
		return []string{want}
	}
	_, promise := r.armed(t, p, 10_000)
	if m.late {
		r.allowed(promise.Payment)
	}
	if err := s.sign(t, promise, [32]byte(promise.Digest)); err == nil && !m.late {
		t.Error("the session made a signature")
	}
	_ = s.wire.Close() // never fails
	return []string{want}
}

// instead sends one other body.
func instead(change func(t *testing.T, fields []protoField) []protoField) func(*testing.T, *wire, signer.Frame) []signer.Frame {
	return func(t *testing.T, _ *wire, frame signer.Frame) []signer.Frame {
		frame.Body = rewrite(t, frame.Body, change)
		return []signer.Frame{frame}
	}
}

// part replaces the nth value of a field.
func part(number protowire.Number, nth int, value []byte) func(*testing.T, *wire, signer.Frame) []signer.Frame {
	return instead(func(t *testing.T, fields []protoField) []protoField {
		for i := range fields {
			if fields[i].number != number {
				continue
			}
			if nth == 0 {
				fields[i].value = value
				return fields
			}
			nth--
		}
		t.Fatal("the message has no such part")
		return nil
	})
}

// fewer leaves the last field out.
func fewer(_ *testing.T, fields []protoField) []protoField { return fields[:len(fields)-1] }

// nudged changes the number in a field a little.
func nudged(_ *testing.T, fields []protoField) []protoField {
	fields[0].value[len(fields[0].value)-1] ^= 1
	return fields
}

func unhexed(text string) []byte {
	raw, err := hex.DecodeString(text)
	if err != nil {
		panic(err) // a constant
	}
	return raw
}

// corpus are the cases that were reproduced against the library, and their like, as far as a signing session has their
// message.
var corpus = []malformed{
	{name: "a ciphertext of zero", at: "sign1-ciphertext", bend: part(1, 0, []byte{0}), code: signer.CodeMessageRefused},
	{name: "a ciphertext above N squared", at: "sign1-ciphertext", bend: part(1, 0, bytes.Repeat([]byte{0xff}, 512)), code: signer.CodeMessageRefused},
	{name: "a trivial range proof", at: "sign1-ciphertext", bend: part(2, 3, []byte{1}), code: signer.CodeMessageRefused},
	{name: "an exponent of 128 KiB", at: "sign1-ciphertext", bend: part(2, 5, bytes.Repeat([]byte{0xff}, 128<<10)), code: signer.CodeMessageRefused},
	{name: "an exponent that is a little too long", at: "sign1-ciphertext", bend: part(2, 5, bytes.Repeat([]byte{0xff}, 360)), code: signer.CodeMessageRefused},
	{name: "an answer that is the group order", at: "sign2-conversion", bend: part(4, 6, unhexed(groupOrder)), code: signer.CodeMessageRefused},
	{name: "an answer ciphertext of zero", at: "sign2-conversion", bend: part(1, 0, []byte{0}), code: signer.CodeMessageRefused},
	{name: "a proof without its last part", at: "sign2-conversion", bend: instead(fewer), code: signer.CodeMessageRefused},
	{name: "another theta", at: "sign3-theta", bend: instead(nudged)},
	{name: "a theta of zero", at: "sign3-theta", bend: part(1, 0, []byte{0}), code: signer.CodeMessageRefused},
	{name: "a commitment replaced before it is opened", at: "sign4-opening", bend: replacedCommitment, code: signer.CodeMessageRefused},
	{name: "an opening without its last part", at: "sign4-opening", bend: instead(fewer), code: signer.CodeMessageRefused},
	{name: "a round 8 of two values", at: "sign8-opening", bend: instead(func(t *testing.T, fields []protoField) []protoField { return fewer(t, fewer(t, fields)) }), code: signer.CodeMessageRefused},
	{name: "another s", at: lastFrame, bend: instead(nudged), late: true},
	{name: "an s of the group order", at: lastFrame, bend: part(1, 0, unhexed(groupOrder)), code: "mpc_outcome_unknown", late: true},
}

// envelopes are honest messages in wrong frames.
var envelopes = []malformed{
	{name: "a frame twice", at: "sign1-commitment", bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame { return []signer.Frame{f, f} }, code: signer.CodeMessageRefused},
	{name: "a message of a type twice", at: "sign1-commitment", code: signer.CodeMessageRefused, bend: func(_ *testing.T, w *wire, f signer.Frame) []signer.Frame {
		again := f
		again.Seq++
		w.shift++
		return []signer.Frame{f, again}
	}},
	{name: "a frame left out", at: "sign1-commitment", bend: func(*testing.T, *wire, signer.Frame) []signer.Frame { return nil }, code: signer.CodeMessageRefused},
	{name: "a message of a later round", at: "sign2-conversion", code: signer.CodeMessageRefused, bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame {
		f.Type = "sign5-commitment"
		return []signer.Frame{f}
	}},
	{name: "a message of a key generation", at: "sign1-ciphertext", code: signer.CodeMessageRefused, bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame {
		f.Type = "keygen2-opening"
		return []signer.Frame{f}
	}},
	{name: "bytes that are no message", at: "sign1-ciphertext", code: signer.CodeMessageRefused, bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame {
		f.Body = bytes.Repeat([]byte{0xff}, len(f.Body))
		return []signer.Frame{f}
	}},
	{name: "an unknown field", at: "sign1-ciphertext", code: signer.CodeMessageRefused, bend: instead(func(_ *testing.T, fields []protoField) []protoField {
		return append(fields, protoField{127, []byte{1}})
	})},
	{name: "a record's hash before the record", at: "sign1-ciphertext", code: signer.CodeMessageRefused, bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame {
		f.Armed = [32]byte{1}
		return []signer.Frame{f}
	}},
	{name: "another record's hash after the record", at: "sign5-commitment", code: signer.CodeMessageRefused, bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame {
		f.Armed[0] ^= 1
		return []signer.Frame{f}
	}},
	{name: "another session's name", at: "sign6-opening", code: signer.CodeMessageRefused, bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame {
		f.Session[0] ^= 1
		return []signer.Frame{f}
	}},
	{name: "the co-signer as its sender", at: "sign1-ciphertext", bend: func(_ *testing.T, _ *wire, f signer.Frame) []signer.Frame {
		f.From, f.To = f.To, f.From
		return []signer.Frame{f}
	}},
}

// replacedCommitment sends the commitment of round one once more, before its opening.
func replacedCommitment(t *testing.T, w *wire, opening signer.Frame) []signer.Frame {
	at := slices.IndexFunc(w.sent, func(f signer.Frame) bool { return f.Type == "sign1-commitment" })
	if at < 0 {
		t.Fatal("no commitment was sent")
	}
	again := w.sent[at]
	again.Seq, again.Armed = opening.Seq, opening.Armed
	opening.Seq++
	w.shift++
	return []signer.Frame{again, opening}
}

func flipBit(_ *testing.T, _ *wire, frame signer.Frame) []signer.Frame {
	frame.Body = bytes.Clone(frame.Body)
	bit := rand.IntN(8 * len(frame.Body)) // #nosec G404 -- where to break a message is no secret
	frame.Body[bit/8] ^= 1 << (bit % 8)
	return []signer.Frame{frame}
}

// protoField is one field of the library's messages, which are all bytes.
type protoField struct {
	number protowire.Number
	value  []byte
}

// rewrite changes the fields of the message inside the library's envelope: a type's name and the message.
func rewrite(t *testing.T, body []byte, change func(t *testing.T, fields []protoField) []protoField) []byte {
	t.Helper()
	envelope := fieldsOf(t, body)
	at := slices.IndexFunc(envelope, func(f protoField) bool { return f.number == 2 })
	if at < 0 {
		t.Fatal("the envelope is empty")
	}
	envelope[at].value = encodeFields(change(t, fieldsOf(t, envelope[at].value)))
	return encodeFields(envelope)
}

func fieldsOf(t *testing.T, message []byte) (fields []protoField) {
	t.Helper()
	for len(message) > 0 {
		number, kind, head := protowire.ConsumeTag(message)
		if head < 0 || kind != protowire.BytesType {
			t.Fatal("the message holds something else than bytes")
		}
		value, size := protowire.ConsumeBytes(message[head:])
		if size < 0 {
			t.Fatal("the message is cut short")
		}
		fields = append(fields, protoField{number, bytes.Clone(value)})
		message = message[head+size:]
	}
	return fields
}

func encodeFields(fields []protoField) (message []byte) {
	for _, f := range fields {
		message = protowire.AppendBytes(protowire.AppendTag(message, f.number, protowire.BytesType), f.value)
	}
	return message
}
