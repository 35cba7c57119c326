package toolchain

import (
	"bytes"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

const manifest = `{"version": "1.0.0", "name": "ceiling", "kind": "policy", "abi": {"major": 1},
	"description": "denies payments above one amount", "license": "MIT"}`

// module has a type section and a custom section of another name.
var module = append(bytes.Clone(wasmHeader), 1, 4, 1, 0x60, 0, 0, 0, 5, 4, 'n', 'a', 'm', 'e')

func TestEmbedAppendsTheCanonicalManifestOnce(t *testing.T) {
	once, err := Embed(module, []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := abi.CanonicalJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(once, module) || !bytes.HasSuffix(once, append([]byte("\x0fpurser.manifest"), canonical...)) {
		t.Fatalf("%q", once)
	}
	if twice, err := Embed(once, []byte(manifest)); err != nil || !bytes.Equal(twice, once) {
		t.Fatalf("embedding again gave %q, %v", twice, err)
	}
	newer := strings.Replace(manifest, "1.0.0", "1.0.1", 1)
	replaced, err := Embed(once, []byte(newer))
	if err != nil || bytes.Count(replaced, []byte("purser.manifest")) != 1 || !bytes.Contains(replaced, []byte("1.0.1")) {
		t.Fatalf("replacing gave %q, %v", replaced, err)
	}
}

func TestEmbedRefusals(t *testing.T) {
	with := func(tail ...byte) []byte { return append(bytes.Clone(module), tail...) }
	for name, c := range map[string]struct {
		module   []byte
		manifest string
	}{
		"no module":                   {nil, manifest},
		"a text file":                 {[]byte("hello, world"), manifest},
		"a component":                 {[]byte("\x00asm\x0d\x00\x01\x00"), manifest},
		"a section without size":      {with(0), manifest},
		"a section behind the end":    {with(1, 9, 0), manifest},
		"a section of 4 GiB":          {with(1, 0xff, 0xff, 0xff, 0xff, 0x0f), manifest},
		"an endless size":             {with(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0), manifest},
		"a name behind its section":   {with(0, 2, 9, 'x'), manifest},
		"a custom section of nothing": {with(0, 0), manifest},
		"a manifest of another major": {module, strings.Replace(manifest, `"major": 1`, `"major": 2`, 1)},
		"no manifest":                 {module, ``},
		"too many sections":           {with(bytes.Repeat([]byte{1, 0}, sectionsMax+1)...), manifest},
		"a module at its size limit":  {with(largeSection()...), manifest},
	} {
		if out, err := Embed(c.module, []byte(c.manifest)); err == nil {
			t.Errorf("%s: embedded into %d bytes", name, len(out))
		}
	}
}

// largeSection is a data section of almost the largest size.
func largeSection() []byte {
	size := abi.ModuleBytesMax - len(module) - 10
	return append([]byte{11, byte(size) | 0x80, byte(size>>7) | 0x80, byte(size>>14) | 0x80, byte(size >> 21)}, make([]byte, size)...)
}

func FuzzEmbedKeepsModulesReadable(f *testing.F) {
	f.Add(module)
	f.Add(append(bytes.Clone(module), 0, 0x10, 0x0f, 'p', 'u', 'r', 's', 'e', 'r'))
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := Embed(in, []byte(manifest))
		if err != nil {
			return
		}
		if twice, err := Embed(once, []byte(manifest)); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("embedding into %x again gave another module: %v", in, err)
		}
	})
}
