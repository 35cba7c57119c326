// Package jsonread is a pull parser for JSON, written by hand because the fastest Extism guest an author can write in
// Go has no encoding/json in it. It refuses a document by Failed, which the caller asks once at the end; after a
// failure every read returns a zero and no loop goes on.
package jsonread

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// depthMax bounds nesting in Skip.
const depthMax = 64

// Reader reads one document from front to back. It is not safe for concurrent use.
type Reader struct {
	text   string
	at     int
	first  bool
	failed bool
}

// New returns a Reader of the document.
func New(document string) *Reader { return &Reader{text: document} }

// Failed says whether anything was not as asked, or text is left over.
func (r *Reader) Failed() bool {
	r.space()
	return r.failed || r.at != len(r.text)
}

func (r *Reader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n' || r.text[r.at] == '\t' || r.text[r.at] == '\r') {
		r.at++
	}
}

func (r *Reader) peek() byte {
	r.space()
	if r.failed || r.at >= len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *Reader) take(c byte) bool {
	if r.peek() != c {
		r.failed = true
		return false
	}
	r.at++
	return true
}

// Enter reads '{' or '['.
func (r *Reader) Enter(open byte) { r.first = r.take(open) }

// More says whether another member comes before the closing '}' or ']', which it reads.
func (r *Reader) More(closing byte) bool {
	first := r.first
	r.first = false
	switch r.peek() {
	case closing:
		r.at++
		return false
	case 0:
		r.failed = true
		return false
	}
	return first || r.take(',')
}

// Key reads a member's name and the colon.
func (r *Reader) Key() string {
	key := r.Text()
	r.take(':')
	return key
}

// Text reads a string. One without escapes is a piece of the document, not a copy.
func (r *Reader) Text() string {
	if !r.take('"') {
		return ""
	}
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1]
		case c == '\\':
			return r.unescape(start)
		case c < ' ':
			r.failed = true
			return ""
		}
	}
	r.failed = true
	return ""
}

func (r *Reader) unescape(start int) string {
	out := []byte(r.text[start:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(out)
		case c < ' ':
			r.failed = true
			return ""
		case c != '\\':
			out = append(out, c)
		default:
			out = r.escape(out)
		}
		if r.failed {
			return ""
		}
	}
	r.failed = true
	return ""
}

func (r *Reader) escape(out []byte) []byte {
	if r.at >= len(r.text) {
		r.failed = true
		return out
	}
	c := r.text[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		unit := r.hex4()
		if utf16.IsSurrogate(unit) {
			if len(r.text)-r.at < 6 || r.text[r.at] != '\\' || r.text[r.at+1] != 'u' {
				r.failed = true
				return out
			}
			r.at += 2
			unit = utf16.DecodeRune(unit, r.hex4())
			r.failed = r.failed || unit == utf8.RuneError
		}
		return utf8.AppendRune(out, unit)
	}
	r.failed = true
	return out
}

func (r *Reader) hex4() rune {
	if len(r.text)-r.at < 4 {
		r.failed = true
		return 0
	}
	n, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	r.failed = r.failed || err != nil
	r.at += 4
	return rune(n)
}

// Uint reads a whole number below 2^64.
func (r *Reader) Uint() uint64 {
	r.space()
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	n, err := strconv.ParseUint(r.text[start:r.at], 10, 64)
	r.failed = r.failed || err != nil
	return n
}

// Skip passes over one value of any type.
func (r *Reader) Skip() { r.skip(depthMax) }

func (r *Reader) skip(depth int) {
	switch c := r.peek(); {
	case depth == 0:
		r.failed = true
	case c == '"':
		r.Text()
	case c == '{':
		for r.Enter('{'); r.More('}'); {
			r.Key()
			r.skip(depth - 1)
		}
	case c == '[':
		for r.Enter('['); r.More(']'); {
			r.skip(depth - 1)
		}
	default:
		start := r.at
		for r.at < len(r.text) && isScalar(r.text[r.at]) {
			r.at++
		}
		r.failed = r.failed || r.at == start
	}
}

// isScalar says whether a byte can stand in a number, true, false or null. Which of them it is matters to nobody here.
func isScalar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}
