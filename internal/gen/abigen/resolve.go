package main

import "fmt"

// messageDepthMax bounds how deep messages nest. Messages cannot contain
// themselves, so the schema bounds the depth of every decoder, and no decoder
// needs a counter that one of five languages might forget.
const messageDepthMax = 8

// resolve turns type names into types and refuses what no back end may meet:
// unknown types, repeated booleans and enums, recursion.
func resolve(s *schema) error {
	messages, enums := map[string]*message{}, map[string]*enum{}
	for _, m := range s.messages {
		messages[m.name] = m
	}
	for _, e := range s.enums {
		enums[e.name] = e
	}
	for _, m := range s.messages {
		for _, f := range m.fields {
			if f.kind == kindMessage {
				if e, ok := enums[f.typeName]; ok {
					f.kind, f.enum = kindEnum, e
				} else if f.message, ok = messages[f.typeName]; !ok {
					return fmt.Errorf("line %d: type %s is not defined", f.line, f.typeName)
				}
			}
			if f.repeated && (f.kind == kindBool || f.kind == kindEnum) {
				return fmt.Errorf("line %d: repeated %s is outside the subset", f.line, f.typeName)
			}
			if f.repeated && f.isAmount() {
				return fmt.Errorf("line %d: a repeated amount is outside the subset; put it in a message", f.line)
			}
		}
		if m.amount {
			if err := checkAmount(m); err != nil {
				return err
			}
		}
	}
	for _, m := range s.messages {
		if err := measure(m); err != nil {
			return err
		}
	}
	return nil
}

// checkAmount makes sure that the schema still says what the hand-written
// amount codecs do.
func checkAmount(m *message) error {
	if len(m.fields) == 2 &&
		m.fields[0].name == "decimal" && m.fields[0].kind == kindString && m.fields[0].number == 1 &&
		m.fields[1].name == "big_endian" && m.fields[1].kind == kindBytes && m.fields[1].number == 2 {
		return nil
	}
	return fmt.Errorf("line %d: an @amount message is { string decimal = 1; bytes big_endian = 2; }", m.line)
}

// measuring marks a message whose fields are being walked; to meet it again is
// recursion.
const measuring = -1

// measure sets depth of a message and of all it holds, each once:
// walking every path instead would take time exponential in the depth.
func measure(m *message) error {
	if m.depth > 0 {
		return nil
	}
	if m.depth == measuring {
		return fmt.Errorf("line %d: message %s contains itself", m.line, m.name)
	}
	m.depth = measuring
	deepest := 0
	for _, f := range m.fields {
		if f.kind != kindMessage {
			continue
		}
		if err := measure(f.message); err != nil {
			return err
		}
		deepest = max(deepest, f.message.depth)
	}
	if m.depth = deepest + 1; m.depth > messageDepthMax {
		return fmt.Errorf("line %d: message %s nests deeper than %d", m.line, m.name, messageDepthMax)
	}
	return nil
}
