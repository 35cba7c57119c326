package x402

import (
	"encoding/json"
	"regexp"

	"github.com/purserhq/purser/abi"
)

const identifierExtension = "payment-identifier"

var identifierForm = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)

// AddIdentifier returns the extensions of a payment: everything the merchant
// sent, with info.id of payment-identifier set to id. A merchant that did not
// advertise the extension ignores it. received may be nil. The id is 16 to 128 of
// [A-Za-z0-9_-] and should be the same for every repeat of one purchase.
func AddIdentifier(received json.RawMessage, id string) (json.RawMessage, error) {
	if !identifierForm.MatchString(id) {
		return nil, &abi.Error{Code: "payment_identifier_invalid", Message: "want 16 to 128 of letters, digits, _ and -"}
	}
	quoted, err := marshal(id)
	if err != nil {
		return nil, err
	}
	extension, err := memberOf(received, identifierExtension)
	if err != nil {
		return nil, err
	}
	info, err := memberOf(extension, "info")
	if err != nil {
		return nil, err
	}
	if info, err = setMember(info, "id", quoted); err != nil {
		return nil, err
	}
	if extension, err = setMember(extension, "info", info); err != nil {
		return nil, err
	}
	return setMember(received, identifierExtension, extension)
}

// Identifier returns info.id of payment-identifier, or "" when the payment has
// none or one of the wrong form.
func Identifier(extensions json.RawMessage) string {
	extension, err := memberOf(extensions, identifierExtension)
	if err != nil {
		return ""
	}
	info, err := memberOf(extension, "info")
	if err != nil || info == nil {
		return ""
	}
	id := readFields(CodePayload, "", info).textOr("id")
	if !identifierForm.MatchString(id) {
		return ""
	}
	return id
}

// memberOf returns an object member of an object; nil when either is absent.
func memberOf(object json.RawMessage, key string) (json.RawMessage, error) {
	if object == nil {
		return nil, nil
	}
	f := openFields(CodePayload, object, documentBytesMax)
	value := f.object(key)
	return value, f.err
}

// setMember writes one member, keeping the order of the others.
func setMember(object json.RawMessage, key string, value json.RawMessage) (json.RawMessage, error) {
	var members []member
	if object != nil {
		var err error
		if members, err = splitObject(object); err != nil {
			return nil, fault(CodeJSON, key, "%s", err)
		}
	}
	out := []byte{'{'}
	written := false
	for _, m := range append(members, member{key, value}) {
		if m.key == key {
			if written {
				continue
			}
			written, m.value = true, value
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, err := marshal(m.key)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(out, '}'), nil
}
