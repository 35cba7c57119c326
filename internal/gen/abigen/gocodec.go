package main

import (
	"bytes"
	"fmt"
	"go/format"
)

// goCodec writes Marshal and Unmarshal of every message. The text is the same
// for host and guest: they differ in the few functions of wire.go's neighbours
// that say what an unknown field and an error are.
func goCodec(s *schema) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generatedMark + "package abi\n\n")
	for _, m := range s.messages {
		if m.amount {
			continue
		}
		goEncoder(&b, m)
		goDecoder(&b, m)
	}
	return format.Source(b.Bytes())
}

func goEncoder(b *bytes.Buffer, m *message) {
	fmt.Fprintf(b, `// Marshal returns the canonical bytes of m, the ones that are hashed. It fails
// for what has no canonical bytes: text that is not UTF-8, numbers above
// WireIntegerMax, unknown enum values, more than WireRepeatedMax elements.
func (m *%s) Marshal() ([]byte, error) {
	e := newWireEncoder()
	m.encode(&e)
	return e.finish(%q)
}

`, m.name, m.name)
	if len(m.fields) == 0 {
		fmt.Fprintf(b, "func (m *%s) encode(*wireEncoder) {}\n\n", m.name)
		return
	}
	fmt.Fprintf(b, "func (m *%s) encode(e *wireEncoder) {\n", m.name)
	for _, f := range m.fields {
		goEncodeField(b, m, f)
	}
	b.WriteString("}\n\n")
}

func goEncodeField(b *bytes.Buffer, m *message, f *field) {
	where := m.name + "." + f.name
	value := "m." + goName(f.name)
	if f.repeated {
		fmt.Fprintf(b, "e.count(%q, len(%s))\nfor i := range %s {\n", where, value, value)
		switch f.kind {
		case kindMessage:
			fmt.Fprintf(b, "mark := e.begin(%d)\n%s[i].encode(e)\ne.end(mark)\n", f.number, value)
		case kindString:
			fmt.Fprintf(b, "e.textElement(%d, %q, %s[i])\n", f.number, where, value)
		case kindBytes:
			fmt.Fprintf(b, "e.bytesElement(%d, %s[i])\n", f.number, value)
		default:
			fmt.Fprintf(b, "e.uintElement(%d, %q, %s[i])\n", f.number, where, value)
		}
		b.WriteString("}\n")
		return
	}
	switch {
	case f.isAmount():
		fmt.Fprintf(b, "e.amount(%d, %s)\n", f.number, value)
	case f.kind == kindMessage:
		fmt.Fprintf(b, "if %s != nil {\nmark := e.begin(%d)\n%s.encode(e)\ne.end(mark)\n}\n", value, f.number, value)
	case f.kind == kindEnum:
		fmt.Fprintf(b, "e.enum(%d, %q, uint8(%s), %s)\n", f.number, where, value, goLast(f.enum))
	case f.kind == kindString:
		fmt.Fprintf(b, "e.text(%d, %q, %s)\n", f.number, where, value)
	case f.kind == kindBytes:
		fmt.Fprintf(b, "e.bytes(%d, %s)\n", f.number, value)
	case f.kind == kindBool:
		fmt.Fprintf(b, "e.bool(%d, %s)\n", f.number, value)
	default:
		fmt.Fprintf(b, "e.uint(%d, %q, %s)\n", f.number, where, value)
	}
}

// goLast is the largest value of an enum.
func goLast(e *enum) string {
	return "uint8(" + goConstant(e, e.values[len(e.values)-1]) + ")"
}

func goDecoder(b *bytes.Buffer, m *message) {
	fmt.Fprintf(b, `// Unmarshal reads canonical bytes and nothing else; the result keeps nothing of
// b. On error m is empty.
func (m *%[1]s) Unmarshal(b []byte) error {
	*m = %[1]s{}
	err := checkMessageSize(%[1]q, b)
	if err == nil {
		err = m.decode(b)
	}
	if err != nil {
		*m = %[1]s{}
	}
	return err
}

func (m *%[1]s) decode(b []byte) error {
	d := wireDecoder{message: %[1]q, rest: b}
	for d.next() {
		switch d.field {
`, m.name)
	for _, f := range m.fields {
		fmt.Fprintf(b, "case %d:\n", f.number)
		goDecodeField(b, m, f)
	}
	b.WriteString("default:\nd.unknown()\n}\n}\nreturn d.err\n}\n\n")
}

func goDecodeField(b *bytes.Buffer, m *message, f *field) {
	where := m.name + "." + f.name
	value := "m." + goName(f.name)
	if f.repeated {
		read := map[kind]string{kindString: "textElement", kindBytes: "bytesElement", kindUint64: "uintElement"}[f.kind]
		if read != "" {
			fmt.Fprintf(b, "%s = append(%s, d.%s(%q, len(%s)))\n", value, value, read, where, value)
			return
		}
		fmt.Fprintf(b, `if element, ok := d.messageElement(%q, len(%s)); ok {
%s = append(%s, %s{})
d.err = %s[len(%s)-1].decode(element)
}
`, where, value, value, value, f.typeName, value, value)
		return
	}
	switch {
	case f.isAmount():
		fmt.Fprintf(b, "%s = d.amount(%q)\n", value, where)
	case f.kind == kindMessage:
		fmt.Fprintf(b, "if inner, ok := d.inner(%q); ok {\n%s = new(%s)\nd.err = %s.decode(inner)\n}\n",
			where, value, f.typeName, value)
	case f.kind == kindEnum:
		fmt.Fprintf(b, "%s = %s(d.enum(%q, %s))\n", value, f.enum.name, where, goLast(f.enum))
	case f.kind == kindString:
		fmt.Fprintf(b, "%s = d.text(%q)\n", value, where)
	case f.kind == kindBytes:
		fmt.Fprintf(b, "%s = d.bytes(%q)\n", value, where)
	case f.kind == kindBool:
		fmt.Fprintf(b, "%s = d.bool(%q)\n", value, where)
	default:
		fmt.Fprintf(b, "%s = d.uint(%q)\n", value, where)
	}
}
