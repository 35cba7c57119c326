package sandbox

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// flatMemory is a linear memory of plain bytes.
type flatMemory []byte

func (m flatMemory) Size() uint32 { return uint32(len(m)) }

func (m flatMemory) Read(offset, length uint32) ([]byte, bool) {
	if uint64(offset)+uint64(length) > uint64(len(m)) {
		return nil, false
	}
	return m[offset : offset+length], true
}

func FuzzReadResult(f *testing.F) {
	f.Add(uint64(0), uint64(64))
	f.Add(uint64(0xfffffff000000020), uint64(64))
	f.Add(uint64(1<<32|63), uint64(64))
	f.Add(uint64(64<<32), uint64(0))
	memory := make(flatMemory, 64)
	for i := range memory {
		memory[i] = byte(i)
	}
	f.Fuzz(func(t *testing.T, packed, bytesMax uint64) {
		got, err := readResult(memory, "export", packed, bytesMax)
		if err != nil {
			if code := abi.CodeOf(err); got != nil || (code != CodeBadResult && code != CodeOutputTooLarge) {
				t.Errorf("%v, code %s", got, code)
			}
			return
		}
		pointer, length := packed>>32, packed&0xffffffff
		if packed == 0 || length > bytesMax || !bytes.Equal(got, memory[pointer:pointer+length]) {
			t.Errorf("%#x gave %v", packed, got)
		}
	})
}

// FuzzInstall changes whole guests. Whatever loads is also called, so that what passes the checks but breaks the
// engine is found.
func FuzzInstall(f *testing.F) {
	guests, err := filepath.Glob("testdata/*.wasm")
	if err != nil || len(guests) == 0 {
		f.Fatalf("no guests: %v", err)
	}
	for _, path := range guests {
		f.Add(readFile(f, path))
	}
	limits := Limits{StartFuel: 1_000_000, Fuel: 1_000_000}
	h := openHost(f, Config{Policy: limits})
	f.Fuzz(func(t *testing.T, wasm []byte) {
		p, err := h.Install(context.Background(), wasm, abi.KindPolicy, everything)
		if err != nil {
			if abi.CodeOf(err) == "internal" {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		c, _, err := p.Configure(context.Background(), []byte("{}"))
		if err == nil {
			_, err = decide(c, "request")
		}
		if err != nil && abi.CodeOf(err) == "internal" {
			t.Errorf("an error without a code: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzScan(f *testing.F) {
	guests, err := filepath.Glob("testdata/*.wasm")
	if err != nil || len(guests) == 0 {
		f.Fatalf("no guests: %v", err)
	}
	for _, path := range guests {
		f.Add(readFile(f, path))
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		if _, err := scan(module); err != nil {
			return
		}
		metered, err := meter.Rewrite(module)
		if err != nil {
			return
		}
		c := &wasm.Cursor{Data: metered.Wasm, Pos: len(wasm.Preamble)}
		for c.More() {
			if id := c.Byte(); id == wasm.SectionCustom {
				t.Fatal("the engine is handed a custom section")
			}
			c.Bytes(c.U32())
		}
		if c.Err != nil {
			t.Errorf("the sections of what the engine is handed: %v", c.Err)
		}
	})
}
