package abi

import "unicode/utf8"

// Limits of the wire format. Encoder and decoder enforce the same ones, so that
// what Marshal accepts Unmarshal reads.
const (
	// WireIntegerMax is the largest integer of the wire format: the largest that
	// every JSON reader keeps exact.
	WireIntegerMax = 1<<53 - 1
	// WireMessageBytesMax bounds one top-level message. The limits of a plugin
	// call are far below it.
	WireMessageBytesMax = 4 << 20
	// WireRepeatedMax bounds the elements of one repeated field, because two
	// bytes on the wire can become a hundred in memory.
	WireRepeatedMax = 16_384
)

// The wire types of the subset. Everything else is refused.
const (
	wireVarint = 0
	wireBytes  = 2
)

// wireEncoder appends fields in the order it is called, which the generated code
// keeps ascending. The first failure sticks, so that encoders read straight.
type wireEncoder struct {
	b   []byte
	err error
}

// usualMessageBytes is room for most messages, so that few are moved while they are written.
const usualMessageBytes = 1024

func newWireEncoder() wireEncoder { return wireEncoder{b: make([]byte, 0, usualMessageBytes)} }

func (e *wireEncoder) fail(where, problem string) {
	if e.err == nil {
		e.err = badMessage(where, problem)
	}
}

func (e *wireEncoder) finish(message string) ([]byte, error) {
	if len(e.b) > WireMessageBytesMax {
		e.fail(message, "message is larger than WireMessageBytesMax")
	}
	if e.err != nil {
		return nil, e.err
	}
	return e.b, nil
}

func (e *wireEncoder) varint(v uint64) {
	for v >= 0x80 {
		e.b = append(e.b, byte(v)|0x80)
		v >>= 7
	}
	e.b = append(e.b, byte(v))
}

func (e *wireEncoder) uint(field uint64, where string, v uint64) {
	if v != 0 {
		e.uintElement(field, where, v)
	}
}

func (e *wireEncoder) uintElement(field uint64, where string, v uint64) {
	if v > WireIntegerMax {
		e.fail(where, "number is above 2^53-1")
	}
	e.varint(field<<3 | wireVarint)
	e.varint(v)
}

func (e *wireEncoder) enum(field uint64, where string, v, last uint8) {
	if v > last {
		e.fail(where, "enum value is not known")
	}
	e.uint(field, where, uint64(v))
}

func (e *wireEncoder) bool(field uint64, v bool) {
	if v {
		e.varint(field<<3 | wireVarint)
		e.b = append(e.b, 1)
	}
}

func (e *wireEncoder) text(field uint64, where, s string) {
	if s != "" {
		e.textElement(field, where, s)
	}
}

func (e *wireEncoder) textElement(field uint64, where, s string) {
	if !utf8.ValidString(s) {
		e.fail(where, "text is not UTF-8")
	}
	e.varint(field<<3 | wireBytes)
	e.varint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *wireEncoder) bytes(field uint64, v []byte) {
	if len(v) > 0 {
		e.bytesElement(field, v)
	}
}

func (e *wireEncoder) bytesElement(field uint64, v []byte) {
	e.varint(field<<3 | wireBytes)
	e.varint(uint64(len(v)))
	e.b = append(e.b, v...)
}

func (e *wireEncoder) amount(field uint64, a Amount) {
	if a.IsZero() {
		return
	}
	mark := e.begin(field)
	decimal := e.begin(1)
	e.b = a.appendDecimal(e.b)
	e.end(decimal)
	word := a.Word()
	zeros := 0
	for word[zeros] == 0 {
		zeros++
	}
	e.bytes(2, word[zeros:])
	e.end(mark)
}

// spelled reports whether decimal is how the amount is written.
func (a Amount) spelled(decimal []byte) bool {
	var digits [5 * amountChunkDigits]byte
	return string(a.appendDecimal(digits[:0])) == string(decimal)
}

func (e *wireEncoder) count(where string, n int) {
	if n > WireRepeatedMax {
		e.fail(where, "field is repeated more than WireRepeatedMax times")
	}
}

// begin opens a nested message and returns where its content starts.
func (e *wireEncoder) begin(field uint64) (mark int) {
	e.varint(field<<3 | wireBytes)
	e.b = append(e.b, 0) // most lengths fit in this byte
	return len(e.b)
}

// end writes the length of the message that begin opened, moving the content
// when the length needs more than the byte kept for it.
func (e *wireEncoder) end(mark int) {
	size := len(e.b) - mark
	prefix := 1
	for rest := size >> 7; rest > 0; rest >>= 7 {
		prefix++
	}
	for range prefix - 1 {
		e.b = append(e.b, 0)
	}
	copy(e.b[mark+prefix-1:], e.b[mark:mark+size])
	at := mark - 1
	for ; size >= 0x80; size >>= 7 {
		e.b[at] = byte(size) | 0x80
		at++
	}
	e.b[at] = byte(size) // #nosec G115 -- below 0x80 after the loop
}

// wireDecoder walks the fields of one message. After next, exactly one of its
// readers consumes the field. The first failure sticks and ends the walk.
type wireDecoder struct {
	message string
	rest    []byte
	field   uint64
	kind    uint64
	value   uint64 // of a varint field
	data    []byte // of a length-delimited field; aliases the input
	again   bool   // the field before had the same number
	err     error
}

