package abi

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// viewWriter writes the JSON view: zero values left out, members in field order,
// strings escaped as RFC 8785 does. The first failure sticks.
type viewWriter struct {
	b   []byte
	err error
}

func (w *viewWriter) fail(where, problem string) {
	if w.err == nil {
		w.err = badMessage(where, problem)
	}
}

func (w *viewWriter) finish() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

func (w *viewWriter) open(bracket byte)  { w.b = append(w.b, bracket) }
func (w *viewWriter) close(bracket byte) { w.b = append(w.b, bracket) }

// member starts a member named by the part of where behind the point.
func (w *viewWriter) member(where string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	_, name, _ := strings.Cut(where, ".")
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *viewWriter) list(where string) {
	w.member(where)
	w.open('[')
}

func (w *viewWriter) element(index int) {
	if index > 0 {
		w.b = append(w.b, ',')
	}
}

func (w *viewWriter) text(where, s string) {
	if s != "" {
		w.member(where)
		w.string(where, s)
	}
}

func (w *viewWriter) string(where, s string) {
	if !utf8.ValidString(s) {
		w.fail(where, "text is not UTF-8")
	}
	w.b = appendJSONString(w.b, s)
}

func (w *viewWriter) bytes(where string, v []byte) {
	if len(v) > 0 {
		w.text(where, hex.EncodeToString(v))
	}
}

func (w *viewWriter) bool(where string, v bool) {
	if v {
		w.member(where)
		w.b = append(w.b, "true"...)
	}
}

func (w *viewWriter) uint(where string, v uint64) {
	if v != 0 {
		w.member(where)
		w.number(where, v)
	}
}

func (w *viewWriter) number(where string, v uint64) {
	if v > WireIntegerMax {
		w.fail(where, "number is above 2^53-1")
	}
	w.b = strconv.AppendUint(w.b, v, 10)
}

func (w *viewWriter) enum(where string, v uint8, names []string) {
	if int(v) >= len(names) {
		w.fail(where, "enum value is not known")
	} else if v != 0 {
		w.text(where, names[v])
	}
}

func (w *viewWriter) amount(where string, a Amount) {
	if !a.IsZero() {
		w.text(where, a.String())
	}
}

func (w *viewWriter) textList(where string, list []string) {
	if len(list) == 0 {
		return
	}
	w.list(where)
	for i, s := range list {
		w.element(i)
		w.string(where, s)
	}
	w.close(']')
}

// viewReader reads the JSON view. It takes members in any order and explicit
// zeros, because people write fixtures; it takes nothing unknown.
type viewReader struct{ json jsonReader }

func newViewReader(data []byte) *viewReader {
	r := &viewReader{jsonReader{b: data}}
	// Hexadecimal doubles bytes, and names and quotes add to it.
	if len(data) > 4*WireMessageBytesMax {
		r.json.fail("document is larger than four times WireMessageBytesMax")
	}
	return r
}

func (r *viewReader) finish() error {
	r.json.end()
	return r.json.err
}

// check reports whether reading went well so far, and says where it did not.
func (r *viewReader) check(where string) bool {
	if e, ok := r.json.err.(*Error); ok && !strings.Contains(e.Where, ".") { //nolint:errorlint // set by this file, never wrapped
		e.Where = where + ", " + e.Where
	}
	return r.json.err == nil
}

func (r *viewReader) object(message string, member func(name string)) {
	r.json.object(member)
	r.check(message)
}

func (r *viewReader) unknown(message, member string) {
	r.json.fail(message + " has no member " + strconv.Quote(clip(member)))
}

func (r *viewReader) list(where string, element func()) {
	r.json.array(func(int) { element() })
	r.check(where)
}

func (r *viewReader) text(where string) string {
	s := r.json.text()
	r.check(where)
	return s
}

func (r *viewReader) bytes(where string) []byte {
	s := r.text(where)
	v, err := hex.DecodeString(s)
	if err != nil || strings.ToLower(s) != s {
		r.json.fail("bytes are not lower-case hexadecimal")
		r.check(where)
		return nil
	}
	if len(v) == 0 {
		return nil
	}
	return v
}

func (r *viewReader) bool(where string) bool {
	v := r.json.peek() == 't'
	if v {
		r.json.word("true")
	} else {
		r.json.word("false")
	}
	r.check(where)
	return v
}

func (r *viewReader) uint(where string) uint64 {
	text := r.json.integer()
	if !r.check(where) {
		return 0
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.json.fail("want a number from 0 to 2^53-1")
		r.check(where)
	}
	return v
}

func (r *viewReader) enum(where string, names []string) uint8 {
	s := r.text(where)
	for i, name := range names {
		if s == name {
			return uint8(i)
		}
	}
	r.json.fail(strconv.Quote(clip(s)) + " is not one of " + strings.Join(names, ", "))
	r.check(where)
	return 0
}

func (r *viewReader) amount(where string) Amount {
	s := r.text(where)
	a, err := ParseAmount(s)
	if err != nil {
		r.json.fail(strconv.Quote(clip(s)) + " is not an amount: decimal digits in a string")
		r.check(where)
	}
	return a
}

const lowerHex = "0123456789abcdef"

// appendJSONString writes s in RFC 8785's only spelling: two-character escapes
// where JSON has them, \u00xx for other control characters, all else as it is.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			if c < 0x20 {
				b = append(b, '\\', 'u', '0', '0', lowerHex[c>>4], lowerHex[c&15])
			} else {
				b = append(b, c)
			}
		}
	}
	return append(b, '"')
}
