package main

import (
	"bytes"
	"fmt"
	"strings"
)

// asReserved are names that a field or an enum value cannot have in a class, because the generated code or the language
// uses them.
var asReserved = map[string]bool{"constructor": true, "decode": true, "encode": true, "read": true, "write": true, "prototype": true}

// asGlobals are types of the language's standard library that the generated code needs by their own names.
var asGlobals = map[string]bool{"Array": true, "Uint8Array": true, "String": true, "Reader": true, "Writer": true}

// asMessages writes the classes and enums of the AssemblyScript SDK, each class with its codec.
func asMessages(s *schema) ([]byte, error) {
	if err := asNamesAreFree(s); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(generatedMark)
	b.WriteString("import { Amount } from \"./amount\";\nimport { Reader } from \"./reader\";\nimport { noBytes } from \"./wire\";\nimport { Writer } from \"./writer\";\n")
	for _, e := range s.enums {
		asEnum(&b, e)
	}
	for _, m := range s.messages {
		if !m.amount {
			asClass(&b, m)
		}
	}
	return b.Bytes(), nil
}

func asNamesAreFree(s *schema) error {
	for _, e := range s.enums {
		if asGlobals[e.name] {
			return fmt.Errorf("line %d: %s has a meaning of its own in AssemblyScript", e.line, e.name)
		}
	}
	for _, m := range s.messages {
		if asGlobals[m.name] {
			return fmt.Errorf("line %d: %s has a meaning of its own in AssemblyScript", m.line, m.name)
		}
		for _, f := range m.fields {
			if asReserved[f.name] {
				return fmt.Errorf("line %d: field %s has a meaning of its own in AssemblyScript", f.line, f.name)
			}
		}
	}
	return nil
}

func asComment(b *bytes.Buffer, indent string, doc []string) {
	text := strings.ReplaceAll(strings.Join(doc, "\n"+indent+" * "), "*/", "* /")
	switch len(doc) {
	case 0:
	case 1:
		fmt.Fprintf(b, "%s/** %s */\n", indent, text)
	default:
		fmt.Fprintf(b, "%s/**\n%s * %s\n%s */\n", indent, indent, text, indent)
	}
}

func asEnum(b *bytes.Buffer, e *enum) {
	b.WriteByte('\n')
	asComment(b, "", e.doc)
	fmt.Fprintf(b, "export enum %s {\n", e.name)
	for _, v := range e.values {
		asComment(b, "  ", v.doc)
		fmt.Fprintf(b, "  %s,\n", asWords(v.name, true))
	}
	b.WriteString("}\n")
}

// asWords turns body_sha256 into bodySha256, or BodySha256.
func asWords(snake string, upper bool) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		if upper || b.Len() > 0 {
			b.WriteString(strings.ToUpper(word[:1]))
			word = word[1:]
		}
		b.WriteString(word)
	}
	return b.String()
}

// asType is the type of a field and the value that an absent field has.
func asType(f *field) (name, zero string) {
	switch f.kind {
	case kindString:
		name, zero = "string", `""`
	case kindBytes:
		name, zero = "Uint8Array", "noBytes"
	case kindBool:
		name, zero = "bool", "false"
	case kindUint64:
		name, zero = "u64", "0"
	case kindEnum:
		name, zero = f.enum.name, f.enum.name+"."+asWords(f.enum.values[0].name, true)
	case kindMessage:
		name, zero = f.message.name, "null"
		if f.isAmount() {
			name, zero = "Amount", "Amount.zero"
		} else if !f.repeated {
			name += " | null"
		}
	}
	if f.repeated {
		return name + "[]", "[]"
	}
	return name, zero
}

func asClass(b *bytes.Buffer, m *message) {
	b.WriteByte('\n')
	asComment(b, "", m.doc)
	fmt.Fprintf(b, "export class %s {\n", m.name)
	for _, f := range m.fields {
		asComment(b, "  ", f.doc)
		name, zero := asType(f)
		fmt.Fprintf(b, "  %s: %s = %s;\n", asWords(f.name, false), name, zero)
	}
	if len(m.fields) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, `  /** Reads canonical bytes, null for all others. Fields of a newer minor are skipped. Nothing of bytes is kept. */
  static decode(bytes: Uint8Array): %[1]s | null {
    const message = new %[1]s();
    const reader = Reader.of(bytes);
    message.read(reader);
    return reader.ok ? message : null;
  }

  /** The canonical bytes, null when there are none: see Writer. */
  encode(): Uint8Array | null {
    const writer = new Writer();
    this.write(writer);
    return writer.finish();
  }
`, m.name)
	asRead(b, m)
	asWrite(b, m)
	b.WriteString("}\n")
}

