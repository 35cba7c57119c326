package preimage

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKeccakIsTheLegacyOneAndJoinsItsParts(t *testing.T) {
	const empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
	if got := Keccak256(); hex.EncodeToString(got[:]) != empty {
		t.Errorf("keccak of nothing is %x", got)
	}
	if Keccak256([]byte("ab"), nil, []byte("c")) != Keccak256([]byte("abc")) {
		t.Error("parts are not simply joined")
	}
}

func TestTypeHashesAreTheHashesOfTheirTypes(t *testing.T) {
	for text, want := range map[string][32]byte{
		"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)":                                    typeHashDomain,
		"TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)": typeHashTransfer,
		"CancelAuthorization(address authorizer,bytes32 nonce)":                                                                 typeHashCancel,
	} {
		if got := Keccak256([]byte(text)); got != want {
			t.Errorf("%s: %x, want %x", text, got, want)
		}
	}
}

func TestAnAddressIsTheEndOfTheKeysHash(t *testing.T) {
	cases := map[string]string{ // secp256k1 keys 1 and 2, whose addresses are published everywhere
		"0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8": "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf",
		"04c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee51ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a": "0x2b5ad5c4795c026514f8317c7a215e218dccd6cf",
	}
	for key, want := range cases {
		got, err := EVMAddress(unhex(t, key))
		if err != nil || got != want {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
}

func TestAKeyNobodyCouldHoldHasNoAddress(t *testing.T) {
	good := unhex(t, "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
	change := func(index int, value byte) []byte {
		bad := append([]byte(nil), good...)
		bad[index] = value
		return bad
	}
	aboveField := append([]byte{4}, unhex(t, strings.Repeat("ff", 64))...)
	for name, key := range map[string][]byte{
		"nil": nil, "no prefix": good[1:], "compressed": append([]byte{2}, good[1:33]...), "hybrid": change(0, 6),
		"off the curve": change(64, 0xb9), "coordinates above the field": aboveField, "the origin": append([]byte{4}, make([]byte, 64)...),
		"one byte more": append(change(0, 4), 0),
	} {
		if address, err := EVMAddress(key); abi.CodeOf(err) != "public_key_invalid" || address != "" {
			t.Errorf("%s: %q %v", name, address, err)
		}
	}
}

func TestChecksumsAreEIP55(t *testing.T) {
	for _, want := range []string{ // the test cases of EIP-55
		"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
		"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	} {
		if got := Checksum("0x" + strings.ToLower(want[2:])); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := Checksum("0x" + strings.ToUpper(want[2:])); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, bad := range []string{
		"", "0x", "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed00",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd", "0xgaAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
	} {
		if got := Checksum(bad); got != "" {
			t.Errorf("Checksum(%q) = %q", bad, got)
		}
	}
}