func (d *wireDecoder) fail(where, problem string) {
	if d.err == nil {
		d.err = badWire(where, problem)
	}
}

// next reads a field's tag and content.
func (d *wireDecoder) next() bool {
	if d.err != nil || len(d.rest) == 0 {
		return false
	}
	tag := d.varint()
	field := tag >> 3
	d.kind = tag & 7
	if d.err == nil && (field == 0 || field < d.field) {
		d.fail(d.message, "fields do not ascend")
	}
	d.again = field == d.field
	d.field = field
	d.data = nil
	switch d.kind {
	case wireVarint:
		d.value = d.varint()
	case wireBytes:
		size := d.varint()
		if d.err == nil && size > uint64(len(d.rest)) {
			d.fail(d.message, "field ends behind its message")
		}
		if d.err == nil {
			d.data, d.rest = d.rest[:size], d.rest[size:]
		}
	default:
		d.fail(d.message, "wire type is outside the subset")
	}
	return d.err == nil
}

func (d *wireDecoder) varint() uint64 {
	var v uint64
	for i, c := range d.rest {
		v |= uint64(c&0x7f) << (7 * i)
		if v > WireIntegerMax || i == 8 {
			break
		}
		if c < 0x80 {
			if c == 0 && i > 0 {
				d.fail(d.message, "varint is not minimal")
			}
			d.rest = d.rest[i+1:]
			return v
		}
	}
	if v > WireIntegerMax || len(d.rest) > 8 {
		d.fail(d.message, "varint is above 2^53-1 or not minimal")
	} else {
		d.fail(d.message, "varint is cut short")
	}
	return 0
}

// singular checks the wire type of a field that may stand once.
func (d *wireDecoder) singular(where string, kind uint64) bool {
	if d.again {
		d.fail(where, "field stands twice")
	}
	return d.typed(where, kind)
}

func (d *wireDecoder) typed(where string, kind uint64) bool {
	if d.kind != kind {
		d.fail(where, "field has another wire type")
	}
	return d.err == nil
}

func (d *wireDecoder) element(where string, kind uint64, before int) bool {
	if before >= WireRepeatedMax {
		d.fail(where, "field is repeated more than WireRepeatedMax times")
	}
	return d.typed(where, kind)
}

func (d *wireDecoder) uint(where string) uint64 {
	if !d.singular(where, wireVarint) {
		return 0
	}
	if d.value == 0 {
		d.fail(where, "zero is not written")
	}
	return d.value
}

func (d *wireDecoder) bool(where string) bool {
	v := d.uint(where)
	if v > 1 {
		d.fail(where, "bool is neither 0 nor 1")
	}
	return v == 1
}

func (d *wireDecoder) enum(where string, last uint8) uint8 {
	v := d.uint(where)
	if v > uint64(last) {
		d.fail(where, "enum value is not known")
		return 0
	}
	return uint8(v) // #nosec G115 -- at most last
}

func (d *wireDecoder) text(where string) string {
	if d.singular(where, wireBytes) && len(d.data) == 0 {
		d.fail(where, "empty text is not written")
	}
	return d.utf8(where)
}

func (d *wireDecoder) textElement(where string, before int) string {
	d.element(where, wireBytes, before)
	return d.utf8(where)
}

func (d *wireDecoder) utf8(where string) string {
	if !utf8.Valid(d.data) {
		d.fail(where, "text is not UTF-8")
	}
	return string(d.data)
}

// view returns the content of a field of bytes, aliasing the input.
func (d *wireDecoder) view(where string) []byte {
	if d.singular(where, wireBytes) && len(d.data) == 0 {
		d.fail(where, "empty bytes are not written")
	}
	return d.data
}

func (d *wireDecoder) bytes(where string) []byte { return append([]byte(nil), d.view(where)...) }

func (d *wireDecoder) inner(where string) ([]byte, bool) {
	return d.data, d.singular(where, wireBytes)
}

func (d *wireDecoder) messageElement(where string, before int) ([]byte, bool) {
	return d.data, d.element(where, wireBytes, before)
}

// amount reads the Amount message and requires that both spellings agree:
// otherwise a host that reads one and a guest that reads the other would judge
// different prices.
func (d *wireDecoder) amount(where string) Amount {
	if d.singular(where, wireBytes) && len(d.data) == 0 {
		d.fail(where, "zero amount is not written")
	}
	if d.err != nil {
		return Amount{}
	}
	inner := wireDecoder{message: where, rest: d.data}
	var decimal, bigEndian []byte // both alias the input
	for inner.next() {
		switch inner.field {
		case 1:
			decimal = inner.view(where)
		case 2:
			bigEndian = inner.view(where)
		default:
			inner.fail(where, "field is not known")
		}
	}
	d.err = inner.err
	a, err := AmountFromBytes(bigEndian)
	if err != nil {
		d.fail(where, "amount is not the shortest form of a uint256")
	} else if a.IsZero() || !a.spelled(decimal) {
		d.fail(where, "decimal and big-endian amount differ")
	}
	if d.err != nil {
		return Amount{}
	}
	return a
}

// unknown meets a field that the schema does not have.
func (d *wireDecoder) unknown() {
	if !skipUnknownFields {
		d.fail(d.message, "field is not known")
	}
}

func checkMessageSize(message string, b []byte) error {
	if len(b) > WireMessageBytesMax {
		return badWire(message, "message is larger than WireMessageBytesMax")
	}
	return nil
}
