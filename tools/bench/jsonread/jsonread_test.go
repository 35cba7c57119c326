package jsonread

import (
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/purserhq/purser/tools/bench/policy"
)

func TestADocumentThatIsNotAsAskedIsRefused(t *testing.T) {
	for _, document := range []string{
		``, `{`, `[]`, `{"intent":`, `{"intent":{}`, `{"intent":{}}}`, `{"intent":{"amount":7}}`, `{"agent":{"tier":"a}}`,
		`{"facts":{"budgets":[{},]}}`, `{"facts":{"budgets":[{} {}]}}`, `{"a":"\u12"}`, `{"a":"\ud800"}`, `{"a":"\x"}`, `{"now_unix_s":-1}`,
	} {
		if p, _, err := Payment(document); err == nil {
			t.Errorf("%q reads as %+v", document, p)
		}
	}
}

func TestAnAmountThatNoEngineCountsIsUnreadable(t *testing.T) {
	for amount, want := range map[string]bool{"9007199254740991": true, "9007199254740992": false, "99999999999999999999999": false, "": false, "1.5": false} {
		_, readable, err := Payment(`{"intent":{"amount":"` + amount + `"}}`)
		if err != nil || readable != want {
			t.Errorf("%q: readable %v, want %v (%v)", amount, readable, want, err)
		}
	}
}

func TestAVerdictSurvivesItsDocument(t *testing.T) {
	for _, want := range []policy.Verdict{{Outcome: policy.Allow}, {Outcome: policy.Hold, Codes: []string{"a"}}, {Codes: []string{"a", "b", "c"}}} {
		got, err := Verdict(string(AppendVerdict(nil, want)))
		if err != nil || got.Outcome != want.Outcome || !slices.Equal(got.Codes, want.Codes) {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
	}
	for _, document := range []string{`{"outcome":3}`, `{"outcome":300}`, `{"outcome":2,"more":1}`, `{"outcome":2`} {
		if got, err := Verdict(document); err == nil {
			t.Errorf("%s reads as %+v", document, got)
		}
	}
}

// What the standard library takes, this reader takes, and reads the same text.
func FuzzValidDocumentsAreReadAsTheStandardLibraryReadsThem(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e7,"x\n\u00e9\ud83d\ude00",null,true,{}],"b":{"c":[]}}`, `"\"\\\/\b\f\n\r\t"`, `[[],[[]]]`, `{"a":1,}`, `"\ud800\ud800"`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		r := New(document)
		r.Skip()
		deep := len(document) > depthMax // then it may be nested deeper than Skip goes
		if json.Valid([]byte(document)) && r.Failed() && !deep && !loneSurrogate(document) {
			t.Errorf("%q is refused", document)
		}
		var want string
		if json.Unmarshal([]byte(document), &want) != nil || !utf8.ValidString(document) {
			return
		}
		r = New(document)
		if got := r.Text(); !r.Failed() && got != want {
			t.Errorf("%q reads as %q, want %q", document, got, want)
		}
	})
}

// loneSurrogate says whether a document may have half a pair, which the standard library replaces and this reader refuses.
func loneSurrogate(document string) bool {
	for i := 0; i+2 < len(document); i++ {
		if document[i] == '\\' && document[i+1] == 'u' && (document[i+2] == 'd' || document[i+2] == 'D') {
			return true
		}
	}
	return false
}
