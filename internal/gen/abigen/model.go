package main

// schema is what every language back end reads: the proto file, checked, with
// all names resolved. Back ends may rely on everything parse refused.
type schema struct {
	messages []*message // in file order
	enums    []*enum    // in file order
}

// message is one message type. Its fields ascend in number, so that writing
// them in order is writing them canonically.
type message struct {
	name   string
	doc    []string
	fields []*field
	line   int
	// amount marks the type that each SDK writes by hand as a number.
	amount bool
	// depth counts the messages on the longest way down, this one included.
	depth int
}

type field struct {
	name     string // snake_case, as in the JSON view
	number   uint64
	repeated bool
	kind     kind
	typeName string   // for kindEnum and kindMessage
	message  *message // for kindMessage
	enum     *enum    // for kindEnum
	doc      []string
	line     int
}

type enum struct {
	name   string
	doc    []string
	values []enumValue // dense from 0
	line   int
}

type enumValue struct {
	name string // without the enum's prefix, lower case: signed_offer
	doc  []string
}

type kind int

const (
	kindString kind = iota
	kindBytes
	kindBool
	kindUint64
	kindEnum
	kindMessage
)

var scalarKinds = map[string]kind{
	"string": kindString, "bytes": kindBytes, "bool": kindBool, "uint64": kindUint64,
}

// isAmount reports whether the field holds the SDK's number type.
func (f *field) isAmount() bool { return f.kind == kindMessage && f.message.amount }
