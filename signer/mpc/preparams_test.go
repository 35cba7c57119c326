package mpc

import (
	"bytes"
	"math/big"
	"os"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestPreParamsHaveOneEncodingAndSpentOnesNone(t *testing.T) {
	file, err := os.ReadFile("testdata/preparams1.bin")
	if err != nil {
		t.Fatal(err)
	}
	pre := testPreParams(t, Runtime)
	data, err := pre.MarshalBinary()
	if err != nil || !bytes.Equal(data, file) {
		t.Errorf("the pre-parameters do not encode to the bytes they were read from: %v", err)
	}
	// What follows from the encoded numbers is what the library computes: h1 is h2 to the power of beta.
	n := pre.secret.numbers
	if new(big.Int).Exp(n.H2i, n.Beta, n.NTildei).Cmp(n.H1i) != 0 {
		t.Error("the exponents between the bases are not inverse")
	}
	if err := pre.spend(); err != nil {
		t.Fatal(err)
	}
	if err := pre.spend(); abi.CodeOf(err) != CodeInputInvalid {
		t.Errorf("spent twice: %v", err)
	}
	if _, err := pre.MarshalBinary(); abi.CodeOf(err) != CodeInputInvalid {
		t.Errorf("spent pre-parameters encoded: %v", err)
	}
	if _, err := (PreParams{}).MarshalBinary(); abi.CodeOf(err) != CodeInputInvalid {
		t.Errorf("no pre-parameters encoded: %v", err)
	}
}

func TestBytesThatAreNoPreParamsAreRefused(t *testing.T) {
	good, err := os.ReadFile("testdata/preparams1.bin")
	if err != nil {
		t.Fatal(err)
	}
	head := len(preParamsMagic) + 1
	change := func(edit func([]byte)) []byte {
		data := bytes.Clone(good)
		edit(data)
		return data
	}
	at := func(i int) int { return head + i*primeBytes }
	tests := map[string][]byte{
		"nothing":             nil,
		"one byte less":       good[:len(good)-1],
		"one byte more":       append(bytes.Clone(good), 0),
		"another magic":       change(func(d []byte) { d[0]++ }),
		"another version":     change(func(d []byte) { d[head-1]++ }),
		"a Paillier factor":   change(func(d []byte) { d[at(1)-1] ^= 2 }),
		"a ring factor":       change(func(d []byte) { d[at(3)-1] ^= 4 }),
		"equal factors":       change(func(d []byte) { copy(d[at(1):at(2)], d[at(0):at(1)]) }),
		"a ring of Paillier":  change(func(d []byte) { copy(d[at(2):at(3)], d[at(0):at(1)]) }),
		"a base of zero":      change(func(d []byte) { clear(d[at(4) : at(4)+modulusBytes]) }),
		"a base of one":       change(func(d []byte) { clear(d[at(4) : at(4)+modulusBytes]); d[at(4)+modulusBytes-1] = 1 }),
		"a base out of range": change(func(d []byte) { copy(d[at(4):], bytes.Repeat([]byte{0xff}, modulusBytes)) }),
		"an exponent of zero": change(func(d []byte) { clear(d[at(4)+modulusBytes:]) }),
		"an exponent of one":  change(func(d []byte) { clear(d[at(4)+modulusBytes:]); d[len(d)-1] = 1 }),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			var pre PreParams
			wantCode(t, pre.UnmarshalBinary(data), CodeKeyshareInvalid)
			if pre.secret != nil {
				t.Error("refused pre-parameters were kept")
			}
		})
	}
}

func FuzzPreParamsDecoder(f *testing.F) {
	good, err := os.ReadFile("testdata/preparams1.bin")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(preParamsMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		var pre PreParams
		if err := pre.UnmarshalBinary(data); err != nil {
			wantCode(t, err, CodeKeyshareInvalid)
			return
		}
		again, err := pre.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("the decoded pre-parameters encode to something else: %v", err)
		}
	})
}
