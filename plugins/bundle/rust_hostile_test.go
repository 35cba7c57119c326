package bundle

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

// hostile is the vector's request after one to three changes.
func hostile(t *testing.T, random *rand.Rand, v vector) []byte {
	t.Helper()
	if random.IntN(4) == 0 {
		return damage(random, unhex(t, v.RequestHex))
	}
	newMessages, found := messages[v.Call]
	if !found {
		t.Fatalf("unknown call %q", v.Call)
	}
	request, _ := newMessages()
	if err := request.Unmarshal(unhex(t, v.RequestHex)); err != nil {
		t.Fatal(err)
	}
	for range 1 + random.IntN(3) {
		change(random, request)
	}
	encoded, err := request.Marshal()
	if err != nil {
		return damage(random, unhex(t, v.RequestHex)) // the damage is not text any more
	}
	return encoded
}

// change edits one thing that a stranger may choose.
func change(random *rand.Rand, request message) {
	switch r := request.(type) {
	case *abi.NeedsRequest:
		r.Payload = hostileDocument(random, r.Payload)
	case *abi.BuildRequest:
		changeQuote(random, r.Quote)
		r.Nonce = r.Nonce[:min(len(r.Nonce), 31+random.IntN(2))]
		r.ValidBeforeUnixS = hostileNumber(random, r.ValidBeforeUnixS)
	case *abi.AssembleRequest:
		switch {
		case random.IntN(2) == 0 && len(r.Signatures) > 0:
			signed := &r.Signatures[0]
			signed.Signature = damage(random, signed.Signature)
		default:
			r.State = damage(random, r.State)
		}
	case *abi.VerifyRequest:
		r.Answers = hostileAnswers(random, r.Answers)
		if random.IntN(3) == 0 {
			r.Payload = hostileDocument(random, r.Payload)
		}
		r.NowUnixS = hostileNumber(random, r.NowUnixS)
	case *abi.PlanRequest:
		changeQuote(random, r.Quote)
		r.Payload = hostileDocument(random, r.Payload)
	case *abi.FactsRequest:
		r.Answers = hostileAnswers(random, r.Answers)
		if random.IntN(6) == 0 {
			r.Payload = hostileDocument(random, r.Payload)
		}
	}
}

func hostileNumber(random *rand.Rand, n uint64) uint64 {
	return []uint64{n, n, n, n + 1, max(n, 1) - 1, 0, 1<<53 - 1}[random.IntN(7)]
}

func changeQuote(random *rand.Rand, quote *abi.Quote) {
	if quote == nil {
		return
	}
	for _, text := range []*string{&quote.Scheme, &quote.Network, &quote.Asset, &quote.Payee} {
		if random.IntN(12) == 0 {
			*text = string(damage(random, []byte(*text)))
		}
	}
	for i := range quote.Extra {
		if random.IntN(12) == 0 {
			quote.Extra[i].Text = string(damage(random, []byte(quote.Extra[i].Text)))
		}
	}
}

// hostileAnswers replaces, repeats or removes an answer.
func hostileAnswers(random *rand.Rand, answers []abi.Answer) []abi.Answer {
	if len(answers) == 0 {
		return answers
	}
	at := random.IntN(len(answers))
	switch random.IntN(8) {
	case 0:
		return append(answers, answers[at])
	case 1:
		return slices.Delete(answers, at, at+1)
	case 2:
		answers[at].Error = "execution reverted"
	default:
		answers[at].Result = hostileDocument(random, answers[at].Result)
	}
	return answers
}

// documents are JSON that two readers might read differently, or that none should.
var documents = []string{
	``, `null`, `true`, `0`, `""`, `"0x"`, `"0x0"`, `"0X00"`, `[]`, `{}`, `{}x`, `[1,]`, `01`, `1e`, `-0`, `"\ud800"`, `"\ud83d\ude00"`, `"\u0030x"`,
	`"0x` + strings.Repeat("0", 192) + `"`, `"0x` + strings.Repeat("0", 64) + `"`, `"0x` + strings.Repeat("f", 64) + `"`,
	strings.Repeat("[", 16) + strings.Repeat("]", 16), strings.Repeat("[", 17) + strings.Repeat("]", 17), strings.Repeat("[", 18) + strings.Repeat("]", 18),
	"[" + strings.Repeat("0,", 2_000) + "0]", "{" + strings.Repeat(`"x":0,`, 63) + `"y":0}`,
	"\xef\xbb\xbf{}", "\"\xff\"", "\"a\nb\"", "\x00",
}

// hostileDocument edits a JSON document as text or, where it is an object, by its members.
func hostileDocument(random *rand.Rand, document []byte) []byte {
	switch random.IntN(5) {
	case 0:
		return []byte(documents[random.IntN(len(documents))])
	case 1:
		return damage(random, document)
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return damage(random, document)
	}
	edited, err := json.Marshal(hostileValue(random, value))
	if err != nil {
		return damage(random, document)
	}
	return edited
}

// hostileValue walks down to some value and replaces, repeats or removes it.
func hostileValue(random *rand.Rand, value any) any {
	switch v := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		if len(names) == 0 {
			return v
		}
		slices.Sort(names)
		name := names[random.IntN(len(names))]
		if random.IntN(8) == 0 {
			delete(v, name)
			return v
		}
		v[name] = hostileValue(random, v[name])
		return v
	case []any:
		if len(v) == 0 {
			return v
		}
		at := random.IntN(len(v))
		switch random.IntN(6) {
		case 0:
			return append(v, v[at])
		case 1:
			return slices.Delete(v, at, at+1)
		}
		v[at] = hostileValue(random, v[at])
		return v
	case string:
		return hostileText(random, v)
	}
	return []any{nil, true, false, "0x1", json.Number("7"), map[string]any{}}[random.IntN(6)]
}

func hostileText(random *rand.Rand, text string) any {
	switch random.IntN(9) {
	case 0:
		return strings.ToUpper(text)
	case 1:
		return text + "0"
	case 2:
		return "0x" + strings.TrimLeft(strings.TrimPrefix(text, "0x"), "0")
	case 3:
		return text[:max(len(text), 1)-1]
	case 4:
		return nil
	case 5:
		return json.Number("1")
	case 6:
		return "0x0"
	case 7:
		return "115792089237316195423570985008687907853269984665640564039457584007913129639936"
	}
	return string(damage(random, []byte(text)))
}
