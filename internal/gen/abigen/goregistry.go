package main

import (
	"bytes"
	"fmt"
	"go/format"
)

// goRegistry writes a constructor by name, for tools and tests that walk all
// messages. In the SDK it is a test file: it would keep every message in a guest.
func goRegistry(s *schema) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generatedMark + "package abi\n\n")
	b.WriteString(`// MessageNames returns the names of all messages, in the order of the schema. The
// caller owns the copy. Amount is not among them: it is a value, not a message.
func MessageNames() []string { return append([]string(nil), messageNames[:]...) }

var messageNames = [...]string{
`)
	for _, m := range s.messages {
		if !m.amount {
			fmt.Fprintf(&b, "%q,\n", m.name)
		}
	}
	b.WriteString(`}

// NewMessage returns an empty message of the type with that name, nil when there
// is none.
func NewMessage(name string) Message {
	switch name {
`)
	for _, m := range s.messages {
		if !m.amount {
			fmt.Fprintf(&b, "case %q:\nreturn new(%s)\n", m.name, m.name)
		}
	}
	b.WriteString("default:\nreturn nil\n}\n}\n")
	return format.Source(b.Bytes())
}
