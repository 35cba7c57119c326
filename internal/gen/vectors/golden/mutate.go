package golden

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"github.com/purserhq/purser/abi"
)

// mutation is one way to write a message that is not the canonical one.
type mutation struct {
	name       string
	wire       []byte
	guestSkips bool
}

// rawField is one field as it stands on the wire.
type rawField struct {
	number, kind uint64
	value        uint64 // of a varint
	data         []byte
}

const (
	varintKind = 0
	bytesKind  = 2
	// unknownNumber is above every field number in the schema.
	unknownNumber = 1000
)

func (f rawField) bytes() []byte {
	b := binary.AppendUvarint(nil, f.number<<3|f.kind)
	if f.kind == varintKind {
		return binary.AppendUvarint(b, f.value)
	}
	return append(binary.AppendUvarint(b, uint64(len(f.data))), f.data...)
}

func join(fields []rawField) []byte {
	var b []byte
	for _, f := range fields {
		b = append(b, f.bytes()...)
	}
	return b
}

// split takes canonical bytes apart, one level deep.
func split(wire []byte) []rawField {
	var fields []rawField
	for len(wire) > 0 {
		tag, n := binary.Uvarint(wire)
		value, k := binary.Uvarint(wire[n:])
		wire = wire[n+k:]
		f := rawField{number: tag >> 3, kind: tag & 7, value: value}
		if f.kind == bytesKind {
			f.data, wire = wire[:value], wire[value:]
		}
		fields = append(fields, f)
	}
	return fields
}

// mutate makes every wrong spelling of a message in which all fields are set.
func mutate(full abi.Message) ([]mutation, error) {
	wire, err := full.Marshal()
	if err != nil {
		return nil, err
	}
	fields := split(wire)
	list := []mutation{
		{name: "unknown number", wire: slices.Concat(wire, rawField{number: unknownNumber, value: 1}.bytes()), guestSkips: true},
		{name: "unknown bytes", wire: slices.Concat(wire, rawField{number: unknownNumber, kind: bytesKind, data: []byte("new")}.bytes()), guestSkips: true},
		{name: "field number 0", wire: []byte{0, 1}},
		{name: "wire type 1", wire: slices.Concat(wire, []byte{0xc1, 0x3e}, make([]byte, 8))},
		{name: "wire type 5", wire: slices.Concat(wire, []byte{0xc5, 0x3e}, make([]byte, 4))},
		{name: "group", wire: slices.Concat(wire, []byte{0xc3, 0x3e, 0xc4, 0x3e})},
		{name: "tag alone", wire: slices.Concat(wire, []byte{0xc2, 0x3e})},
		{name: "tag cut short", wire: slices.Concat(wire, []byte{0xc2})},
		{name: "tag of ten bytes", wire: []byte{0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01}},
		{name: "length behind the end", wire: slices.Concat(wire, []byte{0xc2, 0x3e, 0x7f, 1})},
	}
	if len(fields) == 0 {
		return list, nil
	}
	list = append(list,
		mutation{name: "last byte missing", wire: wire[:len(wire)-1]},
		mutation{name: "first tag not minimal", wire: slices.Concat([]byte{wire[0] | 0x80, 0}, wire[1:])})
	if last := fields[len(fields)-1]; last.number != fields[0].number {
		list = append(list, mutation{name: "last field first", wire: slices.Concat(last.bytes(), join(fields[:len(fields)-1]))})
	}
	return append(list, mutateFields(reflect.TypeOf(full).Elem(), fields)...), nil
}

func mutateFields(t reflect.Type, fields []rawField) []mutation {
	var list []mutation
	// The i-th distinct number on the wire is the i-th field of the struct: all
	// are set, and both ascend.
	index := -1
	for at, f := range fields {
		if at > 0 && fields[at-1].number == f.number {
			continue
		}
		index++
		for _, w := range wrongFields(t.Field(index).Type, f) {
			w.name = fmt.Sprintf("field %d: %s", f.number, w.name)
			list = append(list, w)
		}
	}
	return list
}

// wrongFields returns messages that hold the one field, written wrongly.
func wrongFields(t reflect.Type, f rawField) []mutation {
	var list []mutation
	add := func(name string, wire []byte) { list = append(list, mutation{name: name, wire: wire}) }
	other := rawField{number: f.number, kind: bytesKind - f.kind, value: 1, data: []byte("1")}
	add("other wire type", other.bytes())
	isBytes := t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
	repeated := t.Kind() == reflect.Slice && !isBytes
	if repeated {
		t = t.Elem()
	} else {
		add("twice", slices.Concat(f.bytes(), f.bytes()))
	}
	if zero := (rawField{number: f.number, kind: f.kind}); !repeated && t.Kind() != reflect.Pointer {
		add("zero written", zero.bytes())
	}
	number := func(v uint64) []byte { return rawField{number: f.number, value: v}.bytes() }
	switch t.Kind() {
	case reflect.String:
		f.data = []byte{'a', 0xff}
		add("not UTF-8", f.bytes())
		f.data = []byte{0xed, 0xa0, 0x80}
		add("surrogate", f.bytes())
		f.data = []byte{0xc0, 0x80}
		add("overlong UTF-8", f.bytes())
	case reflect.Bool:
		add("bool 2", number(2))
	case reflect.Uint8:
		add("unknown value", number(enumLast[t]+1))
		add("value beyond a byte", number(256))
	case reflect.Uint64:
		add("2^53", number(abi.WireIntegerMax+1))
		add("2^64-1", number(1<<64-1))
		tag := number(1)
		add("number not minimal", append(tag[:len(tag)-1], 0x81, 0))
	case reflect.Struct:
		if t == amountType {
			for _, w := range wrongAmounts() {
				f.data = w.wire
				add(w.name, f.bytes())
			}
		}
	}
	return list
}

// wrongAmounts are Amount messages that are not one number in its two spellings.
func wrongAmounts() []mutation {
	amount := func(decimal string, bigEndian ...byte) []byte {
		var b []byte
		if decimal != "" {
			b = rawField{number: 1, kind: bytesKind, data: []byte(decimal)}.bytes()
		}
		if len(bigEndian) > 0 {
			b = append(b, rawField{number: 2, kind: bytesKind, data: bigEndian}.bytes()...)
		}
		return b
	}
	overflow := make([]byte, 33)
	overflow[0] = 1
	return []mutation{
		{name: "amount twins differ", wire: amount("10", 11)},
		{name: "amount without decimal", wire: amount("", 10)},
		{name: "amount without bytes", wire: amount("10")},
		{name: "amount zero spelled out", wire: amount("0")},
		{name: "amount decimal with leading zero", wire: amount("010", 10)},
		{name: "amount decimal with sign", wire: amount("+10", 10)},
		{name: "amount in hexadecimal", wire: amount("0xa", 10)},
		{name: "amount bytes with leading zero", wire: amount("10", 0, 10)},
		{name: "amount of 2^256", wire: amount("115792089237316195423570985008687907853269984665640564039457584007913129639936", overflow...)},
		{name: "amount with unknown field", wire: append(amount("10", 10), rawField{number: 3, value: 1}.bytes()...)},
		{name: "amount fields swapped", wire: slices.Concat(amount("", 10), amount("10"))},
	}
}
