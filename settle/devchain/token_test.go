//go:build !nodevchain

package devchain_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
)

const (
	endowment = 1_000_000
	price     = 10_000
)

// order is an authorization that would go through.
func order(t *testing.T, from devchaintest.Payer, to string) devchaintest.Authorization {
	t.Helper()
	return devchaintest.Authorization{
		From: from.Address, To: to, Value: abi.NewAmount(price),
		ValidBefore: unixNow() + 600, Nonce: devchaintest.Nonce(t),
	}
}

func TestTheTokenRefusesEveryBadAuthorization(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	domain := devchaintest.TokenDomain(c)
	payer, payee := devchaintest.Funded(t, c, endowment), devchaintest.NewPayer(t)
	good := order(t, payer, payee.Address)
	with := func(change func(*devchaintest.Authorization)) devchaintest.Authorization {
		a := good
		a.Nonce = devchaintest.Nonce(t)
		change(&a)
		return a
	}
	otherDomain := func(change func(*devchaintest.Domain)) devchaintest.Domain {
		d := domain
		change(&d)
		return d
	}
	nothing := func(*devchaintest.Authorization) {}
	smallV := func(s []byte) []byte { s[64] -= 27; return s }
	cases := []struct {
		name   string
		domain devchaintest.Domain
		a      devchaintest.Authorization
		mangle func([]byte) []byte
		want   string
	}{
		{name: "wrong domain name", domain: otherDomain(func(d *devchaintest.Domain) { d.Name = "USD Coin" }), a: with(nothing), want: "invalid signature"},
		{name: "wrong domain version", domain: otherDomain(func(d *devchaintest.Domain) { d.Version = "1" }), a: with(nothing), want: "invalid signature"},
		{name: "wrong chain", domain: otherDomain(func(d *devchaintest.Domain) { d.ChainID = 8453 }), a: with(nothing), want: "invalid signature"},
		{name: "wrong contract", domain: otherDomain(func(d *devchaintest.Domain) { d.Contract = payee.Address }), a: with(nothing), want: "invalid signature"},
		{name: "expired", domain: domain, a: with(func(a *devchaintest.Authorization) { a.ValidBefore = 1000 }), want: "authorization is expired"},
		{name: "not yet valid", domain: domain, a: with(func(a *devchaintest.Authorization) { a.ValidAfter = unixNow() + 300 }), want: "not yet valid"},
		{name: "more than the payer holds", domain: domain, a: with(func(a *devchaintest.Authorization) { a.Value = abi.NewAmount(endowment + 1) }), want: "exceeds balance"},
		{name: "the malleated twin", domain: domain, a: with(nothing), mangle: devchaintest.HighS, want: "invalid signature 's' value"},
		{name: "v of 0 or 1", domain: domain, a: with(nothing), mangle: smallV, want: "invalid signature 'v' value"},
		{name: "all zero", domain: domain, a: with(nothing), mangle: func([]byte) []byte { return make([]byte, 65) }, want: "invalid signature"},
	}
	for _, tc := range cases {
		signature := payer.SignTransfer(t, tc.domain, tc.a)
		if tc.mangle != nil {
			signature = tc.mangle(signature)
		}
		for form, data := range map[string][]byte{
			"v,r,s": devchaintest.TransferData(tc.a, signature),
			"bytes": devchaintest.TransferBytesData(tc.a, signature),
		} {
			if _, revert := devchaintest.Call(t, c, data); !strings.Contains(revert, tc.want) {
				t.Errorf("%s (%s): reverted with %q, want %q", tc.name, form, revert, tc.want)
			}
		}
	}
	short := payer.SignTransfer(t, domain, good)[:64]
	if _, revert := devchaintest.Call(t, c, devchaintest.TransferBytesData(good, short)); !strings.Contains(revert, "invalid signature length") {
		t.Errorf("64-byte signature: reverted with %q", revert)
	}
}

func TestAnAuthorizationMovesTheAmountOnceInBothForms(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	domain := devchaintest.TokenDomain(c)
	payer, payee := devchaintest.Funded(t, c, endowment), devchaintest.NewPayer(t)
	for i, encode := range []func(devchaintest.Authorization, []byte) []byte{devchaintest.TransferData, devchaintest.TransferBytesData} {
		a := order(t, payer, payee.Address)
		data := encode(a, payer.SignTransfer(t, domain, a))
		receipt := devchaintest.Send(t, c, c.Relayer(), devchain.TokenAddress, data)
		if receipt.Status != 1 || len(receipt.Logs) != 2 {
			t.Fatalf("form %d: status %d with %d logs", i, receipt.Status, len(receipt.Logs))
		}
		t.Logf("form %d used %d gas", i, receipt.GasUsed)
		if receipt := devchaintest.Send(t, c, c.Relayer(), devchain.TokenAddress, data); receipt.Status != 0 {
			t.Errorf("form %d: the replay went through", i)
		}
		if _, revert := devchaintest.Call(t, c, data); !strings.Contains(revert, "used or canceled") {
			t.Errorf("form %d: the replay reverted with %q", i, revert)
		}
	}
	if got := devchaintest.Balance(t, c, payee.Address); got != 2*price {
		t.Errorf("payee holds %d, want %d", got, 2*price)
	}
	if got := devchaintest.Balance(t, c, payer.Address); got != endowment-2*price {
		t.Errorf("payer holds %d, want %d", got, endowment-2*price)
	}
}

