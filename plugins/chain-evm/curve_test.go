package main

import (
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeccakMatchesPublishedSums(t *testing.T) {
	for text, want := range map[string]string{
		"":    "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
		"abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
		"The quick brown fox jumps over the lazy dog": "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
	} {
		if got := keccak256([]byte(text)); hex.EncodeToString(got[:]) != want {
			t.Errorf("%q: %x", text, got)
		}
	}
}

// TestKeccakPadsEveryLength compares one message hashed whole and in parts around the block edges, where padding
// may need a block of its own.
func TestKeccakPadsEveryLength(t *testing.T) {
	seen := map[[32]byte]int{}
	for n := range 3*keccakRateBytes + 2 {
		message := make([]byte, n)
		sum := keccak256(message)
		if sum != keccak256(message[:n/2], message[n/2:]) {
			t.Errorf("%d bytes in two parts differ", n)
		}
		if other, ok := seen[sum]; ok {
			t.Errorf("%d and %d zero bytes have the same sum", n, other)
		}
		seen[sum] = n
	}
}

func TestTypeHashesAndSelectorsAreTheKnownOnes(t *testing.T) {
	for want, got := range map[string][]byte{
		"8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f": typeHashDomain[:],
		"7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267": typeHashTransfer[:],
		"ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef": topicTransfer[:],
		"98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5": topicUsed[:],
		"1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81": topicCanceled[:],
		"e3ee160e": selector("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"),
		"e94a0102": selector("authorizationState(address,bytes32)"),
		"70a08231": selector("balanceOf(address)"),
	} {
		if hex.EncodeToString(got) != want {
			t.Errorf("%x, want %s", got, want)
		}
	}
}

// The payment of the x402 specification: its signature was made by a wallet nobody here wrote.
func TestTheSpecificationsPaymentRecoversToItsPayer(t *testing.T) {
	p, rejection := parsePayload([]byte(`{"signature":"0x2d6a7588d6acca505cbf0d9a4a227e0c52c6c34008c8e8986a1283259764173608a2ce6496642e377d6da8dbbf5836e9bd15092f9ecab05ded3d6293af148b571c",
		"authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66","to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000",
		"validAfter":"1740672089","validBefore":"1740672154","nonce":"0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"}}`))
	if rejection != nil {
		t.Fatal(rejection)
	}
	contract, _ := parseAddress("0x036CbD53842c5426634e7929541eC2318f3dCF7e")
	usdc := token{chainID: 84532, contract: contract, name: "USDC", version: "2"}
	if !p.authorization.signedBy(usdc, p.signature) {
		t.Error("the signature is not accepted")
	}
	usdc.name = "USD Coin"
	if p.authorization.signedBy(usdc, p.signature) {
		t.Error("the signature is accepted under another domain name")
	}
}

func TestRecoveryTakesOneSpellingOfASignatureOnly(t *testing.T) {
	digest := [32]byte(unhex(t, "296120694b7ac7224ee4aed71d410aa13d11368e57eef2ac0b3a7880967deeea"))
	good := unhex(t, "e5d9481f7c314134cf55f7ebf5b24085ae314cefdc15a828956f763b5aee921d25cee9f847588491fcb8a8bc15dd9ec743ca1c11d956d28e49342baf9b90ce471c")
	want, _ := parseAddress("0x2c7536e3605d9c16a7a3d7b1898e529396a65c23")
	if got, ok := recoverSigner(digest, good); !ok || got != want {
		t.Fatalf("%s %v", address(got).String(), ok)
	}
	edit := func(at int, with ...byte) []byte {
		b := append([]byte(nil), good...)
		copy(b[at:], with)
		return b
	}
	highS := order.sub(number{}, numberFromBytes(good[32:64])).bytes()
	n := order.value.bytes()
	for name, bad := range map[string][]byte{
		"nil": nil, "64 bytes": good[:64], "66 bytes": append(edit(0), 0),
		"v 0": edit(64, 0), "v 1": edit(64, 1), "v 29": edit(64, 29),
		"high s, other v": append(edit(32, highS[:]...)[:64], 27),
		"r zero":          edit(0, make([]byte, 32)...), "s zero": edit(32, make([]byte, 32)...),
		"r is n": edit(0, n[:]...), "s is n": edit(32, n[:]...),
		"r is no x-coordinate": edit(0, append(make([]byte, 31), 5)...),
	} {
		if got, ok := recoverSigner(digest, bad); ok {
			t.Errorf("%s: recovered %s", name, address(got).String())
		}
	}
	if got, _ := recoverSigner(digest, edit(64, 27)); got == want {
		t.Error("the other v gives the same signer")
	}
	digest[0]++
	if got, _ := recoverSigner(digest, good); got == want {
		t.Error("another digest gives the same signer")
	}
}

// TestTheSignerOfAnyDigestIsRecovered signs by the textbook, over math/big.
func TestTheSignerOfAnyDigestIsRecovered(t *testing.T) {
	n, g := toBig(order.value), bigOf(&generator)
	r := rand.New(rand.NewPCG(8, 9)) // #nosec G404 -- a test wants the same signatures each time
	inRange := func() *big.Int { return toBig(order.reduce(randomNumber(r))) }
	for i, digest := range append(edges(t), randomNumber(r), randomNumber(r)) {
		key, nonce := inRange(), inRange()
		if i%3 == 0 {
			nonce = new(big.Int).SetInt64(int64(i/3 + 1))
		}
		if i%5 == 0 {
			key = new(big.Int).Sub(n, big.NewInt(int64(i/5+1)))
		}
		if key.Sign() == 0 || nonce.Sign() == 0 {
			continue
		}
		public, point := g.times(key), g.times(nonce)
		s := new(big.Int).Mul(point.x, key)
		s.Add(s, toBig(digest)).Mul(s, new(big.Int).ModInverse(nonce, n)).Mod(s, n)
		odd := point.y.Bit(0)
		if s.Cmp(toBig(order.value.half())) > 0 {
			s.Sub(n, s)
			odd ^= 1
		}
		x, y := fromBig(t, public.x).bytes(), fromBig(t, public.y).bytes()
		hash := keccak256(x[:], y[:])
		signature := make([]byte, signatureBytes)
		point.x.FillBytes(signature[:32])
		s.FillBytes(signature[32:64])
		signature[64] = signatureV27 + byte(odd) // #nosec G115 -- one bit
		got, ok := recoverSigner(digest.bytes(), signature)
		if want := [20]byte(hash[12:]); ok != (s.Sign() != 0) || ok && got != want {
			t.Errorf("digest %x, key %x, nonce %x: recovered %x %v, want %x", digest, key, nonce, got, ok, want)
		}
	}
}

func BenchmarkRecoverSigner(b *testing.B) {
	digest := [32]byte(unhex(b, "296120694b7ac7224ee4aed71d410aa13d11368e57eef2ac0b3a7880967deeea"))
	signature := unhex(b, "e5d9481f7c314134cf55f7ebf5b24085ae314cefdc15a828956f763b5aee921d25cee9f847588491fcb8a8bc15dd9ec743ca1c11d956d28e49342baf9b90ce471c")
	for b.Loop() {
		if _, ok := recoverSigner(digest, signature); !ok {
			b.Fatal("not recovered")
		}
	}
}
