package main

import (
	"bytes"
	"fmt"
	"go/format"
)

// goMinors writes, for the host, which minor version a message needs of the
// guest that is to read it.
func goMinors(s *schema) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generatedMark + "package abi\n\n")
	for _, m := range s.messages {
		if m.amount {
			continue
		}
		fmt.Fprintf(&b, `// MinorNeeded returns the smallest minor version of a guest that may be handed m:
// an older one would skip a critical field that is set, and so judge less than
// there is. 0 means every guest may.
`)
		if !m.critical {
			fmt.Fprintf(&b, "func (m *%s) MinorNeeded() uint64 { return 0 }\n\n", m.name)
			continue
		}
		fmt.Fprintf(&b, "func (m *%s) MinorNeeded() uint64 {\nvar need uint64\n", m.name)
		for _, f := range m.fields {
			goMinorOfField(&b, f)
		}
		b.WriteString("return need\n}\n\n")
	}
	return format.Source(b.Bytes())
}

func goMinorOfField(b *bytes.Buffer, f *field) {
	value := "m." + goName(f.name)
	if f.critical > 0 {
		fmt.Fprintf(b, "if %s {\nneed = max(need, %d)\n}\n", goIsSet(f, value), f.critical)
	}
	if f.kind != kindMessage || !f.message.critical {
		return
	}
	if f.repeated {
		fmt.Fprintf(b, "for i := range %s {\nneed = max(need, %s[i].MinorNeeded())\n}\n", value, value)
		return
	}
	fmt.Fprintf(b, "if %s != nil {\nneed = max(need, %s.MinorNeeded())\n}\n", value, value)
}

func goIsSet(f *field, value string) string {
	switch {
	case f.repeated || f.kind == kindBytes || f.kind == kindString:
		return "len(" + value + ") > 0"
	case f.isAmount():
		return "!" + value + ".IsZero()"
	case f.kind == kindMessage:
		return value + " != nil"
	case f.kind == kindBool:
		return value
	default:
		return value + " != 0"
	}
}
