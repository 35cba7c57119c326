package bundle

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

func TestABuiltModuleIsHandedOut(t *testing.T) {
	files := fstest.MapFS{"dist/README.md": {}, "dist/chain-evm.wasm": {Data: []byte("\x00asm")}, "dist/a.wasm": {}, "dist/SHA256SUMS": {}}
	got, err := module(files, "chain-evm")
	if err != nil || string(got) != "\x00asm" {
		t.Errorf("%q %v", got, err)
	}
	if diff := cmp.Diff([]string{"a", "chain-evm"}, names(files)); diff != "" {
		t.Error(diff)
	}
}

func TestAMissingModuleSaysHowToGetIt(t *testing.T) {
	for _, name := range []string{"no-such-plugin", "", "README.md", "../bundle", "..", "a/b", `a\b`, "SHA256SUMS"} {
		got, err := Module(name)
		if abi.CodeOf(err) != "plugin_missing" || got != nil {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}

func TestAMissingArchiveSaysHowToGetIt(t *testing.T) {
	if got, err := sdk(fstest.MapFS{"dist/README.md": {}}); abi.CodeOf(err) != "plugin_sdk_missing" || got != nil {
		t.Errorf("%q %v", got, err)
	}
	if got, err := sdk(fstest.MapFS{"dist/sdk.zip": {Data: []byte("PK")}}); err != nil || string(got) != "PK" {
		t.Errorf("%q %v", got, err)
	}
}
