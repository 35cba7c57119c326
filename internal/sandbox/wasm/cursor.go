package wasm

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// NameBytesMax bounds the names of imports, exports and custom sections.
const NameBytesMax = 1024

const (
	leb32BytesMax = 5
	leb64BytesMax = 10
)

var (
	errTruncated = errors.New("truncated")
	errNumber    = errors.New("number too long")
)

// Cursor reads the binary format. The first error sticks in Err, moves Pos to the end and makes every later read return
// zero, so that a reader reads straight through and asks once. Counts must be bounded before they are looped over.
type Cursor struct {
	Data []byte
	Pos  int
	Err  error
}

// Fail records err unless something failed before.
func (c *Cursor) Fail(err error) {
	if c.Err == nil {
		c.Err = err
		c.Pos = len(c.Data)
	}
}

// More reports whether bytes are left and nothing failed.
func (c *Cursor) More() bool { return c.Err == nil && c.Pos < len(c.Data) }

// Left is the number of unread bytes. No vector in them has more entries, because an entry takes a byte at least.
func (c *Cursor) Left() int { return len(c.Data) - c.Pos }

// Byte reads one byte.
func (c *Cursor) Byte() byte {
	if c.Pos >= len(c.Data) {
		c.Fail(errTruncated)
		return 0
	}
	b := c.Data[c.Pos]
	c.Pos++
	return b
}

// U32 reads an unsigned LEB128 of at most 32 bits.
func (c *Cursor) U32() uint32 {
	if c.Pos < len(c.Data) && c.Data[c.Pos] < 0x80 {
		c.Pos++
		return uint32(c.Data[c.Pos-1])
	}
	return c.longU32()
}

func (c *Cursor) longU32() uint32 {
	var v uint64
	for i := range leb32BytesMax {
		b := c.Byte()
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if v > math.MaxUint32 {
				c.Fail(errors.New("number above 32 bits"))
				return 0
			}
			return uint32(v)
		}
	}
	c.Fail(errNumber)
	return 0
}

// S33 reads a signed LEB128 of at most 33 bits, the number of a block type.
func (c *Cursor) S33() int64 {
	var v int64
	for i := range leb32BytesMax {
		b := c.Byte()
		v |= int64(b&0x7f) << (7 * i)
		if b < 0x80 {
			shift := 64 - 7*(i+1)
			return v << shift >> shift
		}
	}
	c.Fail(errNumber)
	return 0
}

// S64 reads a signed LEB128 of at most 64 bits, and like SkipLEB leaves it to the engine to judge what is longer than its
// type allows.
func (c *Cursor) S64() int64 {
	var v int64
	for i := range leb64BytesMax {
		b := c.Byte()
		v |= int64(b&0x7f) << (7 * i)
		if b < 0x80 {
			shift := max(64-7*(i+1), 0)
			return v << shift >> shift
		}
	}
	c.Fail(errNumber)
	return 0
}

// SkipLEB passes over a LEB128 of any sign. Its value is for the engine to judge: what matters here is where it ends, and
// that the continuation bits alone decide.
func (c *Cursor) SkipLEB() {
	for range leb64BytesMax {
		if c.Byte() < 0x80 {
			return
		}
	}
	c.Fail(errNumber)
}

// Bytes returns the next n bytes, aliasing the module.
func (c *Cursor) Bytes(n uint32) []byte {
	if uint64(n) > uint64(len(c.Data)-c.Pos) { // #nosec G115 -- Pos never passes the end
		c.Fail(errTruncated)
		return nil
	}
	b := c.Data[c.Pos : c.Pos+int(n) : c.Pos+int(n)]
	c.Pos += int(n)
	return b
}

// Name reads a name of at most NameBytesMax bytes of UTF-8.
func (c *Cursor) Name() string {
	n := c.U32()
	if n > NameBytesMax {
		c.Fail(fmt.Errorf("name of %d bytes, at most %d", n, NameBytesMax))
		return ""
	}
	b := c.Bytes(n)
	if !utf8.Valid(b) {
		c.Fail(errors.New("name is not UTF-8"))
		return ""
	}
	return string(b)
}

// Count reads the length of a vector. wazero allocates vectors by their claimed length, and a claim of four billion
// entries ends the process, so every one of them is bounded here first.
func (c *Cursor) Count(what string, most int) int {
	n := c.U32()
	if uint64(n) > uint64(most) { // #nosec G115 -- most is never negative
		c.Fail(fmt.Errorf("%d %s, at most %d", n, what, most))
		return 0
	}
	return int(n)
}

// AppendU32 appends v as an unsigned LEB128.
func AppendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}
