package meter

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// FuzzRewrite changes whole modules. A module that is rewritten is valid exactly when the original is, and nothing panics.
func FuzzRewrite(f *testing.F) {
	guests, err := filepath.Glob("../testdata/*.wasm")
	if err != nil || len(guests) == 0 {
		f.Fatalf("no guests: %v", err)
	}
	for _, path := range guests {
		module, err := os.ReadFile(path) // #nosec G304 -- a test's own files
		if err != nil {
			f.Fatal(err)
		}
		f.Add(module)
	}
	for _, data := range []string{"", "a guest", "another guest with more to it, so that it has loops"} {
		module, _ := generate([]byte(data), false)
		f.Add(module)
	}
	f.Add(guestOf(join(ops(wasm.OpReturn), prefixed(wasm.PrefixTableFill, 0))))
	r := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2&^api.CoreFeatureSIMD))
	f.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, module []byte) {
		rewritten, err := Rewrite(module)
		var refused *abi.Error
		if err != nil {
			if !errors.As(err, &refused) || refused.Code != abi.ReasonInstallRefused || refused.Where == "" {
				t.Errorf("an error without a code or a place: %v", err)
			}
			return
		}
		before, after := compiles(t, r, withoutCustom(module)), compiles(t, r, rewritten.Wasm)
		if (before == nil) != (after == nil) {
			t.Errorf("original: %v, rewritten: %v", before, after)
		}
	})
}

func compiles(t *testing.T, r wazero.Runtime, module []byte) error {
	t.Helper()
	compiled, err := r.CompileModule(context.Background(), module)
	if err != nil {
		return err
	}
	if err := compiled.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return nil
}

// withoutCustom leaves out what the rewriting leaves out: wazero allocates by the claims of a name section.
func withoutCustom(module []byte) []byte {
	out, c := []byte(wasm.Preamble), &wasm.Cursor{Data: module, Pos: len(wasm.Preamble)}
	for c.More() {
		id := c.Byte()
		content := c.Bytes(c.U32())
		if id != wasm.SectionCustom {
			out = append(append(out, id), vector(content)...)
		}
	}
	return out
}
