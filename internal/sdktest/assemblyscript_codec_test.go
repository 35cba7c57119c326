package sdktest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

// Operations and answers of testdata/codec/run.mjs.
const (
	codecRoundTrip = iota
	codecCalculate
	codecUnwritable
	codecMutate
	codecMisuse
	codecVerdict

	codecRefused = 0xffffffff
	codecTrapped = 0xfffffffe
)

// calculationsMax is how many pairs of random amounts are compared with big integers.
const calculationsMax = 3000

type sharedVectors struct {
	Valid   []struct{ Name, Hex string }
	Refused []struct{ Name, Hex, Guest string }
}

// codecGuest is the compiled test guest and the program that runs it.
type codecGuest struct{ module, program string }

func newCodecGuest(t *testing.T, a assemblyScript) codecGuest {
	t.Helper()
	guest := codecGuest{filepath.Join(t.TempDir(), "codec.wasm"), filepath.Join(a.root, assemblyScriptSDK, "testdata/codec/run.mjs")}
	if err := os.WriteFile(guest.module, a.compile(t, "testdata/codec/codec.ts"), 0o600); err != nil {
		t.Fatal(err)
	}
	return guest
}

// codecCases collects cases for one run of the guest.
type codecCases struct{ input []byte }

func (c *codecCases) add(operation, message int, wire []byte) {
	for _, n := range []int{operation, message, len(wire)} {
		c.input = binary.LittleEndian.AppendUint32(c.input, uint32(n))
	}
	c.input = append(c.input, wire...)
}

// run answers all cases, in order.
func (g codecGuest) run(t *testing.T, cases codecCases) *codecAnswers {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", g.program, g.module) // #nosec G204 -- files of this test
	command.Stdin = bytes.NewReader(cases.input)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaint.Bytes())
	}
	return &codecAnswers{output}
}

type codecAnswers struct{ rest []byte }

// next is the answer to the next case, ok false when it was refused. A trap is nobody's answer to bytes.
func (a *codecAnswers) next(t *testing.T, format string, args ...any) (answer []byte, ok bool) {
	t.Helper()
	if len(a.rest) < 4 {
		t.Fatalf("no answer to "+format, args...)
	}
	length := binary.LittleEndian.Uint32(a.rest)
	a.rest = a.rest[4:]
	switch {
	case length == codecTrapped:
		t.Errorf("the guest trapped at "+format, args...)
		return nil, false
	case length == codecRefused:
		return nil, false
	case uint64(length) > uint64(len(a.rest)):
		t.Fatalf("half an answer to "+format, args...)
	}
	answer, a.rest = a.rest[:length], a.rest[length:]
	return answer, true
}

func readSharedVectors(t *testing.T, message string) (v sharedVectors) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, filepath.Join(root, "abi/testdata/v1", message+".json")), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Valid) == 0 || len(v.Refused) == 0 {
		t.Fatalf("no vectors of %s", message)
	}
	return v
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (g codecGuest) provesTheVectors(t *testing.T) {
	var cases codecCases
	for number, name := range abi.MessageNames() {
		vectors := readSharedVectors(t, name)
		for _, v := range vectors.Valid {
			cases.add(codecRoundTrip, number, unhex(t, v.Hex))
		}
		for _, v := range vectors.Refused {
			cases.add(codecRoundTrip, number, unhex(t, v.Hex))
		}
	}
	answers := g.run(t, cases)
	valid, refused := 0, 0
	for _, name := range abi.MessageNames() {
		vectors := readSharedVectors(t, name)
		for _, v := range vectors.Valid {
			valid++
			if again, ok := answers.next(t, "%s, %s", name, v.Name); !ok || hex.EncodeToString(again) != v.Hex {
				t.Errorf("%s, %s: written again as %x, %t", name, v.Name, again, ok)
			}
		}
		for _, v := range vectors.Refused {
			refused++
			if _, ok := answers.next(t, "%s, %s", name, v.Name); ok != (v.Guest == "skips") {
				t.Errorf("%s, %s: read: %t, but a guest %s", name, v.Name, ok, v.Guest)
			}
		}
	}
	t.Logf("%d valid and %d refused vectors", valid, refused)
}

