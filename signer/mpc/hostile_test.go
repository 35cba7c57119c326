package mpc

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/tss"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// kind says what a number in a message has to be, for the table of hostile values.
type kind struct {
	name  string
	limit *big.Int // exclusive
	low   *big.Int // the smallest honest value, or nil
	group *big.Int // modulus of which it must be a unit, or nil
	prime *big.Int // a factor of group, where the test knows one
	point bool
}

func hashKind() kind   { return kind{name: "hash", limit: new(big.Int).Lsh(bigOne, 256)} }
func scalarKind() kind { return kind{name: "scalar", limit: curveOrder} }
func pointKind() kind  { return kind{name: "coordinate", limit: fieldPrime, point: true} }

func unitKind(n *big.Int) kind { return kind{name: "unit", limit: n, group: n} }

func cipherKind(n, factor *big.Int) kind {
	return kind{name: "ciphertext", limit: new(big.Int).Mul(n, n), group: n, prime: factor}
}

func answerKind(high *big.Int) kind {
	return kind{name: "answer", limit: new(big.Int).Add(high, bigOne), low: curveOrder}
}

func belowKind(limit *big.Int) kind { return kind{name: "number", limit: limit} }

func repeatKind(k kind, n int) []kind { return slices.Repeat([]kind{k}, n) }

// hostile returns values that must be refused in place of the honest one.
func (k kind) hostile(honest []byte) map[string][]byte {
	values := map[string][]byte{
		"empty":                 {},
		"zero":                  {0},
		"with a leading zero":   append([]byte{0}, honest...),
		"of 256 KiB":            bytes.Repeat([]byte{0xff}, 256<<10),
		"a byte too long":       bytes.Repeat([]byte{0xff}, (k.limit.BitLen()+7)/8+1),
		"the limit":             k.limit.Bytes(),
		"one above the limit":   new(big.Int).Add(k.limit, bigOne).Bytes(),
		"twice the limit":       new(big.Int).Lsh(k.limit, 1).Bytes(),
		"the limit plus itself": new(big.Int).Add(k.limit, new(big.Int).SetBytes(honest)).Bytes(),
	}
	if k.low != nil {
		values["one"] = []byte{1}
		values["below the smallest"] = new(big.Int).Sub(k.low, bigOne).Bytes()
	}
	if k.group != nil {
		values["one"] = []byte{1}
		values["the modulus N"] = k.group.Bytes()
		values["N squared"] = new(big.Int).Mul(k.group, k.group).Bytes()
	}
	if k.prime != nil {
		values["a factor of N"] = k.prime.Bytes()
		values["a multiple of a factor"] = new(big.Int).Mul(k.prime, big.NewInt(12345)).Bytes()
	}
	if k.point {
		values["one"] = []byte{1}
		values["a neighbour off the curve"] = new(big.Int).Add(new(big.Int).SetBytes(honest), bigOne).Bytes()
	}
	return values
}

// layout lists the kinds of a message's fields, a list having one kind a part.
type layout map[protoreflect.Name][]kind

// variant is one hostile message made of an honest one.
type variant struct {
	name string
	body []byte
}

// variants changes one thing of the message at a time.
func variants(t *testing.T, body []byte, fields layout) []variant {
	t.Helper()
	var made []variant
	honest := unpack(t, body)
	list := honest.Descriptor().Fields()
	if list.Len() != len(fields) {
		t.Fatalf("the table has %d fields, the message %d", len(fields), list.Len())
	}
	change := func(name string, edit func(protoreflect.Message)) {
		m := unpack(t, body)
		edit(m)
		made = append(made, variant{name, pack(t, m)})
	}
	for i := range list.Len() {
		field := list.Get(i)
		kinds, ok := fields[field.Name()]
		if !ok {
			t.Fatalf("the table lacks field %s", field.Name())
		}
		label := string(field.Name())
		change(label+" missing", func(m protoreflect.Message) { m.Clear(field) })
		if !field.IsList() {
			for name, value := range kinds[0].hostile(honest.Get(field).Bytes()) {
				change(label+" "+name, func(m protoreflect.Message) { m.Set(field, protoreflect.ValueOfBytes(value)) })
			}
			continue
		}
		if honest.Get(field).List().Len() != len(kinds) {
			t.Fatalf("%s: the table has %d parts, the message %d", label, len(kinds), honest.Get(field).List().Len())
		}
		change(label+" a part missing", func(m protoreflect.Message) {
			parts := m.Mutable(field).List()
			parts.Truncate(parts.Len() - 1)
		})
		change(label+" a part extra", func(m protoreflect.Message) {
			parts := m.Mutable(field).List()
			parts.Append(parts.Get(parts.Len() - 1))
		})
		// A point is two parts: a list of one point too few or too many still has an odd length.
		change(label+" a pair missing", func(m protoreflect.Message) {
			parts := m.Mutable(field).List()
			parts.Truncate(parts.Len() - 2)
		})
		change(label+" a pair extra", func(m protoreflect.Message) {
			parts := m.Mutable(field).List()
			last := parts.Len()
			parts.Append(parts.Get(last - 2))
			parts.Append(parts.Get(last - 1))
		})
		for at, k := range kinds {
			// In a long list of one kind the first and the last part stand for the others.
			if at > 0 && at < len(kinds)-1 && kinds[at-1].name == k.name && kinds[at+1].name == k.name && !k.point {
				continue
			}
			for name, value := range k.hostile(honest.Get(field).List().Get(at).Bytes()) {
				change(label+" part "+string(rune('0'+at%10))+" "+name, func(m protoreflect.Message) {
					m.Mutable(field).List().Set(at, protoreflect.ValueOfBytes(value))
				})
			}
		}
	}
	change("an unknown field", func(m protoreflect.Message) { m.SetUnknown([]byte{0xf8, 0x07, 0x01}) })
	return made
}

func unpack(t testing.TB, body []byte) protoreflect.Message {
	t.Helper()
	var wrapped anypb.Any
	if err := proto.Unmarshal(body, &wrapped); err != nil {
		t.Fatal(err)
	}
	content, err := wrapped.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	return content.ProtoReflect()
}

func pack(t testing.TB, m protoreflect.Message) []byte {
	t.Helper()
	wrapped, err := anypb.New(m.Interface())
	if err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// generousRules lets the size of the whole message pass, so that the checks of its parts are what is tested.
func generousRules(rules []rule) []rule {
	generous := slices.Clone(rules)
	for i := range generous {
		generous[i].bodyBytesMax = 1 << 20
	}
	return generous
}

// guardAt returns the runtime's guard of a session with the co-signer that has sent its messages up to the round.
func guardAt(t testing.TB, rules []rule, f *facts, round int) *guard {
	t.Helper()
	share := demoShare(t, Runtime).secret
	self := partyID(Runtime, share.parties[0].id)
	peer := partyID(CoSigner, share.parties[1].id)
	tss.SortPartyIDs(tss.UnSortedPartyIDs{self, peer})
	g := newGuard([32]byte{1}, rules, f, map[Role]*tss.PartyID{CoSigner: peer})
	g.sent = round
	return g
}

func frameFor(name string, body []byte) Frame {
	return Frame{Session: [32]byte{1}, From: CoSigner, To: Runtime, Type: name, Body: body}
}

func ruleNamed(t *testing.T, rules []rule, name string) rule {
	t.Helper()
	for _, r := range rules {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no rule %s", name)
	return rule{}
}
