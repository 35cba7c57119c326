package main

import (
	"bytes"
	"fmt"
	"strings"
)

// cHeader writes the C structs and the declarations of their codec.
func cHeader(s *schema) ([]byte, error) {
	if err := cCheckNames(s); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(generatedMark + `// The messages of abi/v1.md. A pointer to a message is NULL when it is absent; a list is a pointer and a count. What a
// decoder returns aliases the bytes it read and lives in the arena. Include purser.h.
#ifndef PURSER_MESSAGES_H
#define PURSER_MESSAGES_H

#include "purser_value.h"

`)
	for _, e := range s.enums {
		cEnum(&b, e)
	}
	for _, m := range s.messages {
		if !m.amount {
			fmt.Fprintf(&b, "typedef struct %[1]s %[1]s;\n", cType(m.name))
		}
	}
	b.WriteByte('\n')
	for _, m := range s.messages {
		if !m.amount {
			cStruct(&b, m)
		}
	}
	b.WriteString(`// purser_decode_… reads canonical bytes and nothing else, but for fields that a newer host may send, which it skips. When
// it returns false, the message is empty. purser_encode_… writes them, and returns false for what has no canonical
// bytes: text that is not UTF-8, numbers above 2^53-1, unknown enum values, more than 16384 elements, more than 4 MiB.
`)
	for _, m := range s.messages {
		if !m.amount {
			fmt.Fprintf(&b, "bool purser_decode_%[1]s(purser_bytes in, %[2]s *m);\nbool purser_encode_%[1]s(const %[2]s *m, purser_bytes *out);\n",
				cSnake(m.name), cType(m.name))
		}
	}
	b.WriteString("\n#endif\n")
	return b.Bytes(), nil
}

// cSnake turns JSONEntry into json_entry: a word ends before a capital that
// follows a small letter, and before the last of several capitals.
func cSnake(camel string) string {
	var b strings.Builder
	isUpper := func(i int) bool { return i < len(camel) && 'A' <= camel[i] && camel[i] <= 'Z' }
	isLower := func(i int) bool { return i < len(camel) && !isUpper(i) }
	for i := range len(camel) {
		if i > 0 && isUpper(i) && (!isUpper(i-1) || isLower(i+1)) {
			b.WriteByte('_')
		}
		b.WriteByte(camel[i])
	}
	return strings.ToLower(b.String())
}

func cType(name string) string { return "purser_" + cSnake(name) }

func cEnumConstant(e *enum, value enumValue) string {
	return strings.ToUpper(cType(e.name) + "_" + value.name)
}

// cKeywords are the words of C11 and C++ that a schema might use for a field.
var cKeywords = map[string]bool{}

func init() {
	for word := range strings.FieldsSeq(`auto bool break case catch char class const continue default delete do double
		else enum explicit export extern false float for friend goto if inline int long mutable namespace new operator
		private protected public register restrict return short signed sizeof static struct switch template this throw
		true try typedef typename union unsigned using virtual void volatile while asm`) {
		cKeywords[word] = true
	}
}

func cField(f *field) string {
	if cKeywords[f.name] {
		return f.name + "_"
	}
	return f.name
}

// cCheckNames refuses a schema in which two names become the same in C.
func cCheckNames(s *schema) error {
	taken := map[string]string{}
	claim := func(name, by string) error {
		if before, ok := taken[name]; ok {
			return fmt.Errorf("%s and %s are both %s in C", before, by, name)
		}
		taken[name] = by
		return nil
	}
	for _, hand := range []string{"text", "bytes", "amount", "config", "policy", "chain", "log_level", "decoder", "encoder"} {
		taken["purser_"+hand] = "the SDK"
	}
	for _, m := range s.messages {
		if m.amount {
			continue
		}
		if err := claim(cType(m.name), m.name); err != nil {
			return err
		}
		for _, f := range m.fields {
			where := m.name + "." + f.name
			if err := claim(m.name+"."+cField(f), where); err != nil {
				return err
			}
			if f.repeated {
				if err := claim(m.name+"."+cField(f)+"_count", where); err != nil {
					return err
				}
			}
		}
	}
	for _, e := range s.enums {
		if err := claim(cType(e.name), e.name); err != nil {
			return err
		}
		for _, v := range e.values {
			if err := claim(cEnumConstant(e, v), e.name+"."+v.name); err != nil {
				return err
			}
		}
	}
	return nil
}

func cEnum(b *bytes.Buffer, e *enum) {
	cComment(b, "", e.doc)
	b.WriteString("typedef enum {\n")
	for i, v := range e.values {
		fmt.Fprintf(b, "\t%s = %d,", cEnumConstant(e, v), i)
		if len(v.doc) > 0 {
			fmt.Fprintf(b, " // %s", strings.Join(v.doc, " "))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "} %s;\n\n", cType(e.name))
}

func cComment(b *bytes.Buffer, indent string, doc []string) {
	for _, line := range doc {
		// A backslash at the end would make the next line a comment too.
		fmt.Fprintf(b, "%s// %s\n", indent, strings.TrimRight(line, "\\ "))
	}
}

func cStruct(b *bytes.Buffer, m *message) {
	cComment(b, "", m.doc)
	fmt.Fprintf(b, "struct %s {\n", cType(m.name))
	if len(m.fields) == 0 {
		b.WriteString("\tuint8_t empty; // C has no empty struct\n")
	}
	for _, f := range m.fields {
		cComment(b, "\t", f.doc)
		switch {
		case f.repeated:
			fmt.Fprintf(b, "\tconst %s *%s;\n\tsize_t %s_count;\n", cElement(f), cField(f), cField(f))
		case f.kind == kindMessage && !f.isAmount():
			fmt.Fprintf(b, "\tconst %s *%s;\n", cElement(f), cField(f))
		default:
			fmt.Fprintf(b, "\t%s %s;\n", cElement(f), cField(f))
		}
	}
	b.WriteString("};\n\n")
}

// cElement is the C type of one value of a field.
func cElement(f *field) string {
	switch f.kind {
	case kindString:
		return "purser_text"
	case kindBytes:
		return "purser_bytes"
	case kindBool:
		return "bool"
	case kindUint64:
		return "uint64_t"
	case kindEnum:
		return cType(f.enum.name)
	default:
		if f.isAmount() {
			return "purser_amount"
		}
		return cType(f.message.name)
	}
}
