package x402

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// marshal writes a wire struct the way JSON.stringify does: members in order, no
// HTML escaping, no line end.
func marshal(wire any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(wire); err != nil {
		return nil, fmt.Errorf("encode %T: %w", wire, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// rawStill returns raw when it still says what value says. Echoes must be sent
// as received, but a caller that changed a member and forgot Raw would sign one
// thing and send another, so disagreement is an error.
func rawStill[T any](raw []byte, value T, parse func([]byte) (T, error)) ([]byte, error) {
	again, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(again, value) {
		return nil, fault(CodeStaleRaw, "", "the members of this %T differ from its Raw: clear Raw after changing one", value)
	}
	return clip(raw), nil
}

// checked parses what an encoder wrote: nothing leaves that our own reader would refuse.
func checked[T any](text []byte, err error, parse func([]byte) (T, error)) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if _, err := parse(text); err != nil {
		return nil, err
	}
	return text, nil
}
