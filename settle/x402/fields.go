package x402

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/purserhq/purser/abi"
)

const (
	textBytesMax     = 4096      // any one string of the protocol, descriptions and URLs included
	safeIntegerMax   = 1<<53 - 1 // above it JavaScript peers round
	timestampSeconds = 20        // digits of the largest uint64
)

// fields reads the members of one JSON object by their exact names. The first
// fault sticks and later reads return zero values, so a parser reads straight
// down and asks once at the end. Names are compared byte for byte: encoding/json
// would take "Amount" for "amount".
type fields struct {
	code    string
	where   string
	members map[string]json.RawMessage
	err     error
}

// readFields opens an object whose text checkJSON has accepted.
func readFields(code, where string, raw []byte) *fields {
	f := &fields{code: code, where: where}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		f.fail("", "want a JSON object")
		return f
	}
	members, err := splitObject(raw)
	if err != nil {
		f.fail("", err.Error())
		return f
	}
	f.members = make(map[string]json.RawMessage, len(members))
	for _, m := range members {
		f.members[m.key] = m.value
	}
	return f
}

// openFields checks a whole document and opens it.
func openFields(code string, text []byte, bytesMax int) *fields {
	if len(text) > bytesMax {
		return &fields{err: fault(CodeTooLarge, "", "%d bytes of JSON, at most %d are read", len(text), bytesMax)}
	}
	if err := checkJSON(text); err != nil {
		return &fields{err: fault(CodeJSON, "", "%s", err)}
	}
	return readFields(code, "", text)
}

func (f *fields) fail(key, message string) {
	if f.err == nil {
		f.err = fault(f.code, place(f.where, key), "%s", message)
	}
}

// adopt makes the fault of a nested parser this object's fault.
func (f *fields) adopt(err error) {
	if f.err == nil {
		f.err = err
	}
}

// has reports a member that is present and not null: the official parsers map
// null to absent.
func (f *fields) has(key string) bool {
	value, ok := f.members[key]
	return ok && !bytes.Equal(value, []byte("null"))
}

// text reads a required string.
func (f *fields) text(key string) string {
	if f.err != nil {
		return ""
	}
	value, ok := f.members[key]
	if !ok || value[0] != '"' {
		f.fail(key, "want a string")
		return ""
	}
	s, err := unquote(value)
	if err != nil || len(s) > textBytesMax {
		f.fail(key, "want a string of at most "+strconv.Itoa(textBytesMax)+" bytes")
		return ""
	}
	return s
}

// nonEmpty reads a required string that is not "".
func (f *fields) nonEmpty(key string) string {
	s := f.text(key)
	if s == "" {
		f.fail(key, "must not be empty")
	}
	return s
}

// textOr reads an optional string; absent and null are "".
func (f *fields) textOr(key string) string {
	if f.err != nil || !f.has(key) {
		return ""
	}
	return f.text(key)
}

// amount reads a decimal string. Numbers, hex, signs, points and leading zeros
// are refused although the official packages take some of them: 1e22 and 0x10
// do not survive every JSON library.
func (f *fields) amount(key string) abi.Amount {
	s := f.text(key)
	if f.err != nil {
		return abi.Amount{}
	}
	a, err := abi.ParseAmount(s)
	if err != nil {
		f.err = &abi.Error{
			Code: f.code, Message: "want a plain decimal integer in a string",
			Where: place(f.where, key), Cause: err,
		}
	}
	return a
}

// timestamp reads Unix seconds written as a decimal string.
func (f *fields) timestamp(key string) uint64 {
	a := f.amount(key)
	seconds, ok := a.Uint64()
	if !ok {
		f.fail(key, "want Unix seconds of at most "+strconv.Itoa(timestampSeconds)+" digits below 2^64")
		return 0
	}
	return seconds
}

// network reads a CAIP-2 chain id.
func (f *fields) network(key string) abi.Network {
	s := f.text(key)
	if f.err != nil {
		return ""
	}
	n, err := abi.ParseNetwork(s)
	if err != nil {
		f.err = &abi.Error{Code: f.code, Message: "want a CAIP-2 chain id", Where: place(f.where, key), Cause: err}
	}
	return n
}

// integer reads a JSON number from 1 to 2^53-1 written without point or exponent.
func (f *fields) integer(key string) int64 {
	if f.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(f.members[key]), 10, 64)
	if err != nil || n < 1 || n > safeIntegerMax {
		f.fail(key, "want a whole JSON number above zero")
		return 0
	}
	return n
}

// boolean reads a required true or false.
func (f *fields) boolean(key string) bool {
	if f.err != nil {
		return false
	}
	switch string(f.members[key]) {
	case "true":
		return true
	case "false":
	default:
		f.fail(key, "want true or false")
	}
	return false
}

// object reads an optional object and copies its bytes; absent and null are nil.
func (f *fields) object(key string) json.RawMessage {
	if f.err != nil || !f.has(key) {
		return nil
	}
	if f.members[key][0] != '{' {
		f.fail(key, "want a JSON object")
		return nil
	}
	return clip(f.members[key])
}

// array reads a required array of at most elementsMax values.
func (f *fields) array(key string, elementsMax int) []json.RawMessage {
	if f.err != nil {
		return nil
	}
	value, ok := f.members[key]
	if !ok || value[0] != '[' {
		f.fail(key, "want an array")
		return nil
	}
	elements, err := splitArray(value)
	if err != nil || len(elements) > elementsMax {
		f.fail(key, "want an array of at most "+strconv.Itoa(elementsMax)+" elements")
		return nil
	}
	return elements
}

// version reads x402Version and wants the number 2. The message is the official
// merchant's, because it ends up in the 402 as it is.
func (f *fields) version() int {
	if f.err != nil {
		return 0
	}
	value, ok := f.members["x402Version"]
	if string(value) == "2" {
		return Version
	}
	shown := "undefined"
	if ok {
		shown = string(bytes.Trim(value[:min(len(value), 16)], `"`))
	}
	f.err = fault(CodeVersion, place(f.where, "x402Version"), "Unsupported x402 version: %s", shown)
	return 0
}
