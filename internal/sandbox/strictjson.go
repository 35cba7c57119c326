package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

const jsonDepthMax = 32

// checkJSON accepts one JSON value that every parser reads alike. encoding/json by itself takes the last of two equal
// keys, replaces bad UTF-8 and stops at the end of the first value; another reader of the manifest may not.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := checkValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func checkValue(d *json.Decoder, depth int) error {
	if depth > jsonDepthMax {
		return fmt.Errorf("nested deeper than %d", jsonDepthMax)
	}
	token, err := d.Token()
	if err != nil {
		return unexpectedEnd(err)
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return unexpectedEnd(err)
			}
			name, ok := key.(string)
			if !ok {
				return errors.New("object key is not a string")
			}
			if seen[name] {
				return fmt.Errorf("key %q appears twice", name)
			}
			seen[name] = true
		}
		if err := checkValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing delimiter
	return unexpectedEnd(err)
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// members returns the members of a JSON object, refusing any key that is not in allowed. encoding/json would match
// "Kind" to a field named kind; here spelling counts.
func members(where string, data []byte, allowed ...string) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || object == nil {
		return nil, fmt.Errorf("%s is not an object", where)
	}
	for key := range object {
		if !slices.Contains(allowed, key) {
			return nil, fmt.Errorf("%s has the unknown member %q", where, key)
		}
	}
	return object, nil
}

// member decodes one member into target; a missing one leaves target alone, null is refused.
func member(object map[string]json.RawMessage, key string, target any) error {
	raw, ok := object[key]
	if !ok {
		return nil
	}
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return fmt.Errorf("%s is null; leave it out", key)
	}
	if err := json.Unmarshal(raw, target); err != nil {
		return fmt.Errorf("%s has the wrong type", key)
	}
	return nil
}
