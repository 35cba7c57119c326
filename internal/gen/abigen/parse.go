package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

const (
	messagesMax    = 300
	fieldsMax      = 200
	fieldNumberMax = 1 << 20
)

var (
	typeNameForm  = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	fieldNameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	enumNameForm  = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
)

type parser struct {
	src    *source
	at     int
	schema *schema
	// names holds every type and where it stands, so that each is defined once.
	names map[string]int
}

// parse reads the strict subset of proto3 that purser's ABI is written in.
// Everything else, however valid as proto3, is refused with its line: a schema
// that two tools read differently is a wire format that two sides read
// differently.
func parse(text string) (*schema, error) {
	src, err := scan(text)
	if err != nil {
		return nil, err
	}
	p := &parser{src: src, schema: &schema{}, names: map[string]int{}}
	for _, want := range []string{"syntax", "=", `"proto3"`, ";", "package", "purser.v1", ";"} {
		if err := p.expect(want); err != nil {
			return nil, err
		}
	}
	for p.at < len(src.tokens) {
		if err := p.definition(); err != nil {
			return nil, err
		}
	}
	if err := resolve(p.schema); err != nil {
		return nil, err
	}
	return p.schema, nil
}

func (p *parser) next() token {
	if p.at == len(p.src.tokens) {
		last := 1
		if p.at > 0 {
			last = p.src.tokens[p.at-1].line
		}
		return token{"end of file", last}
	}
	p.at++
	return p.src.tokens[p.at-1]
}

func (p *parser) peek() string {
	if p.at == len(p.src.tokens) {
		return ""
	}
	return p.src.tokens[p.at].text
}

func (p *parser) expect(want string) error {
	if got := p.next(); got.text != want {
		return fmt.Errorf("line %d: %q where %q should stand", got.line, got.text, want)
	}
	return nil
}

func (p *parser) definition() error {
	word := p.next()
	if word.text != "message" && word.text != "enum" {
		return fmt.Errorf("line %d: %q is outside the subset, which has message and enum only", word.line, word.text)
	}
	name := p.next()
	if !typeNameForm.MatchString(name.text) {
		return fmt.Errorf("line %d: %q is not a type name", name.line, name.text)
	}
	if first, taken := p.names[name.text]; taken {
		return fmt.Errorf("line %d: %s is already defined in line %d", name.line, name.text, first)
	}
	if len(p.names) == messagesMax {
		return fmt.Errorf("line %d: more than %d types", name.line, messagesMax)
	}
	p.names[name.text] = name.line
	if err := p.expect("{"); err != nil {
		return err
	}
	if word.text == "enum" {
		return p.enum(name)
	}
	return p.message(name)
}

func (p *parser) message(name token) error {
	m := &message{name: name.text, line: name.line, doc: p.src.docAbove(name.line)}
	p.schema.messages = append(p.schema.messages, m)
	if p.peek() != "}" || p.src.tokens[p.at].line != name.line {
		_, annotations := p.src.docBeside(name.line)
		switch strings.Join(annotations, " ") {
		case "":
		case "@amount":
			m.amount = true
		default:
			return fmt.Errorf("line %d: unknown annotation %q", name.line, annotations)
		}
	}
	seen := map[string]bool{}
	for p.peek() != "}" {
		f, err := p.field()
		if err != nil {
			return err
		}
		if seen[f.name] {
			return fmt.Errorf("line %d: %s.%s is defined twice", f.line, m.name, f.name)
		}
		seen[f.name] = true
		if n := len(m.fields); n > 0 && m.fields[n-1].number >= f.number {
			return fmt.Errorf("line %d: field number %d does not ascend", f.line, f.number)
		}
		if len(m.fields) == fieldsMax {
			return fmt.Errorf("line %d: more than %d fields", f.line, fieldsMax)
		}
		m.fields = append(m.fields, f)
	}
	return p.expect("}")
}

func (p *parser) field() (*field, error) {
	word := p.next()
	f := &field{line: word.line, typeName: word.text}
	if word.text == "repeated" {
		f.repeated = true
		f.typeName = p.next().text
	}
	scalar, isScalar := scalarKinds[f.typeName]
	switch {
	case isScalar:
		f.kind = scalar
	case typeNameForm.MatchString(f.typeName):
		f.kind = kindMessage // or an enum: resolve tells
	default:
		return nil, fmt.Errorf("line %d: type %q is outside the subset", f.line, f.typeName)
	}
	f.name = p.next().text
	if !fieldNameForm.MatchString(f.name) {
		return nil, fmt.Errorf("line %d: %q is not a snake_case field name", f.line, f.name)
	}
	if err := p.expect("="); err != nil {
		return nil, err
	}
	number, err := p.number(1, fieldNumberMax)
	if err != nil {
		return nil, err
	}
	f.number = number
	if err := p.expect(";"); err != nil {
		return nil, err
	}
	beside, annotations := p.src.docBeside(f.line)
	f.doc = append(p.src.docAbove(f.line), beside...)
	// That includes v1.md's @critical: a mark that no host honours yet would promise a refusal that never comes.
	if len(annotations) > 0 {
		return nil, fmt.Errorf("line %d: unknown annotation %q", f.line, annotations)
	}
	return f, nil
}

func (p *parser) number(least, most uint64) (uint64, error) {
	word := p.next()
	n, err := strconv.ParseUint(word.text, 10, 64)
	if err != nil || n < least || n > most || strconv.FormatUint(n, 10) != word.text {
		return 0, fmt.Errorf("line %d: %q is not a number from %d to %d", word.line, word.text, least, most)
	}
	return n, nil
}

func (p *parser) enum(name token) error {
	e := &enum{name: name.text, line: name.line, doc: p.src.docAbove(name.line)}
	p.schema.enums = append(p.schema.enums, e)
	prefix := strings.ToUpper(snake(e.name)) + "_"
	for p.peek() != "}" {
		word := p.next()
		short, ok := strings.CutPrefix(word.text, prefix)
		if !ok || !enumNameForm.MatchString(short) {
			return fmt.Errorf("line %d: %q does not read %sNAME", word.line, word.text, prefix)
		}
		if err := p.expect("="); err != nil {
			return err
		}
		// Dense from zero: a gap would be a value that only some decoders refuse.
		dense := uint64(len(e.values))
		if _, err := p.number(dense, min(dense, 200)); err != nil {
			return err
		}
		if err := p.expect(";"); err != nil {
			return err
		}
		beside, _ := p.src.docBeside(word.line)
		doc := append(p.src.docAbove(word.line), beside...)
		e.values = append(e.values, enumValue{strings.ToLower(short), doc})
	}
	if len(e.values) == 0 {
		return fmt.Errorf("line %d: enum %s has no values", e.line, e.name)
	}
	return p.expect("}")
}

// snake turns ChainStatus into chain_status.
func snake(camel string) string {
	var b strings.Builder
	for i, c := range camel {
		if i > 0 && 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}
