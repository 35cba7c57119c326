package golden

import (
	"fmt"
	"reflect"

	"github.com/purserhq/purser/abi"
)

var amountType = reflect.TypeFor[abi.Amount]()

// enumLast is the largest value of each enum. Reflection cannot know it; a value
// too large would not marshal, so a wrong row cannot go unnoticed.
var enumLast = map[reflect.Type]uint64{
	reflect.TypeFor[abi.Outcome]():     uint64(abi.Allow),
	reflect.TypeFor[abi.Evidence]():    uint64(abi.EvidencePinned),
	reflect.TypeFor[abi.Provenance]():  uint64(abi.ProvenanceOwn),
	reflect.TypeFor[abi.ChainStatus](): uint64(abi.ChainStatusExpired),
	reflect.TypeFor[abi.Life]():        uint64(abi.LifeDead),
}

// texts cover what encodings get wrong: escapes, and characters of one to four
// bytes.
var texts = []string{"plain", "quote \" backslash \\ slash /", "tab\tline\nnul\x00", "ä € 𝄞", "0"}

// integers sit at the edges of the variable-length encoding and of 2^53-1.
var integers = []uint64{1, 127, 128, 16383, 16384, 1<<32 + 5, abi.WireIntegerMax}

// decimals sit at the edges of bytes, words and of uint256.
var decimals = []string{
	"1", "255", "256", "10000", "18446744073709551615", "18446744073709551616",
	"10000000000000000000000000000000000000000",
	"115792089237316195423570985008687907853269984665640564039457584007913129639935",
}

// fill sets every field of a message to a value that depends only on where it
// stands. seed makes siblings differ.
func fill(m abi.Message, seed int) {
	fillStruct(reflect.ValueOf(m).Elem(), seed)
}

func fillStruct(v reflect.Value, seed int) {
	for i := range v.NumField() {
		fillField(v.Field(i), seed+i)
	}
}

func fillField(v reflect.Value, seed int) {
	switch {
	case v.Type() == amountType:
		a, err := abi.ParseAmount(decimals[seed%len(decimals)])
		if err != nil {
			panic(err) // the list above is constant
		}
		v.Set(reflect.ValueOf(a))
	case v.Kind() == reflect.String:
		v.SetString(texts[seed%len(texts)])
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Uint64:
		v.SetUint(integers[seed%len(integers)])
	case v.Kind() == reflect.Uint8:
		v.SetUint(enumLast[v.Type()])
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillStruct(v.Elem(), seed)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		v.SetBytes([]byte{byte(seed), 0, 255})
	case v.Kind() == reflect.Slice:
		// Two elements, the second empty: an empty element is written, an empty
		// field is not.
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillField(v.Index(0), seed)
	case v.Kind() == reflect.Struct:
		fillStruct(v, seed)
	default:
		panic(fmt.Sprintf("golden: no value for a field of type %s", v.Type()))
	}
}

// eachField returns one message per field, with that field alone set.
func eachField(name string) []abi.Message {
	var list []abi.Message
	fields := reflect.TypeOf(abi.NewMessage(name)).Elem().NumField()
	for i := range fields {
		m := abi.NewMessage(name)
		fillField(reflect.ValueOf(m).Elem().Field(i), i)
		list = append(list, m)
	}
	return list
}
