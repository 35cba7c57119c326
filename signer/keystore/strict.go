package keystore

import "encoding/binary"

// reader takes fields from the front. After a first failure everything it returns is empty, so that a decoder checks
// once, at its end, with done: one encoding, nothing missing, nothing left over.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) fail() { r.rest, r.failed = nil, true }

// done reports whether all fields were there and nothing follows them.
func (r *reader) done() bool { return !r.failed && len(r.rest) == 0 }

// fixed aliases the input.
func (r *reader) fixed(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail()
		return nil
	}
	field := r.rest[:n:n]
	r.rest = r.rest[n:]
	return field
}

// word reads a number of 1 to 8 bytes, big endian.
func (r *reader) word(size int) uint64 {
	var number uint64
	for _, b := range r.fixed(size) {
		number = number<<8 | uint64(b)
	}
	return number
}

func (r *reader) u8() uint8   { return uint8(r.word(1)) }  //nolint:gosec // one byte was read
func (r *reader) u32() uint32 { return uint32(r.word(4)) } //nolint:gosec // four bytes were read
func (r *reader) u64() uint64 { return r.word(8) }

// sized reads a length of lengthBytes bytes and that many bytes, refusing more than bytesMax. It aliases the input.
func (r *reader) sized(lengthBytes, bytesMax int) []byte {
	length := r.word(lengthBytes)
	if length > uint64(max(bytesMax, 0)) {
		r.fail()
		return nil
	}
	return r.fixed(int(length)) //nolint:gosec // at most bytesMax
}

func (r *reader) text(bytesMax int) string { return string(r.sized(1, bytesMax)) }

// expect reads a constant.
func (r *reader) expect(constant string) {
	if string(r.fixed(len(constant))) != constant {
		r.fail()
	}
}

// The callers of these have checked the lengths; a field never outgrows its length.

func appendText(data []byte, text string) []byte {
	return append(append(data, byte(len(text))), text...) //nolint:gosec // see above
}

func appendSized16(data, field []byte) []byte {
	data = binary.BigEndian.AppendUint16(data, uint16(len(field))) //nolint:gosec // see above
	return append(data, field...)
}

func appendSized32(data, field []byte) []byte {
	data = binary.BigEndian.AppendUint32(data, uint32(len(field))) //nolint:gosec // see above
	return append(data, field...)
}
