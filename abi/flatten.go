package abi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// JSON types as JSONEntry.Type names them.
const (
	JSONObject = "object"
	JSONArray  = "array"
	JSONString = "string"
	JSONNumber = "number"
	JSONBool   = "bool"
	JSONNull   = "null"
)

// jsonNode is one value of a document that was read strictly.
type jsonNode struct {
	kind     string
	text     string     // as in JSONEntry.Text
	names    []string   // of an object's members, in the order of RFC 8785
	children []jsonNode // of an object or array
}

// CanonicalJSON rewrites a document in its only spelling (RFC 8785), so that
// equal documents have equal hashes. It refuses what two readers may read
// differently: repeated members, numbers that are not integers within 2^53-1,
// lone surrogates, nesting deeper than JSONDepthMax, more than ConfigBytesMax
// bytes or JSONEntriesMax values. Its errors have code json_invalid.
func CanonicalJSON(document []byte) ([]byte, error) {
	root, err := readJSON(document)
	if err != nil {
		return nil, err
	}
	return root.appendCanonical(nil), nil
}

// Flatten returns the canonical form of a document and one entry per value,
// depth first in canonical order, the root first with pointer "". Guests get
// the entries, so that none of them needs a JSON parser whose reading could
// differ from the host's. Limits and errors are CanonicalJSON's, and the pointers
// together have at most FlattenedBytesMax bytes.
func Flatten(document []byte) (canonical []byte, entries []JSONEntry, err error) {
	root, err := readJSON(document)
	if err != nil {
		return nil, nil, err
	}
	f := flattener{}
	f.add(root, "")
	if f.bytes > FlattenedBytesMax {
		return nil, nil, &Error{
			Code:    "json_invalid",
			Message: fmt.Sprintf("names are too long: flattened, the document has more than %d bytes", FlattenedBytesMax),
		}
	}
	return root.appendCanonical(nil), f.entries, nil
}

func readJSON(document []byte) (jsonNode, error) {
	r := jsonReader{b: document}
	if len(document) > ConfigBytesMax {
		r.fail(fmt.Sprintf("document has %d bytes, at most %d are read", len(document), ConfigBytesMax))
	}
	values := 0
	root := r.node(&values)
	r.end()
	return root, r.err
}

// node reads any value. values counts them over the whole document.
func (r *jsonReader) node(values *int) jsonNode {
	if *values++; *values > JSONEntriesMax {
		r.fail(fmt.Sprintf("document has more than %d values", JSONEntriesMax))
	}
	if r.err != nil {
		return jsonNode{}
	}
	switch r.peek() {
	case '{':
		return r.objectNode(values)
	case '[':
		n := jsonNode{kind: JSONArray}
		r.array(func(int) { n.children = append(n.children, r.node(values)) })
		return n
	case '"':
		return jsonNode{kind: JSONString, text: r.text()}
	case 't':
		r.word("true")
		return jsonNode{kind: JSONBool, text: "true"}
	case 'f':
		r.word("false")
		return jsonNode{kind: JSONBool, text: "false"}
	case 'n':
		r.word("null")
		return jsonNode{kind: JSONNull}
	default:
		return jsonNode{kind: JSONNumber, text: r.integer()}
	}
}

func (r *jsonReader) objectNode(values *int) jsonNode {
	type member struct {
		name  string
		value jsonNode
	}
	var members []member
	r.object(func(name string) { members = append(members, member{name, r.node(values)}) })
	slices.SortFunc(members, func(a, b member) int { return compareUTF16(a.name, b.name) })
	n := jsonNode{kind: JSONObject}
	for _, m := range members {
		n.names = append(n.names, m.name)
		n.children = append(n.children, m.value)
	}
	return n
}

// compareUTF16 is the order of RFC 8785 section 3.2.3, which differs from the
// order of UTF-8 bytes for characters above U+FFFF.
func compareUTF16(a, b string) int {
	return slices.CompareFunc(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)), cmp.Compare[uint16])
}

func (n jsonNode) appendCanonical(b []byte) []byte {
	switch n.kind {
	case JSONObject:
		b = append(b, '{')
		for i, child := range n.children {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, n.names[i]), ':')
			b = child.appendCanonical(b)
		}
		return append(b, '}')
	case JSONArray:
		b = append(b, '[')
		for i, child := range n.children {
			if i > 0 {
				b = append(b, ',')
			}
			b = child.appendCanonical(b)
		}
		return append(b, ']')
	case JSONString:
		return appendJSONString(b, n.text)
	case JSONNull:
		return append(b, "null"...)
	default:
		return append(b, n.text...)
	}
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// flattener collects entries. Every pointer repeats the names above it, so a
// small document with long names deep down would flatten to a gigabyte: it stops
// collecting once bytes is above FlattenedBytesMax.
type flattener struct {
	entries []JSONEntry
	bytes   int
}

func (f *flattener) add(n jsonNode, pointer string) {
	f.bytes += len(pointer) + len(n.text)
	if f.bytes > FlattenedBytesMax {
		return
	}
	f.entries = append(f.entries, JSONEntry{Pointer: pointer, Type: n.kind, Text: n.text})
	for i, child := range n.children {
		step := strconv.Itoa(i)
		if n.kind == JSONObject {
			step = pointerEscaper.Replace(n.names[i])
		}
		f.add(child, pointer+"/"+step)
	}
}
