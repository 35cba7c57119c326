package wasm

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestNumbersReadBackAsWritten(t *testing.T) {
	for _, v := range []uint32{0, 1, 127, 128, 1 << 14, 1<<21 - 1, math.MaxUint32} {
		c := &Cursor{Data: AppendU32(nil, v)}
		if got := c.U32(); got != v || c.Err != nil || c.Left() != 0 {
			t.Errorf("%d reads as %d, %v", v, got, c.Err)
		}
	}
	for want, data := range map[int64][]byte{0: {0}, -64: {0x40}, 63: {0x3f}, 64: {0xc0, 0}, -65: {0xbf, 0x7f}, 1<<32 - 1: {0xff, 0xff, 0xff, 0xff, 0x0f}} {
		c := &Cursor{Data: data}
		if got := c.S33(); got != want || c.Err != nil {
			t.Errorf("%x reads as %d, want %d, %v", data, got, want, c.Err)
		}
	}
}

func TestBadNumbersFailAndStayFailed(t *testing.T) {
	for name, data := range map[string][]byte{
		"cut": {0x80}, "nothing": {}, "too long": {0x80, 0x80, 0x80, 0x80, 0x80, 0}, "above 32 bits": {0xff, 0xff, 0xff, 0xff, 0x1f},
	} {
		c := &Cursor{Data: append(data, 1, 2, 3)[:len(data)]}
		if got := c.U32(); got != 0 || c.Err == nil {
			t.Errorf("%s: %d, %v", name, got, c.Err)
		}
		if first := c.Err; c.Byte() != 0 || !errors.Is(c.Err, first) || c.More() {
			t.Errorf("%s: reads on after %v", name, first)
		}
	}
}

// TestTheOpcodeTableEndsWhereTheFormatDoes lists every one-byte opcode of WebAssembly 2.0 without SIMD.
func TestTheOpcodeTableEndsWhereTheFormatDoes(t *testing.T) {
	known := func(first, last int) []byte {
		var all []byte
		for code := first; code <= last; code++ {
			all = append(all, byte(code))
		}
		return all
	}
	want := bytes.Join([][]byte{known(0x00, 0x05), known(0x0b, 0x11), known(0x1a, 0x1c), known(0x20, 0x26), known(0x28, 0xc4), known(0xd0, 0xd2)}, nil)
	for code := range Ops {
		if has := Ops[code].Immediate != Unsupported; has != bytes.Contains(want, []byte{byte(code)}) {
			t.Errorf("opcode %#x supported: %v", code, has)
		}
		if Ops[code].Immediate == Unsupported && Ops[code] != (Op{}) {
			t.Errorf("opcode %#x is not supported, but has properties", code)
		}
	}
	for code, op := range PrefixedOps {
		if op.Immediate == Unsupported {
			t.Errorf("opcode 0xfc %d is missing", code)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte{0, 0x41, 0, 0x0b, 2, 1, 2})
	f.Add([]byte{5, 0x70, 1, 0xd2, 7, 0x0b})
	f.Add([]byte{1, 1, 2, 3, 0x80, 0x80, 0x80, 0x80, 0x10})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &Cursor{Data: data}
		for c.More() {
			before := c.Pos
			seen := 0
			entries := c.ElementSegment(c.Left(), func(uint32) { seen++ })
			c.Limits()
			c.Name()
			c.S33()
			if c.Err == nil && c.Pos <= before {
				t.Fatalf("stands still at %d", before)
			}
			if c.Pos > len(data) || entries > len(data) || seen > len(data) {
				t.Fatalf("%d entries and %d functions in %d bytes, at %d", entries, seen, len(data), c.Pos)
			}
		}
	})
}
