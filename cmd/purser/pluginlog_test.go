package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/purserhq/purser/runtime/judge"
)

func TestWhatAPluginSaysIsAnAttributeAtItsLevel(t *testing.T) {
	var said bytes.Buffer
	tell := pluginLog(slog.New(slog.NewTextHandler(&said, nil)))
	tell(judge.LogRecord{Plugin: "my-ceiling", Module: [32]byte{0xab, 1, 2, 3, 4, 5, 6}, Level: slog.LevelInfo, Text: "hello\nlevel=ERROR msg=forged"})
	tell(judge.LogRecord{Plugin: "my-ceiling", Level: slog.LevelDebug, Text: "too fine"})
	tell(judge.LogRecord{Plugin: "my-ceiling", Level: slog.LevelWarn, Fault: "trap", Text: "panic: as told"})
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", lines)
	}
	for i, want := range []string{
		`level=INFO msg="plugin says" plugin=my-ceiling module=ab0102030405 text="hello\nlevel=ERROR msg=forged"`,
		`level=WARN msg="plugin failed" plugin=my-ceiling module=000000000000 code=trap text="panic: as told"`,
	} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("%s, want %s", lines[i], want)
		}
	}
}
