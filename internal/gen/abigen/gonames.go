package main

import "strings"

// goInitialisms are the words that Go writes in one case.
var goInitialisms = map[string]string{
	"id": "ID", "url": "URL", "abi": "ABI", "json": "JSON", "rpc": "RPC", "mime": "MIME", "sha256": "SHA256",
}

// goName turns body_sha256 into BodySHA256.
func goName(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		if initialism, ok := goInitialisms[word]; ok {
			b.WriteString(initialism)
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]))
		b.WriteString(word[1:])
	}
	return b.String()
}

// goType is the Go spelling of a field's type.
func goType(f *field) string {
	element := ""
	switch f.kind {
	case kindString:
		element = "string"
	case kindBytes:
		element = "[]byte"
	case kindBool:
		element = "bool"
	case kindUint64:
		element = "uint64"
	case kindEnum:
		element = f.enum.name
	case kindMessage:
		element = f.message.name
		if !f.repeated && !f.isAmount() {
			element = "*" + element
		}
	}
	if f.repeated {
		return "[]" + element
	}
	return element
}

// goConstant is the name of an enum value. Outcome's are bare words (Deny, Hold,
// Allow), because every policy is written in them.
func goConstant(e *enum, v enumValue) string {
	if e.name == "Outcome" {
		return goName(v.name)
	}
	return e.name + goName(v.name)
}
