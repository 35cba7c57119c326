package doctest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
)

// compiled are files of which the documents may show parts: all of them are built by somebody.
var compiled = []string{"examples/ceiling/go/main.go", "internal/doctest/code_test.go"}

func TestEveryGoBlockIsCodeThatIsCompiled(t *testing.T) {
	var sources []string
	for _, path := range compiled {
		source, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(source))
	}
	shown := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if !b.is("go") {
				continue
			}
			shown++
			if !contained(b.text, sources) {
				t.Errorf("%s:%d: no compiled file has this code; see %v", b.file, b.line, compiled)
			}
		}
	}
	if shown < 2 {
		t.Errorf("%d Go blocks in the documents, want the README's two", shown)
	}
}

func contained(part string, sources []string) bool {
	for _, source := range sources {
		if strings.Contains(source, part) {
			return true
		}
	}
	return false
}

// buy is the README's program.
func buy(ctx context.Context, token, key string) ([]byte, error) {
	purser, err := client.New("http://127.0.0.1:4020", client.Token(token), nil)
	if err != nil {
		return nil, err
	}
	// One key for each thing to buy: repeating the call with it never pays twice.
	view, err := purser.Pay(ctx, api.PayParams{Key: key, URL: "http://127.0.0.1:4021/weather", AmountMax: abi.NewAmount(50_000)})
	if err != nil {
		return nil, err
	}
	if view.Response == nil {
		return nil, fmt.Errorf("payment %s is %s: %v", view.ID, view.State, view.Reasons)
	}
	return view.Response.Body, nil
}

var _ = buy