func TestCancelPauseAndBlacklistStopAGoodSignature(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	domain := devchaintest.TokenDomain(c)
	payer, payee := devchaintest.Funded(t, c, endowment), devchaintest.NewPayer(t)
	a := order(t, payer, payee.Address)
	data := devchaintest.TransferData(a, payer.SignTransfer(t, domain, a))
	expect := func(step, want string) {
		t.Helper()
		if _, revert := devchaintest.Call(t, c, data); want == "" && revert != "" || !strings.Contains(revert, want) {
			t.Errorf("%s: reverted with %q, want %q", step, revert, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", "")
	must(c.SetPaused(t.Context(), true))
	expect("paused", "Pausable: paused")
	must(c.SetPaused(t.Context(), false))
	for _, party := range []string{payer.Address, payee.Address} {
		must(c.SetBlacklisted(t.Context(), party, true))
		expect("blacklisted "+party, "account is blacklisted")
		must(c.SetBlacklisted(t.Context(), party, false))
	}
	if got := devchaintest.Balance(t, c, payer.Address); got != endowment {
		t.Errorf("the blacklist bit changed the balance to %d", got)
	}
	cancel := devchaintest.CancelData(payer.Address, a.Nonce, payer.SignCancel(t, domain, a.Nonce))
	stranger := devchaintest.CancelData(payer.Address, a.Nonce, payee.SignCancel(t, domain, a.Nonce))
	if receipt := devchaintest.Send(t, c, c.Relayer(), devchain.TokenAddress, stranger); receipt.Status != 0 {
		t.Error("a stranger cancelled the payer's authorization")
	}
	expect("cancelled by a stranger", "")
	if receipt := devchaintest.Send(t, c, c.Relayer(), devchain.TokenAddress, cancel); receipt.Status != 1 {
		t.Fatal("the payer could not cancel")
	}
	expect("cancelled", "used or canceled")
	if receipt := devchaintest.Send(t, c, c.Relayer(), devchain.TokenAddress, devchaintest.Data("pause()")); receipt.Status != 0 {
		t.Error("somebody who is not the faucet paused the token")
	}
}

func TestAuthorizationsExpireWithTheChainsClock(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	payer, payee := devchaintest.Funded(t, c, endowment), devchaintest.NewPayer(t)
	a := order(t, payer, payee.Address)
	data := devchaintest.TransferData(a, payer.SignTransfer(t, devchaintest.TokenDomain(c), a))
	if _, revert := devchaintest.Call(t, c, data); revert != "" {
		t.Fatalf("before: %s", revert)
	}
	if err := c.AdvanceTime(t.Context(), 20*time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, revert := devchaintest.Call(t, c, data); !strings.Contains(revert, "expired") {
		t.Errorf("after: reverted with %q", revert)
	}
}

func TestAContractWalletPaysByTheBytesForm(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	owner, payee := devchaintest.NewPayer(t), devchaintest.NewPayer(t)
	text, err := os.ReadFile("contracts/artifacts/ownedwallet.json")
	if err != nil {
		t.Fatal(err)
	}
	var artefact struct {
		Creation hexutil.Bytes `json:"creation"`
	}
	if err := json.Unmarshal(text, &artefact); err != nil {
		t.Fatal(err)
	}
	deployed := devchaintest.Send(t, c, c.Relayer(), "", append(artefact.Creation, devchaintest.Word(owner.Address)...))
	if deployed.Status != 1 {
		t.Fatal("deployment reverted")
	}
	wallet := strings.ToLower(deployed.ContractAddress.Hex())
	if _, err := c.Fund(t.Context(), wallet, abi.NewAmount(endowment), abi.Amount{}); err != nil {
		t.Fatal(err)
	}
	a := order(t, devchaintest.Payer{Address: wallet}, payee.Address)
	domain := devchaintest.TokenDomain(c)
	if _, revert := devchaintest.Call(t, c, devchaintest.TransferBytesData(a, payee.SignTransfer(t, domain, a))); !strings.Contains(revert, "invalid signature") {
		t.Errorf("signed by a stranger: reverted with %q", revert)
	}
	receipt := devchaintest.Send(t, c, c.Relayer(), devchain.TokenAddress,
		devchaintest.TransferBytesData(a, owner.SignTransfer(t, domain, a)))
	if receipt.Status != 1 || devchaintest.Balance(t, c, payee.Address) != price {
		t.Errorf("status %d, payee holds %d", receipt.Status, devchaintest.Balance(t, c, payee.Address))
	}
}

func TestForksAfterOsakaAreOffSoGasIsWhatOtherChainsCharge(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	fresh := common.HexToAddress(devchaintest.NewPayer(t).Address)
	data := devchaintest.Data("mint(address,uint256)", devchaintest.Word(fresh.Hex()), common.BigToHash(common.Big1).Bytes())
	receipt := devchaintest.Send(t, c, c.Faucet(), devchain.TokenAddress, data)
	// Under the library's own development rules a first mint costs near 200,000.
	if receipt.Status != 1 || receipt.GasUsed > 100_000 {
		t.Errorf("a first mint used %d gas, status %d", receipt.GasUsed, receipt.Status)
	}
}
