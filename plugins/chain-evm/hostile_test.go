package main

import (
	"strings"
	"testing"

	"github.com/purserhq/purser/sdk/go/chain"

	"github.com/purserhq/purser/sdk/go/abi"
)

func TestJSONThatTwoReadersCouldReadDifferentlyIsRefused(t *testing.T) {
	for name, document := range map[string]string{
		"nothing": "", "a member twice": `{"a":1,"a":2}`, "an escaped member twice": `{"a":1,"\u0061":2}`,
		"text behind": `{}x`, "two documents": `{} {}`, "a trailing comma": `[1,]`, "a leading comma": `[,1]`,
		"single quotes": `{'a':1}`, "a raw newline": "\"a\nb\"", "half a surrogate": `"\ud800"`, "reversed surrogates": `"\udc00\ud800"`,
		"an unknown escape": `"\x41"`, "a short escape": `"\u12"`, "an open string": `"a`, "an open object": `{"a":1`, "an open array": `[1`,
		"a leading zero": `01`, "a bare point": `1.`, "a bare exponent": `1e`, "a plus": `+1`, "hex": `0x1`, "nan": `NaN`,
		"half a word": `nul`, "no colon": `{"a" 1}`, "no value": `{"a":}`, "not UTF-8": "\"\xff\"", "a byte order mark": "\ufeff{}",
		"too deep": strings.Repeat("[", 40) + strings.Repeat("]", 40), "too many values": "[" + strings.Repeat("0,", 60_000) + "0]",
		"a wide object": "{" + strings.Repeat(`"x":0,`, 100) + `"y":0}`, "a lone quote": `"\`,
	} {
		if v, ok := parseJSON([]byte(document)); ok {
			t.Errorf("%s: read as %+v", name, v)
		}
	}
}

func TestPlainJSONIsRead(t *testing.T) {
	v, ok := parseJSON([]byte(" {\"s\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00\", \"n\":-0.5e+10, \"a\":[true,false,null,{}], \"o\":{}} \n"))
	if !ok || v.member("s").text() != "a\"\\/\b\f\n\r\tA\U0001F600" || v.member("n").raw != "-0.5e+10" || len(v.member("a").children()) != 4 {
		t.Errorf("%+v %v", v, ok)
	}
	if v.member("none").member("deeper").text() != "" || v.member("n").text() != "" {
		t.Error("a missing member or another type has a text")
	}
}

func TestJSONIsReadUpToItsBoundOfValues(t *testing.T) {
	elements := strings.Repeat("0,", jsonValuesMax-2) + "0" // and the array itself
	if _, ok := parseJSON([]byte("[" + elements + "]")); !ok {
		t.Errorf("%d values are refused", jsonValuesMax)
	}
	if _, ok := parseJSON([]byte("[" + elements + ",0]")); ok {
		t.Errorf("%d values are read", jsonValuesMax+1)
	}
}

func FuzzParsePayload(f *testing.F) {
	f.Add([]byte(`{"signature":"0x00","authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66","to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000","validAfter":"1740672089","validBefore":"1740672154","nonce":"0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"}}`))
	f.Add([]byte(`{"a":[1,-0.5e3,true,null,"\u00e9\ud83d\ude00"]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		p, rejection := parsePayload(document)
		if rejection != nil {
			if rejection.Code != "payload_invalid" {
				t.Errorf("code %q", rejection.Code)
			}
			return
		}
		again, rejection := parsePayload(payloadJSON(p.authorization, p.signature))
		if rejection != nil || again.authorization != p.authorization || string(again.signature) != string(p.signature) {
			t.Errorf("%+v does not survive being written: %+v %+v", p, again, rejection)
		}
	})
}

// FuzzAnswers feeds whatever an endpoint may say to the calls that believe it least.
func FuzzAnswers(f *testing.F) {
	f.Add("receipt", []byte(`{"transactionHash":"0x00","status":"0x1","logs":[]}`), "")
	f.Add("state", []byte(`"0x"`), "")
	f.Add("state_final", []byte(`null`), "boom")
	var request abi.FactsRequest
	for _, v := range readVectors(f) {
		if v.Name == "final" {
			if err := request.Unmarshal(unhex(f, v.RequestHex)); err != nil {
				f.Fatal(err)
			}
		}
	}
	if request.Quote == nil {
		f.Fatal(`no vector "final"`)
	}
	for _, answer := range request.Answers {
		f.Add(answer.ID, answer.Result, answer.Error)
	}
	f.Fuzz(func(t *testing.T, id string, result []byte, problem string) {
		one := request
		one.Answers = []abi.Answer{{ID: id, Result: result, Error: problem}}
		got := chain.Facts(&one)
		if got.Ok != (got.Rejection == nil) {
			t.Errorf("neither answer nor rejection, or both: %+v", got)
		}
		// One answer alone never proves that an authorization is dead, but a finalized state does.
		if got.Ok && got.Life == abi.LifeDead && id != stateFinalID {
			t.Errorf("dead by %q alone", id)
		}
		if _, err := got.Marshal(); err != nil {
			t.Error(err)
		}
	})
}

func TestSelfContradictingAnswersGiveNoBudgetBack(t *testing.T) {
	// used at finality wins over everything that says otherwise
	if status, life := judge(transactionReceipt{}, nonceState{}, nonceState{used: true, timeS: 10}, 5); status != abi.ChainStatusFinal || life != abi.LifeUsed {
		t.Error(status, life)
	}
	// an unanswered final state has time 0; a signed validBefore of 0 must not read as proof
	if _, life := judge(transactionReceipt{}, nonceState{}, nonceState{}, 0); life != abi.LifeLive {
		t.Error(life)
	}
}