func asRead(b *bytes.Buffer, m *message) {
	if len(m.fields) == 0 {
		b.WriteString("\n  read(reader: Reader): void {\n    while (reader.next()) {}\n  }\n")
		return
	}
	b.WriteString("\n  read(reader: Reader): void {\n    while (reader.next()) {\n      switch (reader.field) {\n")
	for _, f := range m.fields {
		asReadField(b, f)
	}
	b.WriteString("      }\n    }\n  }\n")
}

func asReadField(b *bytes.Buffer, f *field) {
	value := "this." + asWords(f.name, false)
	fmt.Fprintf(b, "        case %d: ", f.number)
	if f.kind == kindMessage && !f.isAmount() {
		fmt.Fprintf(b, "{\n          const message = new %s();\n", f.message.name)
		if f.repeated {
			fmt.Fprintf(b, "          const inner = reader.innerElement(%[1]s.length);\n          message.read(inner);\n          %[1]s.push(message);\n", value)
		} else {
			fmt.Fprintf(b, "          const inner = reader.inner();\n          message.read(inner);\n          %s = message;\n", value)
		}
		b.WriteString("          if (!inner.ok) reader.refuse();\n          break;\n        }\n")
		return
	}
	read := map[kind]string{kindString: "text", kindBytes: "bytes", kindUint64: "uint"}[f.kind]
	switch {
	case f.repeated:
		fmt.Fprintf(b, "%[1]s.push(reader.%[2]sElement(%[1]s.length)); break;\n", value, read)
	case f.isAmount():
		fmt.Fprintf(b, "%s = reader.amount(); break;\n", value)
	case f.kind == kindEnum:
		fmt.Fprintf(b, "%s = reader.enumeration(%d); break;\n", value, len(f.enum.values)-1)
	case f.kind == kindBool:
		fmt.Fprintf(b, "%s = reader.bool(); break;\n", value)
	default:
		fmt.Fprintf(b, "%s = reader.%s(); break;\n", value, read)
	}
}

func asWrite(b *bytes.Buffer, m *message) {
	if len(m.fields) == 0 {
		b.WriteString("\n  write(writer: Writer): void {}\n")
		return
	}
	b.WriteString("\n  write(writer: Writer): void {\n")
	for _, f := range m.fields {
		asWriteField(b, f)
	}
	b.WriteString("  }\n")
}

func asWriteField(b *bytes.Buffer, f *field) {
	name := asWords(f.name, false)
	value := "this." + name
	call := map[kind]string{kindString: "text", kindBytes: "bytes", kindBool: "bool", kindUint64: "uint"}[f.kind]
	switch {
	case f.repeated:
		fmt.Fprintf(b, "    writer.count(%[1]s.length);\n    for (let i = 0; i < %[1]s.length; i++) ", value)
		if f.kind == kindMessage {
			fmt.Fprintf(b, "{\n      const mark = writer.begin(%d);\n      %s[i].write(writer);\n      writer.end(mark);\n    }\n", f.number, value)
			return
		}
		fmt.Fprintf(b, "writer.%sElement(%d, %s[i]);\n", call, f.number, value)
	case f.isAmount():
		fmt.Fprintf(b, "    writer.amount(%d, %s);\n", f.number, value)
	case f.kind == kindMessage:
		// Only a local variable keeps its null check: another call could change a field in between.
		fmt.Fprintf(b, `    const field%[1]d = %[2]s;
    if (field%[1]d !== null) {
      const mark = writer.begin(%[1]d);
      field%[1]d.write(writer);
      writer.end(mark);
    }
`, f.number, value)
	case f.kind == kindEnum:
		fmt.Fprintf(b, "    writer.enumeration(%d, %s, %d);\n", f.number, value, len(f.enum.values)-1)
	default:
		fmt.Fprintf(b, "    writer.%s(%d, %s);\n", call, f.number, value)
	}
}

// asRegistry writes the test guest's function from a message's number, in the schema's order, to its codec. The SDK
// itself has none: it would keep every message in a guest.
func asRegistry(s *schema) []byte {
	var b bytes.Buffer
	b.WriteString(generatedMark)
	b.WriteString("import * as abi from \"@purserhq/sdk-assemblyscript\";\n\n")
	b.WriteString("/** Reads a message and writes it again; null when it was refused. */\n")
	b.WriteString("export function again(number: u32, bytes: Uint8Array): Uint8Array | null {\n  switch (number) {\n")
	number := 0
	for _, m := range s.messages {
		if m.amount {
			continue
		}
		fmt.Fprintf(&b, "    case %d: {\n      const message = abi.%s.decode(bytes);\n      return message === null ? null : message.encode()!; // what was read can be written\n    }\n", number, m.name)
		number++
	}
	b.WriteString("    default:\n      return null;\n  }\n}\n")
	return b.Bytes()
}
