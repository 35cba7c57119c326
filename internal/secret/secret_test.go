package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

type credential struct {
	Hidden
	value string
}

func TestNoWayOfPrintingShowsWhatIsHidden(t *testing.T) {
	const value = "hunter2"
	c := credential{value: value}
	asHex := fmt.Sprintf("%x", value)
	printed := map[string]string{}
	for _, holder := range []any{c, &c, []credential{c}, map[string]credential{"k": c}, struct{ C credential }{c}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%e", "%z", "%10.3v"} {
			printed[fmt.Sprintf("%T %s", holder, format)] = fmt.Sprintf(format, holder)
		}
		document, err := json.Marshal(holder)
		if err != nil {
			t.Fatal(err)
		}
		printed[fmt.Sprintf("%T as JSON", holder)] = string(document)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", holder)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", holder)
		printed[fmt.Sprintf("%T in a log", holder)] = log.String()
	}
	document, err := xml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed["as XML"] = string(document)
	printed["in an error"] = fmt.Errorf("bad %v: %w", c, fmt.Errorf("%d", c)).Error()
	for how, text := range printed {
		if strings.Contains(text, value) || strings.Contains(strings.ToLower(text), asHex) || !strings.Contains(text, Text) {
			t.Errorf("%s: %s", how, text)
		}
	}
}
