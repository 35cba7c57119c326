package sdktest

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/purserhq/purser/abi"
)

// guestOracle says what a guest must make of bytes: package abi's answer to them without the fields that the schema
// does not have, which a guest skips and the host refuses.
type guestOracle struct {
	// fields holds, by message and field number, the type of each field.
	fields map[string]map[uint64]string
}

var (
	protoMessage = regexp.MustCompile(`(?m)^message (\w+) \{([^}]*)\}`)
	protoField   = regexp.MustCompile(`(?m)^\s*(?:repeated )?(\w+) \w+ = (\d+);`)
)

func readGuestOracle(t *testing.T) guestOracle {
	t.Helper()
	// A message's line may end in a comment; fields never hold braces.
	schema := regexp.MustCompile(`(?m)//.*$`).ReplaceAll(readFile(t, filepath.Join(root, "abi/purser.proto")), nil)
	oracle := guestOracle{map[string]map[uint64]string{}}
	for _, m := range protoMessage.FindAllSubmatch(schema, -1) {
		fields := map[uint64]string{}
		for _, f := range protoField.FindAllSubmatch(m[2], -1) {
			number, err := strconv.ParseUint(string(f[2]), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			fields[number] = string(f[1])
		}
		oracle.fields[string(m[1])] = fields
	}
	for _, name := range abi.MessageNames() {
		if oracle.fields[name] == nil {
			t.Fatalf("the schema was read without %s", name)
		}
	}
	return oracle
}

// reads returns the bytes that a guest must write again, ok false when it must refuse. They differ from wire when a
// field was skipped.
func (o guestOracle) reads(message string, wire []byte) (canonical []byte, ok bool) {
	if abi.NewMessage(message).Unmarshal(wire) == nil {
		return wire, true
	}
	known, ok := o.withoutUnknown(message, wire)
	if !ok || bytes.Equal(known, wire) || abi.NewMessage(message).Unmarshal(known) != nil {
		return nil, false
	}
	return known, true
}

// withoutUnknown is strict where leaving out a field would hide a fault; all others are package abi's to find.
func (o guestOracle) withoutUnknown(message string, wire []byte) (known []byte, ok bool) {
	known = []byte{}
	last := uint64(0)
	for len(wire) > 0 {
		tag, tagBytes, ok := strictVarint(wire)
		number := tag >> 3
		if !ok || number == 0 || number < last {
			return nil, false
		}
		last = number
		value, valueBytes, ok := strictVarint(wire[tagBytes:])
		if !ok {
			return nil, false
		}
		whole := tagBytes + valueBytes
		if tag&7 == 2 {
			if value > uint64(len(wire)-whole) {
				return nil, false
			}
			whole += int(value)
		} else if tag&7 != 0 {
			return nil, false
		}
		kind, isKnown := o.fields[message][number]
		content := wire[tagBytes+valueBytes : whole]
		if inner := o.fields[kind]; isKnown && tag&7 == 2 && inner != nil && kind != "Amount" {
			if content, ok = o.withoutUnknown(kind, content); !ok {
				return nil, false
			}
			known = append(known, wire[:tagBytes]...)
			known = binary.AppendUvarint(known, uint64(len(content)))
			known = append(known, content...)
		} else if isKnown {
			known = append(known, wire[:whole]...)
		}
		wire = wire[whole:]
	}
	return known, true
}

func strictVarint(b []byte) (value uint64, width int, ok bool) {
	value, width = binary.Uvarint(b)
	shortest := max(1, (bits.Len64(value)+6)/7)
	return value, width, width == shortest && value <= abi.WireIntegerMax
}
