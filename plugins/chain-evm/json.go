package main

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds on a document. A receipt of a batch holds a few hundred logs of some ten values.
const (
	jsonDepthMax   = 16
	jsonValuesMax  = 10_000
	jsonMembersMax = 64
)

type jsonKind uint8

const (
	jsonAbsent jsonKind = iota
	jsonNull
	jsonTrue
	jsonFalse
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is one value of a document. The zero value stands for a member that is not there, so that lookups may
// be chained and tested once.
type jsonValue struct {
	kind   jsonKind
	raw    string // of strings the unescaped text, of numbers the source
	inside *jsonInside
}

// jsonInside is what an array or an object holds. It stands apart because most values hold nothing, and their size decides
// whether a document full of them makes the guest collect garbage.
type jsonInside struct {
	names    []string // of an object's members
	children []jsonValue
}

func (v jsonValue) member(name string) jsonValue {
	if v.kind != jsonObject {
		return jsonValue{}
	}
	for i, n := range v.inside.names {
		if n == name {
			return v.inside.children[i]
		}
	}
	return jsonValue{}
}

func (v jsonValue) children() []jsonValue {
	if v.inside == nil {
		return nil
	}
	return v.inside.children
}

// text returns a string's text and "" for everything else.
func (v jsonValue) text() string {
	if v.kind != jsonString {
		return ""
	}
	return v.raw
}

// jsonReader is a strict RFC 8259 reader. It refuses repeated members, because two readers may take different ones
// of them, and whatever goes beyond the bounds above.
type jsonReader struct {
	rest   string
	values int
	failed bool
}

func parseJSON(document []byte) (jsonValue, bool) {
	if !utf8.Valid(document) {
		return jsonValue{}, false
	}
	r := jsonReader{rest: string(document)}
	v := r.value(0)
	r.space()
	return v, !r.failed && r.rest == ""
}

func (r *jsonReader) fail() jsonValue {
	r.failed, r.rest = true, ""
	return jsonValue{}
}

func (r *jsonReader) space() {
	i := 0
	for i < len(r.rest) && (r.rest[i] == ' ' || r.rest[i] == '\n' || r.rest[i] == '\t' || r.rest[i] == '\r') {
		i++
	}
	r.rest = r.rest[i:]
}

// take consumes one character when it is the next.
func (r *jsonReader) take(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *jsonReader) value(depth int) jsonValue {
	r.space()
	if r.values++; r.values > jsonValuesMax || depth > jsonDepthMax || r.rest == "" {
		return r.fail()
	}
	switch r.rest[0] {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return jsonValue{kind: jsonString, raw: r.string()}
	case 'n':
		return r.word("null", jsonNull)
	case 't':
		return r.word("true", jsonTrue)
	case 'f':
		return r.word("false", jsonFalse)
	default:
		return r.number()
	}
}

func (r *jsonReader) word(word string, kind jsonKind) jsonValue {
	if len(r.rest) < len(word) || r.rest[:len(word)] != word {
		return r.fail()
	}
	r.rest = r.rest[len(word):]
	return jsonValue{kind: kind}
}

func (r *jsonReader) object(depth int) jsonValue {
	inside := new(jsonInside)
	v := jsonValue{kind: jsonObject, inside: inside}
	r.take('{')
	r.space()
	if r.take('}') {
		return v
	}
	for {
		r.space()
		if r.rest == "" || r.rest[0] != '"' || len(inside.names) == jsonMembersMax {
			return r.fail()
		}
		name := r.string()
		r.space()
		if v.member(name).kind != jsonAbsent || !r.take(':') {
			return r.fail()
		}
		inside.names, inside.children = append(inside.names, name), append(inside.children, r.value(depth+1))
		r.space()
		if r.take('}') {
			return v
		}
		if !r.take(',') {
			return r.fail()
		}
	}
}

func (r *jsonReader) array(depth int) jsonValue {
	inside := new(jsonInside)
	v := jsonValue{kind: jsonArray, inside: inside}
	r.take('[')
	r.space()
	if r.take(']') {
		return v
	}
	for {
		inside.children = append(inside.children, r.value(depth+1))
		r.space()
		if r.take(']') {
			return v
		}
		if !r.take(',') {
			return r.fail()
		}
	}
}

// number checks the grammar -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? and keeps the source.
func (r *jsonReader) number() jsonValue {
	source := r.rest
	r.take('-')
	if !r.take('0') && !r.digits() {
		return r.fail()
	}
	if r.take('.') && !r.digits() {
		return r.fail()
	}
	if r.take('e') || r.take('E') {
		if !r.take('+') {
			r.take('-')
		}
		if !r.digits() {
			return r.fail()
		}
	}
	return jsonValue{kind: jsonNumber, raw: source[:len(source)-len(r.rest)]}
}

func (r *jsonReader) digits() bool {
	i := 0
	for i < len(r.rest) && r.rest[i] >= '0' && r.rest[i] <= '9' {
		i++
	}
	r.rest = r.rest[i:]
	return i > 0
}

func (r *jsonReader) string() string {
	r.take('"')
	var text []byte
	for {
		plain := 0 // what needs no second look is most of a string
		for plain < len(r.rest) && r.rest[plain] != '"' && r.rest[plain] != '\\' && r.rest[plain] >= 0x20 {
			plain++
		}
		before := r.rest[:plain]
		r.rest = r.rest[plain:]
		switch {
		case r.take('"'):
			if text == nil {
				return before
			}
			return string(append(text, before...))
		case r.take('\\'):
			text = r.escape(append(text, before...))
		default: // a control character, or the end
			r.fail()
			return ""
		}
	}
}

func (r *jsonReader) escape(text []byte) []byte {
	if r.rest == "" {
		return text
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range len(from) {
		if c == from[i] {
			return append(text, to[i])
		}
	}
	if c != 'u' {
		r.fail()
		return text
	}
	unit := r.unit()
	if utf16.IsSurrogate(unit) {
		if !r.take('\\') || !r.take('u') {
			r.fail()
		}
		if unit = utf16.DecodeRune(unit, r.unit()); unit == utf8.RuneError {
			r.fail()
		}
	}
	return utf8.AppendRune(text, unit)
}

func (r *jsonReader) unit() rune {
	var raw [2]byte
	if len(r.rest) < 4 || !decodeInto(raw[:], r.rest[:4]) {
		r.fail()
		return 0
	}
	r.rest = r.rest[4:]
	return rune(raw[0])<<8 | rune(raw[1])
}
