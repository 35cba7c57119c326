package main

import (
	"bytes"
	"fmt"
)

// cRegistry writes a table of all messages for the test harness of the C SDK:
// to read and write each by name, and to say what its members hold.
func cRegistry(s *schema) ([]byte, error) {
	if err := cCheckNames(s); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(generatedMark)
	for _, e := range s.enums {
		fmt.Fprintf(&b, "static const char *const names_%s[] = {", cSnake(e.name))
		for i, v := range e.values {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q", v.name)
		}
		b.WriteString("};\n")
	}
	for _, m := range s.messages {
		if !m.amount {
			fmt.Fprintf(&b, "static void view_%s(const %s *m);\n", cSnake(m.name), cType(m.name))
		}
	}
	for _, m := range s.messages {
		if m.amount {
			continue
		}
		fmt.Fprintf(&b, "\nstatic void view_%s(const %s *m) {\n\topen('{');\n", cSnake(m.name), cType(m.name))
		if len(m.fields) == 0 {
			b.WriteString("\t(void)m;\n")
		}
		for _, f := range m.fields {
			cViewField(&b, f)
		}
		fmt.Fprintf(&b, "\tclose('}');\n}\n\nHARNESS_MESSAGE(%s)\n", cSnake(m.name))
	}
	b.WriteString("\nstatic const struct message messages[] = {\n")
	for _, m := range s.messages {
		if !m.amount {
			fmt.Fprintf(&b, "\t{%q, again_%[2]s, show_%[2]s},\n", m.name, cSnake(m.name))
		}
	}
	b.WriteString("};\n")
	return b.Bytes(), nil
}

func cViewField(b *bytes.Buffer, f *field) {
	value := "m->" + cField(f)
	if f.repeated {
		show := fmt.Sprintf("show_%s(%s[i])", viewKind(f), value)
		if f.kind == kindMessage {
			show = fmt.Sprintf("view_%s(&%s[i])", cSnake(f.message.name), value)
		}
		fmt.Fprintf(b, `	if (%[1]s_count > 0) {
		member(%[2]q);
		open('[');
		for (size_t i = 0; i < %[1]s_count; i++) {
			element();
			%[3]s;
		}
		close(']');
	}
`, value, f.name, show)
		return
	}
	written, show := value+" != 0", ""
	switch {
	case f.isAmount():
		written, show = "!purser_amount_is_zero("+value+")", "show_text(purser_amount_text("+value+"))"
	case f.kind == kindMessage:
		written, show = value+" != NULL", fmt.Sprintf("view_%s(%s)", cSnake(f.message.name), value)
	case f.kind == kindEnum:
		show = fmt.Sprintf("show_text(purser_text_of(names_%s[%s]))", cSnake(f.enum.name), value)
	case f.kind == kindBool:
		written, show = value, "show_bool("+value+")"
	case f.kind == kindUint64:
		show = "show_uint(" + value + ")"
	default:
		written, show = value+".size > 0", fmt.Sprintf("show_%s(%s)", viewKind(f), value)
	}
	fmt.Fprintf(b, "\tif (%s) {\n\t\tmember(%q);\n\t\t%s;\n\t}\n", written, f.name, show)
}