// provesTheMutations compares with the oracle on every truncation and every flipped bit of every vector.
func (g codecGuest) provesTheMutations(t *testing.T) {
	oracle := readGuestOracle(t)
	type original struct {
		message string
		wire    []byte
	}
	var originals []original
	var cases codecCases
	for number, name := range abi.MessageNames() {
		vectors := readSharedVectors(t, name)
		add := func(text string) {
			wire := unhex(t, text)
			cases.add(codecMutate, number, wire)
			originals = append(originals, original{name, wire})
		}
		for _, v := range vectors.Valid {
			add(v.Hex)
		}
		for _, v := range vectors.Refused {
			add(v.Hex)
		}
	}
	answers := g.run(t, cases)
	mutations, accepted, skipped := 0, 0, 0
	for _, o := range originals {
		check := func(wire []byte) {
			mutations++
			want, readable := oracle.reads(o.message, wire)
			if len(want) != len(wire) && readable {
				skipped++
			}
			got, ok := answers.next(t, "%s %x", o.message, wire)
			if ok != readable || ok && !bytes.Equal(got, want) {
				t.Fatalf("%s %x: read: %t, written as %x; want %t, %x", o.message, wire, ok, got, readable, want)
			}
			if ok {
				accepted++
			}
		}
		for n := range o.wire {
			check(o.wire[:n])
		}
		flipped := slices.Clone(o.wire)
		for bit := range 8 * len(flipped) {
			flipped[bit/8] ^= 1 << (bit % 8)
			check(flipped)
			flipped[bit/8] ^= 1 << (bit % 8)
		}
	}
	if len(answers.rest) > 0 || accepted == 0 || skipped == 0 {
		t.Fatalf("%d answers too many; %d accepted, %d skipped", len(answers.rest), accepted, skipped)
	}
	t.Logf("%d mutations of %d vectors, %d of them readable, %d with a field to skip", mutations, len(originals), accepted, skipped)
}

func (g codecGuest) provesTheAmounts(t *testing.T) {
	two256 := new(big.Int).Lsh(big.NewInt(1), 256)
	random := rand.New(rand.NewPCG(7, 53)) // #nosec G404 -- the same amounts each time
	var cases codecCases
	var want []string
	for i := range calculationsMax {
		x, y := randomBig(random), randomBig(random)
		if i%5 == 0 {
			y = x
		}
		factor := random.Uint64N(abi.WireIntegerMax+1) >> random.UintN(53)
		spelling := []string{y.String(), "0" + y.String(), "+1", "1e4", " 1", "1.0", "", "٣", two256.String()}[random.IntN(9)]
		wire, err := (&abi.BudgetMove{Meter: spelling, Sequence: factor, Before: amountOf(t, x), After: amountOf(t, y)}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		cases.add(codecCalculate, 0, wire)
		want = append(want, calculated(x, y, factor, spelling))
	}
	answers := g.run(t, cases)
	for _, lines := range want {
		if got, ok := answers.next(t, "%s", lines); !ok || string(got) != lines {
			t.Fatalf("got\n%s\nwant\n%s", got, lines)
		}
	}
}

// randomBig is short as often as long, and often next to a power of two, where carries are.
func randomBig(random *rand.Rand) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), random.UintN(257))
	switch random.IntN(3) {
	case 0:
		n.Sub(n, big.NewInt(int64(1+random.IntN(2))))
	case 1:
		b := make([]byte, (n.BitLen()+6)/8)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		n.SetBytes(b)
	}
	if n.Sign() < 0 || n.BitLen() > 256 {
		return new(big.Int)
	}
	return n
}

