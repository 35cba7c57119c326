package preimage

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
)

// These vectors were computed with ethers 6 (TypedDataEncoder), which shares no code with this package.
const (
	vectorDomain   = "8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f52878b207aaddbfc15ea7bebcda681eb8ccd306e2227b61cef68505c8c056341ad7c5bef027816a800da1736444fb58a807ef4c9603b7848673f7e3a68eb14a50000000000000000000000000000000000000000000000000000000000002105000000000000000000000000833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	vectorTransfer = vectorDomain + "7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a22670000000000000000000000002c7536e3605d9c16a7a3d7b1898e529396a65c2300000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c800000000000000000000000000000000000000000000000000000000000027100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006b49d23c70c60b49e332aa76fc9f1facd0843fff86fa6136dcf7846b25983d5135ffbf89"
	vectorCancel   = vectorDomain + "158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a15974290000000000000000000000002c7536e3605d9c16a7a3d7b1898e529396a65c2370c60b49e332aa76fc9f1facd0843fff86fa6136dcf7846b25983d5135ffbf89"

	vectorPayer          = "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"
	vectorPayee          = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
	vectorTransferDigest = "296120694b7ac7224ee4aed71d410aa13d11368e57eef2ac0b3a7880967deeea"
	vectorCancelDigest   = "9055758f59caebd89721e500c130357adcfed03131d68884ef0ad10f5b3e8f33"
)

func vectorToken(t testing.TB) pinned.Token {
	t.Helper()
	token, ok := pinned.Builtin().ByContract(8453, "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913")
	if !ok {
		t.Fatal("USDC on Base is not pinned")
	}
	return token
}

func vectorNonce(t testing.TB) [32]byte {
	return [32]byte(unhex(t, "70c60b49e332aa76fc9f1facd0843fff86fa6136dcf7846b25983d5135ffbf89"))
}

