package main

import (
	"bytes"
	"fmt"
)

// cCodec writes the C functions that cHeader declares, in the shape of the Go
// codec: straight code over a few strict readers and writers.
func cCodec(s *schema) ([]byte, error) {
	if err := cCheckNames(s); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(generatedMark + "#include \"purser_messages.h\"\n#include \"purser_wire.h\"\n\n")
	for _, m := range s.messages {
		if !m.amount {
			fmt.Fprintf(&b, "static bool decode_%[1]s(purser_bytes in, %[2]s *m);\nstatic void encode_%[1]s(purser_encoder *e, const %[2]s *m);\n",
				cSnake(m.name), cType(m.name))
		}
	}
	for _, m := range s.messages {
		if !m.amount {
			cEncoder(&b, m)
			cDecoder(&b, m)
		}
	}
	return b.Bytes(), nil
}

func cEncoder(b *bytes.Buffer, m *message) {
	fmt.Fprintf(b, `
bool purser_encode_%[1]s(const %[2]s *m, purser_bytes *out) {
	*out = (purser_bytes){0};
	purser_encoder e = {0};
	encode_%[1]s(&e, m);
	if (!purser_encoder_start(&e)) {
		return false;
	}
	encode_%[1]s(&e, m);
	return purser_encoder_finish(&e, out);
}

static void encode_%[1]s(purser_encoder *e, const %[2]s *m) {
`, cSnake(m.name), cType(m.name))
	if len(m.fields) == 0 {
		b.WriteString("\t(void)e;\n\t(void)m;\n")
	}
	for _, f := range m.fields {
		cEncodeField(b, f)
	}
	b.WriteString("}\n")
}

func cEncodeField(b *bytes.Buffer, f *field) {
	value := "m->" + cField(f)
	if f.repeated {
		fmt.Fprintf(b, "\tfor (size_t i = 0, n = purser_encoder_list(e, %[1]s, %[1]s_count); i < n; i++) {\n", value)
		if f.kind == kindMessage {
			fmt.Fprintf(b, "\t\tsize_t mark = purser_encoder_begin(e, %d);\n\t\tencode_%s(e, &%s[i]);\n\t\tpurser_encoder_end(e, mark);\n",
				f.number, cSnake(f.message.name), value)
		} else {
			fmt.Fprintf(b, "\t\tpurser_encoder_%s_element(e, %d, %s[i]);\n", viewKind(f), f.number, value)
		}
		b.WriteString("\t}\n")
		return
	}
	switch {
	case f.isAmount():
		fmt.Fprintf(b, "\tpurser_encoder_amount(e, %d, %s);\n", f.number, value)
	case f.kind == kindMessage:
		fmt.Fprintf(b, `	if (%[1]s != NULL) {
		size_t mark = purser_encoder_begin(e, %[2]d);
		encode_%[3]s(e, %[1]s);
		purser_encoder_end(e, mark);
	}
`, value, f.number, cSnake(f.message.name))
	case f.kind == kindEnum:
		fmt.Fprintf(b, "\tpurser_encoder_enum(e, %d, (uint64_t)%s, %s);\n", f.number, value, cLast(f.enum))
	default:
		fmt.Fprintf(b, "\tpurser_encoder_%s(e, %d, %s);\n", viewKind(f), f.number, value)
	}
}

// cLast is the largest value of an enum.
func cLast(e *enum) string { return cEnumConstant(e, e.values[len(e.values)-1]) }

func cDecoder(b *bytes.Buffer, m *message) {
	fmt.Fprintf(b, `
bool purser_decode_%[1]s(purser_bytes in, %[2]s *m) {
	*m = (%[2]s){0};
	if (in.size <= PURSER_WIRE_MESSAGE_BYTES_MAX && decode_%[1]s(in, m)) {
		return true;
	}
	*m = (%[2]s){0};
	return false;
}

static bool decode_%[1]s(purser_bytes in, %[2]s *m) {
	purser_decoder d = purser_decoder_over(in);
	while (purser_decoder_next(&d)) {
		switch (d.field) {
`, cSnake(m.name), cType(m.name))
	for _, f := range m.fields {
		cDecodeField(b, f)
	}
	b.WriteString("\t\tdefault:\n\t\t\tpurser_decoder_unknown(&d);\n\t\t}\n\t}\n")
	if len(m.fields) == 0 {
		b.WriteString("\t(void)m;\n")
	}
	b.WriteString("\treturn !d.failed;\n}\n")
}

func cDecodeField(b *bytes.Buffer, f *field) {
	value := "m->" + cField(f)
	if f.repeated {
		cDecodeList(b, f, value)
		return
	}
	if f.kind == kindMessage && !f.isAmount() {
		fmt.Fprintf(b, `		case %d: {
			%s *inner = purser_decoder_inner(&d, sizeof *inner);
			d.failed = inner == NULL || !decode_%s(d.data, inner);
			%s = inner;
			break;
		}
`, f.number, cType(f.message.name), cSnake(f.message.name), value)
		return
	}
	fmt.Fprintf(b, "\t\tcase %d:\n\t\t\t%s = ", f.number, value)
	switch {
	case f.isAmount():
		b.WriteString("purser_decoder_amount(&d)")
	case f.kind == kindEnum:
		fmt.Fprintf(b, "(%s)purser_decoder_enum(&d, %s)", cType(f.enum.name), cLast(f.enum))
	default:
		fmt.Fprintf(b, "purser_decoder_%s(&d)", viewKind(f))
	}
	b.WriteString(";\n\t\t\tbreak;\n")
}

// cDecodeList reads all elements of a repeated field at once: they stand
// together.
func cDecodeList(b *bytes.Buffer, f *field, value string) {
	kind, read := "BYTES", ""
	switch f.kind {
	case kindMessage:
		read = fmt.Sprintf("d.failed = !decode_%s(d.data, &list[i]);", cSnake(f.message.name))
	case kindString:
		read = "list[i] = purser_decoder_utf8(&d);"
	case kindBytes:
		read = "list[i] = d.data;"
	default:
		kind, read = "VARINT", "list[i] = d.value;"
	}
	fmt.Fprintf(b, `		case %d: {
			%s *list = purser_decoder_list(&d, sizeof *list, &%s_count);
			for (size_t i = 0; i < %s_count && purser_decoder_element(&d, i, PURSER_WIRE_%s); i++) {
				%s
			}
			%s = list;
			break;
		}
`, f.number, cElement(f), value, value, kind, read, value)
}
