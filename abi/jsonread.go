package abi

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON strictly: RFC 8259 and I-JSON (RFC 7493). It refuses
// repeated member names, lone surrogates, invalid UTF-8 and deep nesting,
// because a document that two parsers read differently is a way around a
// policy. It is not safe for concurrent use. The first failure sticks.
type jsonReader struct {
	b     []byte
	at    int
	depth int
	err   error
}

func (r *jsonReader) fail(problem string) {
	if r.err == nil {
		r.err = &Error{Code: "json_invalid", Message: problem, Where: "byte " + strconv.Itoa(r.at)}
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *jsonReader) peek() byte {
	for r.at < len(r.b) {
		switch c := r.b[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// take consumes c or fails.
func (r *jsonReader) take(c byte) bool {
	if r.err == nil && r.peek() != c {
		r.fail("want " + strconv.QuoteRune(rune(c)))
	}
	if r.err == nil {
		r.at++
	}
	return r.err == nil
}

// end fails unless the document is over.
func (r *jsonReader) end() {
	if r.err == nil && (r.peek() != 0 || r.at < len(r.b)) {
		r.fail("something stands behind the document")
	}
}

func (r *jsonReader) enter() bool {
	r.depth++
	if r.depth > JSONDepthMax {
		r.fail("nested deeper than " + strconv.Itoa(JSONDepthMax))
	}
	return r.err == nil
}

// object calls member for each name; member reads the value.
func (r *jsonReader) object(member func(name string)) {
	if !r.take('{') || !r.enter() {
		return
	}
	seen := map[string]bool{}
	for r.peek() != '}' && r.err == nil {
		if len(seen) > 0 && !r.take(',') {
			return
		}
		name := r.text()
		if seen[name] {
			r.fail("member " + strconv.Quote(clip(name)) + " stands twice")
		}
		seen[name] = true
		if r.take(':') {
			member(name)
		}
	}
	r.take('}')
	r.depth--
}

// array calls element before each element; element reads it.
func (r *jsonReader) array(element func(index int)) {
	if !r.take('[') || !r.enter() {
		return
	}
	for i := 0; r.peek() != ']' && r.err == nil; i++ {
		if i > 0 && !r.take(',') {
			return
		}
		if i == WireRepeatedMax {
			r.fail("array has more than " + strconv.Itoa(WireRepeatedMax) + " elements")
			return
		}
		element(i)
	}
	r.take(']')
	r.depth--
}

// word consumes true, false or null.
func (r *jsonReader) word(word string) bool {
	r.peek()
	if !strings.HasPrefix(string(r.b[r.at:min(r.at+len(word), len(r.b))]), word) {
		r.fail("want " + word)
		return false
	}
	r.at += len(word)
	return r.err == nil
}

// integer reads a whole number in its only spelling and returns that spelling.
func (r *jsonReader) integer() string {
	r.peek()
	start := r.at
	if r.at < len(r.b) && r.b[r.at] == '-' {
		r.at++
	}
	digits := r.at
	for r.at < len(r.b) && isDigit(r.b[r.at]) {
		r.at++
	}
	text := string(r.b[start:r.at])
	switch {
	case r.at == digits:
		r.fail("want a value")
	case r.b[digits] == '0' && (r.at > digits+1 || digits > start):
		r.fail("number has a leading zero or is minus zero")
	case r.at < len(r.b) && strings.IndexByte(".eE", r.b[r.at]) >= 0:
		r.fail("number is not written as an integer; write amounts as strings")
	case r.at-digits > 16:
		r.fail("integer is above 2^53-1; write it as a string")
	default:
		if n, err := strconv.ParseUint(string(r.b[digits:r.at]), 10, 64); err != nil || n > JSONIntegerMax {
			r.fail("integer is above 2^53-1; write it as a string")
		}
	}
	return text
}

// text reads a string.
func (r *jsonReader) text() string {
	if !r.take('"') {
		return ""
	}
	var out []byte
	for r.at < len(r.b) && r.err == nil {
		switch c := r.b[r.at]; {
		case c == '"':
			r.at++
			if !utf8.Valid(out) {
				r.fail("string is not UTF-8")
			}
			return string(out)
		case c < 0x20:
			r.fail("string holds a control character")
		case c == '\\':
			r.at++
			out = r.escape(out)
		default:
			out = append(out, c)
			r.at++
		}
	}
	r.fail("string does not end")
	return ""
}

var jsonEscapes = map[byte]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads what follows a backslash.
func (r *jsonReader) escape(out []byte) []byte {
	if r.at == len(r.b) {
		return out
	}
	c := r.b[r.at]
	r.at++
	if plain, ok := jsonEscapes[c]; ok {
		return append(out, plain)
	}
	if c != 'u' {
		r.fail("unknown escape")
		return out
	}
	unit := r.hex4()
	if !utf16.IsSurrogate(unit) {
		return utf8.AppendRune(out, unit)
	}
	if r.at+1 < len(r.b) && r.b[r.at] == '\\' && r.b[r.at+1] == 'u' {
		r.at += 2
		if pair := utf16.DecodeRune(unit, r.hex4()); pair != utf8.RuneError {
			return utf8.AppendRune(out, pair)
		}
	}
	r.fail("surrogate without its other half")
	return out
}

func (r *jsonReader) hex4() rune {
	if len(r.b)-r.at < 4 {
		r.fail("escape is cut short")
		return 0
	}
	unit, err := strconv.ParseUint(string(r.b[r.at:r.at+4]), 16, 16)
	if err != nil {
		r.fail("escape is not hexadecimal")
		return 0
	}
	r.at += 4
	return rune(unit)
}

// clip shortens a peer's text for an error message.
func clip(s string) string {
	const shown = 60
	if len(s) > shown {
		return s[:shown]
	}
	return s
}
