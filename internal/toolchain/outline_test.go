package toolchain

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
)

func name(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func section(id byte, content ...[]byte) []byte {
	joined := slices.Concat(content...)
	return append([]byte{id, byte(len(joined))}, joined...)
}

var outlined = slices.Concat(wasmHeader,
	section(importSection, []byte{4},
		name("env"), name("f\x1b[2J"), []byte{0, 3},
		name("env"), name("t"), []byte{1, 0x70, 1, 1, 2},
		name("env"), name("m"), []byte{2, 0, 1},
		name("env"), name("g"), []byte{3, 0x7f, 0}),
	section(exportSection, []byte{2}, name("memory"), []byte{2, 0}, name("purser_abi_1"), []byte{0, 5}),
	section(customSection, name(abi.ManifestSection), []byte("{}")))

func TestAnOutlineNamesImportsExportsAndTheManifest(t *testing.T) {
	got, err := ReadOutline(outlined)
	if err != nil {
		t.Fatal(err)
	}
	want := Outline{
		Imports:  []Item{{"env", "f\uFFFD[2J", "function"}, {"env", "t", "table"}, {"env", "m", "memory"}, {"env", "g", "global"}},
		Exports:  []Item{{"", "memory", "memory"}, {"", "purser_abi_1", "function"}},
		Manifest: []byte("{}"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestABrokenModuleHasNoOutline(t *testing.T) {
	with := func(tail ...byte) []byte { return append(bytes.Clone(wasmHeader), tail...) }
	for name, broken := range map[string][]byte{
		"nothing":              nil,
		"text":                 []byte("hello, world"),
		"a cut section":        outlined[:len(outlined)-1],
		"a list of 4 billion":  with(importSection, 5, 0xff, 0xff, 0xff, 0xff, 0x07),
		"a kind of 9":          with(section(exportSection, []byte{1}, []byte{1, 'x', 9, 0})...),
		"a name past the end":  with(section(exportSection, []byte{1}, []byte{9, 'x'})...),
		"an id without a size": with(7),
		"too large":            make([]byte, abi.ModuleBytesMax+1),
	} {
		if got, err := ReadOutline(broken); abi.CodeOf(err) != CodeModuleInvalid || got.Imports != nil || got.Exports != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func FuzzReadOutlineNeverPanics(f *testing.F) {
	f.Add(outlined)
	f.Add([]byte{})
	f.Add(append(bytes.Clone(wasmHeader), importSection, 3, 1, 0, 0))
	f.Fuzz(func(t *testing.T, module []byte) {
		o, err := ReadOutline(module)
		if err != nil && abi.CodeOf(err) != CodeModuleInvalid {
			t.Fatal(err)
		}
		for _, item := range slices.Concat(o.Imports, o.Exports) {
			if item.Kind == "" {
				t.Fatal("an item without a kind")
			}
		}
	})
}
