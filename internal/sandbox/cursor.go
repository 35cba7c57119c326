package sandbox

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// cursor reads the Wasm binary format. The first error sticks and every later read returns zero, so that the scan
// reads straight through; counts are bounded by the caller before they are looped over.
type cursor struct {
	data []byte
	pos  int
	err  error
}

var errTruncated = errors.New("truncated")

const (
	leb32BytesMax = 5
	leb64BytesMax = 10
	nameBytesMax  = 1024
)

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
		c.pos = len(c.data)
	}
}

func (c *cursor) more() bool { return c.err == nil && c.pos < len(c.data) }

func (c *cursor) byte() byte {
	if c.pos >= len(c.data) {
		c.fail(errTruncated)
		return 0
	}
	b := c.data[c.pos]
	c.pos++
	return b
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (c *cursor) u32() uint32 {
	var v uint64
	for i := range leb32BytesMax {
		b := c.byte()
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if v > math.MaxUint32 {
				c.fail(errors.New("number above 32 bits"))
				return 0
			}
			return uint32(v)
		}
	}
	c.fail(errors.New("number too long"))
	return 0
}

// skipLEB passes over a LEB128 of any sign.
func (c *cursor) skipLEB() {
	for range leb64BytesMax {
		if c.byte() < 0x80 {
			return
		}
	}
	c.fail(errors.New("number too long"))
}

// bytes returns the next n bytes, aliasing the module.
func (c *cursor) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(c.data)-c.pos) { // #nosec G115 -- pos never passes the end
		c.fail(errTruncated)
		return nil
	}
	b := c.data[c.pos : c.pos+int(n)]
	c.pos += int(n)
	return b
}

func (c *cursor) name() string {
	n := c.u32()
	if n > nameBytesMax {
		c.fail(fmt.Errorf("name of %d bytes, at most %d", n, nameBytesMax))
		return ""
	}
	b := c.bytes(n)
	if !utf8.Valid(b) {
		c.fail(errors.New("name is not UTF-8"))
		return ""
	}
	return string(b)
}

// count reads the length of a vector. wazero allocates vectors by their claimed length, and a claim of four billion
// entries ends the process, so every one of them is bounded here first.
func (c *cursor) count(what string, most int) int {
	n := c.u32()
	if uint64(n) > uint64(most) { // #nosec G115 -- a constant of ours
		c.fail(fmt.Errorf("%d %s, at most %d", n, what, most))
		return 0
	}
	return int(n)
}
