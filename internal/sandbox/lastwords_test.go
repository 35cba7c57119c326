package sandbox

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
)

func TestLastWordsAreTheEndOfALogOrAPanicWithItsFrame(t *testing.T) {
	long := strings.Repeat("ß", lastWordBytesMax)
	out := func(texts ...string) (lines []LogLine) {
		for _, text := range texts {
			lines = append(lines, LogLine{Level: LevelOutput, Text: text})
		}
		return lines
	}
	for name, c := range map[string]struct {
		log  []LogLine
		want []string
	}{
		"nothing":       {nil, nil},
		"only blanks":   {out("\n", " \n"), nil},
		"a few lines":   {[]LogLine{{LevelInfo, "one"}, {LevelError, "two\nthree"}}, []string{"one", "two", "three"}},
		"many lines":    {out("1\n2\n3\n4\n5\n6\n7\n"), []string{"3", "4", "5", "6", "7"}},
		"a long line":   {out(long), []string{long[:lastWordBytesMax] + "…"}},
		"joined output": {out("pan", "ic: x\n"), []string{"panic: x"}},
		"a Go panic": {
			append([]LogLine{{LevelInfo, "about to"}}, out("panic: no\n", "\n", "goroutine 1 [running]:\n", "main.decide(0x1)\n", "\tx/main.go:16 +0x14\n", "sdk.Call()\n", "\tsdk/guest.go:1\n")...),
			[]string{"about to", "panic: no", "main.decide(0x1)", "x/main.go:16 +0x14"},
		},
		"a trace cut short": {out("panic: no\n", "goroutine 1 [running]:\n"), []string{"panic: no"}},
	} {
		if diff := cmp.Diff(c.want, LastWords(c.log)); diff != "" && len(c.want)+len(LastWords(c.log)) > 0 {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLastWordsChangeNoCodeAndStayOnOneLine(t *testing.T) {
	err := error(&abi.Error{Code: CodeTrap, Message: "the guest trapped", Cause: withoutTrace(errors.New("wasm error: unreachable\nwasm stack trace:\n\t.$7()"))})
	if got := WithLastWords(err, nil); got != err || LastWordsOf(got) != nil { //nolint:errorlint // the very same
		t.Errorf("%v", got)
	}
	said := WithLastWords(err, []LogLine{{LevelError, "a"}, {LevelError, "b"}})
	if abi.CodeOf(said) != CodeTrap || said.Error() != "trap: the guest trapped: unreachable; the guest's last words: a | b" {
		t.Errorf("%v", said)
	}
	if diff := cmp.Diff([]string{"a", "b"}, LastWordsOf(notConfigured(said))); diff != "" {
		t.Error(diff)
	}
	if WithLastWords(nil, []LogLine{{LevelError, "a"}}) != nil {
		t.Error("words made a failure")
	}
}