func TestATransferDecodesToItsFieldsAndBack(t *testing.T) {
	raw := unhex(t, vectorTransfer)
	got, err := Decode(KindEIP712, raw, pinned.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	want := Transfer{
		Token: vectorToken(t), Payer: vectorPayer, Payee: vectorPayee, Amount: abi.NewAmount(10000),
		ValidBefore: 1800000060, Nonce: vectorNonce(t),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(abi.Amount{})); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(got.Encode(), raw) {
		t.Error("does not re-encode to the same bytes")
	}
}

func TestACancelDecodesToItsFieldsAndBack(t *testing.T) {
	raw := unhex(t, vectorCancel)
	got, err := DecodeCancel(KindEIP712, raw, pinned.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	want := Cancel{Token: vectorToken(t), Authorizer: vectorPayer, Nonce: vectorNonce(t)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	transfer, err := Decode(KindEIP712, unhex(t, vectorTransfer), pinned.Builtin())
	if err != nil || !bytes.Equal(CancelOf(transfer).Encode(), raw) {
		t.Errorf("the cancellation of the transfer is not this one: %v", err)
	}
}

func TestDigestsAgreeWithEthers(t *testing.T) {
	for raw, want := range map[string]string{vectorTransfer: vectorTransferDigest, vectorCancel: vectorCancelDigest} {
		got, err := Digest(KindEIP712, unhex(t, raw))
		if err != nil || hex.EncodeToString(got[:]) != want {
			t.Errorf("digest %x %v, want %s", got, err, want)
		}
	}
}

// The domain separator of EIP-712's own example ("Ether Mail") uses the same domain type.
func TestTheDomainEncodingIsTheOneOfEIP712sExample(t *testing.T) {
	mail := pinned.Token{Asset: "eip155:1/erc20:0xcccccccccccccccccccccccccccccccccccccccc", Name: "Ether Mail", Version: "1"}
	got := Keccak256(encodeDomain(mail))
	if hex.EncodeToString(got[:]) != "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f" {
		t.Errorf("separator %x", got)
	}
}

func TestCancelAndTransferAreNeverConfused(t *testing.T) {
	if got, err := Decode(KindEIP712, unhex(t, vectorCancel), pinned.Builtin()); abi.CodeOf(err) != "preimage_invalid" || got != (Transfer{}) {
		t.Errorf("a cancel decoded as a payment: %+v %v", got, err)
	}
	if got, err := DecodeCancel(KindEIP712, unhex(t, vectorTransfer), pinned.Builtin()); abi.CodeOf(err) != "preimage_invalid" || got != (Cancel{}) {
		t.Errorf("a payment decoded as a cancel: %+v %v", got, err)
	}
}

// put overwrites one 32-byte word of the vector.
func put(t testing.TB, vector string, index int, wordHex string) []byte {
	raw := unhex(t, vector)
	copy(raw[index*32:(index+1)*32], unhex(t, wordHex))
	return raw
}

func TestEveryForeignOrUncleanPreimageIsRefusedByName(t *testing.T) {
	const receive = "d099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8"
	zeros, ones := strings.Repeat("00", 32), strings.Repeat("ff", 32)
	name := Keccak256([]byte("USDC"))
	dirty := func(address string) string { return "000000000000000000000001" + address[2:] }
	raw := unhex(t, vectorTransfer)
	cases := []struct {
		name, kind string
		preimage   []byte
		code       string
		where      string
	}{
		{"unknown kind", "evm-tx", raw, "signing_kind_unknown", ""},
		{"no kind", "", raw, "signing_kind_unknown", ""},
		{"kind in capitals", "EIP712", raw, "signing_kind_unknown", ""},
		{"nothing", KindEIP712, nil, "preimage_invalid", "length"},
		{"a bare digest", KindEIP712, unhex(t, vectorTransferDigest), "preimage_invalid", "length"},
		{"the 66 bytes that hide everything", KindEIP712, make([]byte, 66), "preimage_invalid", "length"},
		{"one byte short", KindEIP712, raw[:len(raw)-1], "preimage_invalid", "length"},
		{"one byte long", KindEIP712, append(bytes.Clone(raw), 0), "preimage_invalid", "length"},
		{"another domain type", KindEIP712, put(t, vectorTransfer, 0, zeros), "preimage_invalid", "domain.type_hash"},
		{"ReceiveWithAuthorization", KindEIP712, put(t, vectorTransfer, 5, receive), "preimage_invalid", "type_hash"},
		{"cancel's type hash on a transfer", KindEIP712, put(t, vectorTransfer, 5, hex.EncodeToString(typeHashCancel[:])), "preimage_invalid", "type_hash"},
		{"another domain name", KindEIP712, put(t, vectorTransfer, 1, hex.EncodeToString(name[:])), "preimage_invalid", "domain.name"},
		{"another domain version", KindEIP712, put(t, vectorTransfer, 2, zeros), "preimage_invalid", "domain.version"},
		{"another chain", KindEIP712, put(t, vectorTransfer, 3, strings.Repeat("00", 31)+"01"), "token_unknown", "eip155:1/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"},
		{"chain id above 64 bits, low bits right", KindEIP712, put(t, vectorTransfer, 3, strings.Repeat("00", 23)+"01"+"0000000000002105"), "preimage_invalid", "domain.chain_id"},
		{"another contract", KindEIP712, put(t, vectorTransfer, 4, zeros), "token_unknown", "eip155:8453/erc20:0x0000000000000000000000000000000000000000"},
		{"dirty contract", KindEIP712, put(t, vectorTransfer, 4, dirty("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913")), "preimage_invalid", "domain.verifying_contract"},
		{"dirty payer", KindEIP712, put(t, vectorTransfer, 6, dirty(vectorPayer)), "preimage_invalid", "payer"},
		{"dirty payee", KindEIP712, put(t, vectorTransfer, 7, dirty(vectorPayee)), "preimage_invalid", "payee"},
		{"begins after the end of time", KindEIP712, put(t, vectorTransfer, 9, ones), "preimage_invalid", "valid_after"},
		{"never ends", KindEIP712, put(t, vectorTransfer, 10, ones), "preimage_invalid", "valid_before"},
		{"ends at 2^53", KindEIP712, put(t, vectorTransfer, 10, strings.Repeat("00", 25)+"20000000000000"), "preimage_invalid", "valid_before"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode(c.kind, c.preimage, pinned.Builtin())
			var coded *abi.Error
			if !errors.As(err, &coded) || coded.Code != c.code || coded.Where != c.where {
				t.Errorf("got %v, want %s at %q", err, c.code, c.where)
			}
			if got != (Transfer{}) {
				t.Errorf("an error came with a transfer: %+v", got)
			}
		})
	}
}

func TestADirtyAuthorizerIsRefused(t *testing.T) {
	_, err := DecodeCancel(KindEIP712, put(t, vectorCancel, 6, strings.Repeat("ff", 32)), pinned.Builtin())
	if abi.CodeOf(err) != "preimage_invalid" {
		t.Error(err)
	}
}

func TestDigestRefusesWhatNoDecoderReads(t *testing.T) {
	for name, raw := range map[string][]byte{
		"a digest": make([]byte, 32), "unknown struct": put(t, vectorTransfer, 5, strings.Repeat("00", 32)), "empty": nil,
	} {
		if got, err := Digest(KindEIP712, raw); err == nil || got != ([32]byte{}) {
			t.Errorf("%s: %x %v", name, got, err)
		}
	}
	if _, err := Digest("personal_sign", unhex(t, vectorTransfer)); abi.CodeOf(err) != "signing_kind_unknown" {
		t.Error(err)
	}
}

func TestTheLargestAmountAndTimeSurvive(t *testing.T) {
	raw := put(t, vectorTransfer, 8, strings.Repeat("ff", 32))
	copy(raw[10*32:], unhex(t, strings.Repeat("00", 25)+"1fffffffffffff"))
	got, err := Decode(KindEIP712, raw, pinned.Builtin())
	if err != nil || got.ValidBefore != 1<<53-1 ||
		got.Amount.String() != "115792089237316195423570985008687907853269984665640564039457584007913129639935" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAnEmptyTableSignsNothing(t *testing.T) {
	if _, err := Decode(KindEIP712, unhex(t, vectorTransfer), pinned.Table{}); abi.CodeOf(err) != "token_unknown" {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(KindEIP712, unhex(f, vectorTransfer))
	f.Add(KindEIP712, unhex(f, vectorCancel))
	f.Add("evm-tx", []byte{0xf8})
	f.Add(KindEIP712, make([]byte, TransferBytes))
	tokens := pinned.Builtin()
	f.Fuzz(func(t *testing.T, kind string, raw []byte) {
		before := bytes.Clone(raw)
		transfer, err := Decode(kind, raw, tokens)
		cancel, cancelErr := DecodeCancel(kind, raw, tokens)
		_, digestErr := Digest(kind, raw)
		if err == nil && !bytes.Equal(transfer.Encode(), raw) || cancelErr == nil && !bytes.Equal(cancel.Encode(), raw) {
			t.Error("accepted bytes do not come back")
		}
		if err == nil && cancelErr == nil {
			t.Error("the same bytes pay and cancel")
		}
		if digestErr != nil && (err == nil || cancelErr == nil) {
			t.Error("decodable bytes have no digest")
		}
		if err != nil && abi.CodeOf(err) == "internal" || cancelErr != nil && abi.CodeOf(cancelErr) == "internal" {
			t.Error("an error without a code")
		}
		if !bytes.Equal(before, raw) {
			t.Error("the input was changed")
		}
	})
}
