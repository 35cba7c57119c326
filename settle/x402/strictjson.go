package x402

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

const (
	jsonDepthMax    = 32  // nested objects and arrays; JSON schemas inside extensions need about 12
	jsonMembersMax  = 256 // members of one object
	jsonElementsMax = 256 // elements of one array
)

// checkJSON reports whether text is one JSON value that every parser reads the
// same way: valid UTF-8, no duplicate keys, no lone surrogates, bounded in depth
// and width. encoding/json alone takes the last of two equal keys while others
// take the first, which lets one payment mean two things.
func checkJSON(text []byte) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("not valid UTF-8")
	}
	if !json.Valid(text) {
		return fmt.Errorf("not valid JSON")
	}
	return checkValue(bytes.TrimSpace(text), 1)
}

// checkValue walks a value json.Valid has accepted. The shallow splitters are
// called once per level, so the cost is at most length times jsonDepthMax.
func checkValue(value []byte, depth int) error {
	if depth > jsonDepthMax {
		return fmt.Errorf("nested deeper than %d", jsonDepthMax)
	}
	switch value[0] {
	case '{':
		members, err := splitObject(value)
		if err != nil {
			return err
		}
		for _, m := range members {
			if err := checkValue(m.value, depth+1); err != nil {
				return err
			}
		}
	case '[':
		elements, err := splitArray(value)
		if err != nil {
			return err
		}
		for _, e := range elements {
			if err := checkValue(e, depth+1); err != nil {
				return err
			}
		}
	case '"':
		_, err := unquote(value)
		return err
	}
	return nil
}

type member struct {
	key   string
	value json.RawMessage
}

// splitObject cuts a valid JSON object into its members, in order.
func splitObject(object []byte) ([]member, error) {
	parts, err := split(object, 2*jsonMembersMax)
	if err != nil {
		return nil, fmt.Errorf("object with more than %d members", jsonMembersMax)
	}
	members := make([]member, 0, len(parts)/2)
	seen := make(map[string]bool, len(parts)/2)
	for i := 0; i+1 < len(parts); i += 2 {
		key, err := unquote(parts[i])
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, fmt.Errorf("key %.40q is written twice", key)
		}
		seen[key] = true
		members = append(members, member{key, parts[i+1]})
	}
	return members, nil
}

// splitArray cuts a valid JSON array into its elements.
func splitArray(array []byte) ([]json.RawMessage, error) {
	parts, err := split(array, jsonElementsMax)
	if err != nil {
		return nil, fmt.Errorf("array with more than %d elements", jsonElementsMax)
	}
	return parts, nil
}

// split returns the values directly inside a valid object (key, value, key, …)
// or array.
func split(container []byte, partsMax int) ([]json.RawMessage, error) {
	var parts []json.RawMessage
	for at := 1; at < len(container)-1; {
		switch container[at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			at++
			continue
		}
		if len(parts) == partsMax {
			return nil, fmt.Errorf("more than %d parts", partsMax)
		}
		end := at + valueLength(container[at:])
		parts = append(parts, json.RawMessage(container[at:end]))
		at = end
	}
	return parts, nil
}

// valueLength returns the bytes of the value text starts with, in valid JSON.
func valueLength(text []byte) int {
	switch text[0] {
	case '"':
		return stringLength(text)
	case '{', '[':
		depth := 0
		for at := 0; at < len(text); at++ {
			switch text[at] {
			case '"':
				at += stringLength(text[at:]) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
		return len(text)
	default:
		if end := bytes.IndexAny(text, " \t\r\n,:]}"); end >= 0 {
			return end
		}
		return len(text)
	}
}

func stringLength(text []byte) int {
	for at := 1; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(text)
}

// unquote reads a JSON string. A lone surrogate is refused: encoding/json turns
// every one into U+FFFD, so two different strings would compare as equal.
func unquote(quoted []byte) (string, error) {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return "", fmt.Errorf("not a string: %w", err)
	}
	lower := bytes.ToLower(quoted)
	if bytes.Contains(lower, []byte(`\ud`)) && bytes.ContainsRune([]byte(s), utf8.RuneError) {
		return "", fmt.Errorf("string with a lone surrogate")
	}
	return s, nil
}

// clip copies raw without the white space around it, so that an object kept for
// an echo does not alias a network buffer.
func clip(raw []byte) json.RawMessage { return json.RawMessage(bytes.Clone(bytes.TrimSpace(raw))) }