func amountOf(t *testing.T, n *big.Int) abi.Amount {
	t.Helper()
	a, err := abi.ParseAmount(n.String())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// calculated is what the guest's calculate must say, by big integers.
func calculated(x, y *big.Int, factor uint64, spelling string) string {
	fits := func(n *big.Int) string {
		if n.Sign() < 0 || n.BitLen() > 256 {
			return "none"
		}
		return n.String()
	}
	parsed := "none"
	if a, err := abi.ParseAmount(spelling); err == nil {
		parsed = a.String()
	}
	word, small := "none", "large"
	if x.BitLen() > 248 {
		word = x.String() // a 32-byte word is the shortest form only without leading zeros
	}
	if x.IsUint64() {
		small = x.String()
	}
	c := x.Cmp(y)
	return strings.Join([]string{
		x.String(), y.String(), fmt.Sprint(c), fmt.Sprint(c == 0, c != 0, c < 0, c <= 0, c > 0, c >= 0),
		fits(new(big.Int).Add(x, y)), fits(new(big.Int).Sub(x, y)), fits(new(big.Int).Mul(x, new(big.Int).SetUint64(factor))),
		x.String(), parsed, word, fmt.Sprint(factor), small,
	}, "\n")
}

func (g codecGuest) writesOnlyWhatIsCanonical(t *testing.T) {
	var cases codecCases
	cases.add(codecUnwritable, 0, nil)
	if wrong, ok := g.run(t, cases).next(t, "unwritable messages"); !ok || len(wrong) > 0 {
		t.Errorf("written: %t\n%s", ok, wrong)
	}
}

// provesTheTexts compares texts at every edge of UTF-8, and at every place of a longer text, with the oracle.
func (g codecGuest) provesTheTexts(t *testing.T) {
	oracle := readGuestOracle(t)
	edges := []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}
	var texts []string
	for first := range 256 {
		texts = append(texts, string([]byte{byte(first)}))
		for _, second := range edges {
			texts = append(texts, string([]byte{byte(first), second}))
			for _, third := range edges {
				texts = append(texts, string([]byte{byte(first), second, third}))
				for _, fourth := range edges {
					texts = append(texts, string([]byte{byte(first), second, third, fourth}))
				}
			}
		}
	}
	for size := range 20 {
		for at := range size {
			for _, special := range []string{"", "\x80", "ä", "€", "𝄞", "\xed\xa0\x80", "\xed\xa0\x80\xed\xb0\x80"} {
				texts = append(texts, "abcdefghijklmnopqrst"[:at]+special+"abcdefghijklmnopqrst"[at:size])
			}
		}
	}
	var cases codecCases
	number := slices.Index(abi.MessageNames(), "Rejection")
	wire := func(text string) []byte { return append([]byte{1<<3 | 2, byte(len(text))}, text...) }
	for _, text := range texts {
		cases.add(codecRoundTrip, number, wire(text))
	}
	answers := g.run(t, cases)
	for _, text := range texts {
		want, readable := oracle.reads("Rejection", wire(text))
		if got, ok := answers.next(t, "%q", text); ok != readable || !bytes.Equal(got, want) {
			t.Fatalf("%q: read: %t, written as %x; want %t", text, ok, got, readable)
		}
	}
	t.Logf("%d texts", len(texts))
}

func (g codecGuest) bearsMisuse(t *testing.T) {
	wire, err := (&abi.Agent{ID: "a", Groups: []string{"b"}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var cases codecCases
	cases.add(codecMisuse, slices.Index(abi.MessageNames(), "Agent"), wire)
	if wrong, ok := g.run(t, cases).next(t, "misuse"); !ok || len(wrong) > 0 {
		t.Errorf("%t\n%s", ok, wrong)
	}
}

func (g codecGuest) holdsAndKnowsItsFacts(t *testing.T) {
	complete := abi.DecideRequest{Intent: &abi.Intent{}, Quote: &abi.Quote{}, Agent: &abi.Agent{}}
	known := complete
	known.Facts = &abi.Facts{Budgets: []abi.BudgetLevel{{Name: "month"}}}
	var cases codecCases
	for _, request := range []abi.DecideRequest{complete, known, {Intent: &abi.Intent{}}} {
		wire, err := request.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		cases.add(codecVerdict, 0, wire)
	}
	answers := g.run(t, cases)
	for _, want := range []abi.DecideResult{
		{Outcome: abi.Hold, Reasons: []abi.Reason{{Code: "first_payment", Text: "nothing is known of this payee"}}},
		{Outcome: abi.Allow},
		{Reasons: []abi.Reason{{Code: "request_incomplete", Text: "no policy, or a request without intent, quote or agent"}}},
	} {
		wire, ok := answers.next(t, "%+v", want)
		var got abi.DecideResult
		if err := got.Unmarshal(wire); !ok || err != nil {
			t.Fatalf("%x, %v", wire, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
