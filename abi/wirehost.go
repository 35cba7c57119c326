package abi

import "fmt"

// skipUnknownFields is false on the host: a guest that sends a field the host
// does not know might mean something by it, and guessing is not reading.
const skipUnknownFields = false

func badWire(where, problem string) error {
	return &Error{
		Code: "bad_wire", Message: problem, Where: where,
		Fix: "send the canonical bytes that abi/v1.md describes",
	}
}

func badMessage(where, problem string) error {
	return &Error{Code: "bad_message", Message: problem, Where: where}
}

func badEnum(enum, got string) error {
	return &Error{Code: enum + "_invalid", Message: fmt.Sprintf("%.40q is not a known %s", got, enum)}
}
