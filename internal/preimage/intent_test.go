package preimage

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
)

const nowUnixS = 1800000000

var vectorEntropy = bytes.Repeat([]byte{0x11}, EntropyBytes)

func vectorIntent() *abi.Intent {
	return &abi.Intent{
		Payment: "payment-1", Scheme: "exact", Network: "eip155:8453",
		Asset: "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", Payee: vectorPayee, Amount: abi.NewAmount(10000),
	}
}

func decodedVector(t testing.TB) Transfer {
	t.Helper()
	transfer, err := Decode(KindEIP712, unhex(t, vectorTransfer), pinned.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	return transfer
}

func TestATransferThatIsTheIntentMatches(t *testing.T) {
	if err := Matches(decodedVector(t), vectorIntent(), vectorPayer, vectorEntropy, nowUnixS, 120); err != nil {
		t.Error(err)
	}
}

func TestTheNonceIsTiedToPaymentAndEntropy(t *testing.T) {
	if got := Nonce("payment-1", vectorEntropy); got != vectorNonce(t) { // computed with ethers' sha256
		t.Errorf("nonce %x", got)
	}
	// Without the length prefix these two would be one nonce, and two payments one authorization.
	if Nonce("payment-1", []byte("1x")) == Nonce("payment-11", []byte("x")) {
		t.Error("bytes can move from entropy to payment")
	}
}

func TestEachDifferenceIsNamed(t *testing.T) {
	other := "0x1111111111111111111111111111111111111111"
	cases := []struct {
		name     string
		transfer func(*Transfer)
		intent   func(*abi.Intent)
		where    string
	}{
		{name: "no payment id", intent: func(i *abi.Intent) { i.Payment = "" }, where: "payment"},
		{name: "scheme upto", intent: func(i *abi.Intent) { i.Scheme = "upto" }, where: "scheme"},
		{name: "network", intent: func(i *abi.Intent) { i.Network = "eip155:1" }, where: "network"},
		{name: "asset", intent: func(i *abi.Intent) { i.Asset = "eip155:8453/erc20:" + other }, where: "asset"},
		{name: "payer", transfer: func(x *Transfer) { x.Payer = other }, where: "payer"},
		{name: "payee", transfer: func(x *Transfer) { x.Payee = other }, where: "payee"},
		{name: "payee missing on both sides", transfer: func(x *Transfer) { x.Payee = "" }, intent: func(i *abi.Intent) { i.Payee = "" }, where: "payee"},
		{name: "one unit more", transfer: func(x *Transfer) { x.Amount = abi.NewAmount(10001) }, where: "amount"},
		{name: "one unit less", transfer: func(x *Transfer) { x.Amount = abi.NewAmount(9999) }, where: "amount"},
		{name: "above the agent's ceiling", intent: func(i *abi.Intent) { i.AmountMax = abi.NewAmount(9999) }, where: "amount_max"},
		{name: "another payment's nonce", intent: func(i *abi.Intent) { i.Payment = "payment-2" }, where: "nonce"},
		{name: "a nonce of the adapter's own", transfer: func(x *Transfer) { x.Nonce[0]++ }, where: "nonce"},
		{name: "begins now", transfer: func(x *Transfer) { x.ValidAfter = nowUnixS }, where: "valid_after"},
		{name: "begins later", transfer: func(x *Transfer) { x.ValidAfter = math.MaxUint64 }, where: "valid_after"},
		{name: "ended", transfer: func(x *Transfer) { x.ValidBefore = nowUnixS }, where: "valid_before"},
		{name: "lives a second too long", transfer: func(x *Transfer) { x.ValidBefore = nowUnixS + 121 }, where: "valid_before"},
		{name: "lives for ever", transfer: func(x *Transfer) { x.ValidBefore = math.MaxUint64 }, where: "valid_before"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			transfer, intent := decodedVector(t), vectorIntent()
			if c.transfer != nil {
				c.transfer(&transfer)
			}
			if c.intent != nil {
				c.intent(intent)
			}
			err := Matches(transfer, intent, vectorPayer, vectorEntropy, nowUnixS, 120)
			wantMismatch(t, err, c.where)
		})
	}
}

func wantMismatch(t *testing.T, err error, where string) {
	t.Helper()
	var coded *abi.Error
	if !errors.As(err, &coded) || coded.Code != "preimage_mismatch" || coded.Where != where {
		t.Errorf("got %v, want preimage_mismatch at %s", err, where)
	}
}

func TestMissingArgumentsNeverMatch(t *testing.T) {
	transfer := decodedVector(t)
	wantMismatch(t, Matches(transfer, nil, vectorPayer, vectorEntropy, nowUnixS, 120), "payment")
	wantMismatch(t, Matches(transfer, vectorIntent(), "", vectorEntropy, nowUnixS, 120), "payer")
	wantMismatch(t, Matches(transfer, vectorIntent(), vectorPayer, nil, nowUnixS, 120), "entropy")
	wantMismatch(t, Matches(transfer, vectorIntent(), vectorPayer, vectorEntropy, nowUnixS, 0), "valid_before")
	wantMismatch(t, Matches(Transfer{}, &abi.Intent{Payment: "p", Scheme: "exact"}, "", vectorEntropy, nowUnixS, 120), "network")
	transfer.Nonce = Nonce("payment-1", vectorEntropy[:31])
	wantMismatch(t, Matches(transfer, vectorIntent(), vectorPayer, vectorEntropy[:31], nowUnixS, 120), "entropy")
}

func TestTheCeilingItselfIsAllowed(t *testing.T) {
	intent := vectorIntent()
	intent.AmountMax = abi.NewAmount(10000)
	if err := Matches(decodedVector(t), intent, vectorPayer, vectorEntropy, nowUnixS, 60); err != nil {
		t.Error(err)
	}
}
