package main

import (
	"bytes"
	"fmt"
	"go/format"
)

// goJSONView writes the JSON view, for the host only: a guest never meets JSON
// that it would have to parse.
func goJSONView(s *schema) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generatedMark + "package abi\n\n")
	for _, m := range s.messages {
		if m.amount {
			continue
		}
		goViewWriter(&b, m)
		goViewReader(&b, m)
	}
	return format.Source(b.Bytes())
}

func goViewWriter(b *bytes.Buffer, m *message) {
	// A value receiver: with a pointer receiver, json.Marshal of a message held by
	// value would silently fall back to Go's own field names.
	fmt.Fprintf(b, `// MarshalJSON writes the JSON view of m, members in field order.
func (m %[1]s) MarshalJSON() ([]byte, error) {
	var w viewWriter
	m.writeView(&w)
	return w.finish()
}

func (m *%[1]s) writeView(w *viewWriter) {
	w.open('{')
`, m.name)
	for _, f := range m.fields {
		where := m.name + "." + f.name
		value := "m." + goName(f.name)
		switch {
		case f.repeated && f.kind == kindMessage:
			fmt.Fprintf(b, `if len(%[2]s) > 0 {
	w.list(%[1]q)
	for i := range %[2]s {
		w.element(i)
		%[2]s[i].writeView(w)
	}
	w.close(']')
}
`, where, value)
		case f.repeated:
			fmt.Fprintf(b, "w.%sList(%q, %s)\n", viewKind(f), where, value)
		case f.isAmount():
			fmt.Fprintf(b, "w.amount(%q, %s)\n", where, value)
		case f.kind == kindMessage:
			fmt.Fprintf(b, "if %s != nil {\nw.member(%q)\n%s.writeView(w)\n}\n", value, where, value)
		case f.kind == kindEnum:
			fmt.Fprintf(b, "w.enum(%q, uint8(%s), %sNames[:])\n", where, value, goUnexported(f.enum.name))
		default:
			fmt.Fprintf(b, "w.%s(%q, %s)\n", viewKind(f), where, value)
		}
	}
	b.WriteString("w.close('}')\n}\n\n")
}

func viewKind(f *field) string {
	return map[kind]string{kindString: "text", kindBytes: "bytes", kindBool: "bool", kindUint64: "uint"}[f.kind]
}

func goViewReader(b *bytes.Buffer, m *message) {
	fmt.Fprintf(b, `// UnmarshalJSON reads the JSON view. It refuses unknown and repeated members,
// null, and what Marshal would refuse. On error m is empty.
func (m *%[1]s) UnmarshalJSON(data []byte) error {
	*m = %[1]s{}
	r := newViewReader(data)
	m.readView(r)
	err := r.finish()
	if err != nil {
		*m = %[1]s{}
	}
	return err
}

func (m *%[1]s) readView(r *viewReader) {
	r.object(%[1]q, func(member string) {
		switch member {
`, m.name)
	for _, f := range m.fields {
		where := m.name + "." + f.name
		value := "m." + goName(f.name)
		fmt.Fprintf(b, "case %q:\n", f.name)
		switch {
		case f.repeated && f.kind == kindMessage:
			fmt.Fprintf(b, `r.list(%[1]q, func() {
	%[2]s = append(%[2]s, %[3]s{})
	%[2]s[len(%[2]s)-1].readView(r)
})
`, where, value, f.typeName)
		case f.repeated:
			fmt.Fprintf(b, "r.list(%q, func() { %s = append(%s, r.%s(%q)) })\n", where, value, value, viewKind(f), where)
		case f.isAmount():
			fmt.Fprintf(b, "%s = r.amount(%q)\n", value, where)
		case f.kind == kindMessage:
			fmt.Fprintf(b, "%s = new(%s)\n%s.readView(r)\n", value, f.typeName, value)
		case f.kind == kindEnum:
			fmt.Fprintf(b, "%s = %s(r.enum(%q, %sNames[:]))\n", value, f.enum.name, where, goUnexported(f.enum.name))
		default:
			fmt.Fprintf(b, "%s = r.%s(%q)\n", value, viewKind(f), where)
		}
	}
	fmt.Fprintf(b, "default:\nr.unknown(%q, member)\n}\n})\n}\n\n", m.name)
}
