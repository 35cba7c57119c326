//go:build !nodevchain

package evm_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
	"github.com/purserhq/purser/settle/evm"
)

const price = 10_000

type world struct {
	chain        *devchain.Chain
	rpc          *evm.RPC
	payer, payee devchaintest.Payer
}

func newWorld(t *testing.T, cfg devchain.Config) world {
	t.Helper()
	c := devchaintest.Start(t, cfg)
	r, err := evm.Open(t.Context(), evm.Config{URL: c.RPCURL(), Network: c.Network()})
	if err != nil {
		t.Fatalf("open rpc: %v", err)
	}
	t.Cleanup(r.Close)
	return world{chain: c, rpc: r, payer: devchaintest.Funded(t, c, 1_000_000), payee: devchaintest.NewPayer(t)}
}

func (w world) order(t *testing.T) devchaintest.Authorization {
	t.Helper()
	_, now := w.chain.Head()
	return devchaintest.Authorization{
		From: w.payer.Address, To: w.payee.Address, Value: abi.NewAmount(price),
		ValidBefore: now + 600, Nonce: devchaintest.Nonce(t),
	}
}

// settle sends an authorization to the token and returns the transaction's hash.
func (w world) settle(t *testing.T, a devchaintest.Authorization) evm.Hash {
	t.Helper()
	data := devchaintest.TransferData(a, w.payer.SignTransfer(t, devchaintest.TokenDomain(w.chain), a))
	receipt := devchaintest.Send(t, w.chain, w.chain.Relayer(), devchain.TokenAddress, data)
	if receipt.Status != 1 {
		t.Fatal("settlement reverted")
	}
	return evm.Hash(receipt.TxHash)
}

func (w world) transfer(t *testing.T, a devchaintest.Authorization) evm.Transfer {
	t.Helper()
	return evm.Transfer{Asset: w.chain.Token(), Payer: address(t, a.From), Payee: address(t, a.To), Amount: a.Value, Nonce: a.Nonce}
}

func (w world) life(t *testing.T, a devchaintest.Authorization) evm.Liveness {
	t.Helper()
	l, err := w.rpc.Liveness(t.Context(), evm.Authorization{
		Asset: w.chain.Token(), Payer: address(t, a.From), Nonce: a.Nonce,
		ValidBefore: a.ValidBefore,
	})
	if err != nil {
		t.Fatalf("liveness: %v", err)
	}
	return l
}

func address(t *testing.T, s string) evm.Address {
	t.Helper()
	a, err := evm.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOpenRefusesTheWrongChain(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	if _, err := evm.Open(t.Context(), evm.Config{URL: c.RPCURL(), Network: "eip155:8453"}); abi.CodeOf(err) != "rpc_wrong_chain" {
		t.Errorf("got %v, want rpc_wrong_chain", err)
	}
}

func TestTokenReadsSayWhatTheTokenHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	latest := evm.AtTag(evm.Latest)
	name, err := w.rpc.TokenName(t.Context(), w.chain.Token())
	if err != nil || name != "USDC" {
		t.Errorf("name %q, %v", name, err)
	}
	version, err := w.rpc.TokenVersion(t.Context(), w.chain.Token())
	if err != nil || version != "2" {
		t.Errorf("version %q, %v", version, err)
	}
	balance, err := w.rpc.TokenBalance(t.Context(), w.chain.Token(), address(t, w.payer.Address), latest)
	if err != nil || balance != abi.NewAmount(1_000_000) {
		t.Errorf("balance %s, %v", balance, err)
	}
	if paused, err := w.rpc.TokenPaused(t.Context(), w.chain.Token(), latest); err != nil || paused {
		t.Errorf("paused %t, %v", paused, err)
	}
	nobody := abi.Asset(string(w.chain.Network()) + "/erc20:0x00000000000000000000000000000000000000aa")
	if used, err := w.rpc.AuthorizationState(t.Context(), nobody, evm.Address{1}, evm.Hash{1}, latest); err == nil {
		t.Errorf("an address without code answered used=%t", used)
	}
	if _, err := w.rpc.TokenName(t.Context(), "eip155:1/erc20:0x00000000000000000000000000000000000000aa"); abi.CodeOf(err) != "asset_invalid" {
		t.Errorf("asset of another chain: %v", err)
	}
}

func TestASettlementReceiptNeedsTheExactTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	a := w.order(t)
	tx := w.settle(t, a)
	want := w.transfer(t, a)
	receipt, err := w.rpc.SettlementReceipt(t.Context(), tx, want)
	if err != nil {
		t.Fatal(err)
	}
	header, err := w.rpc.HeaderByNumber(t.Context(), receipt.Block)
	if err != nil {
		t.Fatal(err)
	}
	expected := evm.Receipt{
		Network: w.chain.Network(), TxHash: tx, Block: header.Number, BlockHash: header.Hash,
		BlockTime: header.TimeUnixS, GasUsed: receipt.GasUsed, FeeWei: receipt.FeeWei, Payer: want.Payer, Payee: want.Payee,
		Asset: want.Asset, Amount: want.Amount, Nonce: want.Nonce,
	}
	if diff := cmp.Diff(expected, receipt, cmp.AllowUnexported(abi.Amount{})); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	if receipt.GasUsed < 21_000 || receipt.FeeWei.IsZero() {
		t.Errorf("gas %d, fee %s", receipt.GasUsed, receipt.FeeWei)
	}
	for name, change := range map[string]func(*evm.Transfer){
		"another amount": func(x *evm.Transfer) { x.Amount = abi.NewAmount(price + 1) },
		"another payee":  func(x *evm.Transfer) { x.Payee = x.Payer },
		"another payer":  func(x *evm.Transfer) { x.Payer = x.Payee },
		"another nonce":  func(x *evm.Transfer) { x.Nonce[0]++ },
	} {
		other := want
		change(&other)
		if _, err := w.rpc.SettlementReceipt(t.Context(), tx, other); abi.CodeOf(err) != "receipt_mismatch" {
			t.Errorf("%s: %v, want receipt_mismatch", name, err)
		}
	}
	if _, err := w.rpc.SettlementReceipt(t.Context(), evm.Hash{9}, want); abi.CodeOf(err) != "receipt_pending" {
		t.Errorf("unknown transaction: %v, want receipt_pending", err)
	}
	replay := devchaintest.Send(t, w.chain, w.chain.Relayer(), devchain.TokenAddress,
		devchaintest.TransferData(a, w.payer.SignTransfer(t, devchaintest.TokenDomain(w.chain), a)))
	if _, err := w.rpc.SettlementReceipt(t.Context(), evm.Hash(replay.TxHash), want); abi.CodeOf(err) != "receipt_reverted" {
		t.Errorf("reverted replay: %v, want receipt_reverted", err)
	}
}

func TestAnAuthorizationIsLiveUntilAFinalBlockIsPastItsWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{FinalityLagBlocks: 2})
	a := w.order(t)
	if l := w.life(t, a); l.Life != evm.LifeLive {
		t.Fatalf("fresh: %s", l.Life)
	}
	if err := w.chain.AdvanceTime(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if l := w.life(t, a); l.Life != evm.LifeLive {
		t.Errorf("expired at the head but not finally: %s, want live", l.Life)
	}
	commit(t, w.chain, 2)
	if l := w.life(t, a); l.Life != evm.LifeDead || l.TxHash != (evm.Hash{}) || l.Finalized.TimeUnixS < a.ValidBefore {
		t.Errorf("finally expired: %+v, want dead", l)
	}
}

func TestAUsedAuthorizationNamesItsTransactionForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{FinalityLagBlocks: 2})
	a := w.order(t)
	tx := w.settle(t, a)
	if l := w.life(t, a); l.Life != evm.LifeUsed || l.TxHash != tx || l.Final {
		t.Errorf("just used: %+v", l)
	}
	if err := w.chain.AdvanceTime(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	commit(t, w.chain, 2)
	if l := w.life(t, a); l.Life != evm.LifeUsed || l.TxHash != tx || !l.Final {
		t.Errorf("used and expired: %+v, want used and final", l)
	}
}

func TestACancelledAuthorizationIsDeadOnlyWhenTheCancellationIsFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{FinalityLagBlocks: 2})
	a := w.order(t)
	data := devchaintest.CancelData(a.From, a.Nonce, w.payer.SignCancel(t, devchaintest.TokenDomain(w.chain), a.Nonce))
	receipt := devchaintest.Send(t, w.chain, w.chain.Relayer(), devchain.TokenAddress, data)
	if receipt.Status != 1 {
		t.Fatal("cancel reverted")
	}
	if l := w.life(t, a); l.Life != evm.LifeLive {
		t.Errorf("cancelled but not finally: %s, want live", l.Life)
	}
	commit(t, w.chain, 2)
	if l := w.life(t, a); l.Life != evm.LifeDead || l.TxHash != evm.Hash(receipt.TxHash) {
		t.Errorf("finally cancelled: %+v, want dead", l)
	}
	if _, _, err := w.rpc.FindUse(t.Context(), evm.Authorization{Asset: w.chain.Token(), Payer: address(t, a.From), Nonce: a.Nonce}); abi.CodeOf(err) != "authorization_cancelled" {
		t.Errorf("use of a cancelled nonce: %v, want authorization_cancelled", err)
	}
}

func TestAnUndoneSettlementIsLiveAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{FinalityLagBlocks: 100})
	a := w.order(t)
	before, _ := w.chain.Head()
	tx := w.settle(t, a)
	if err := w.chain.Fork(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if l := w.life(t, a); l.Life != evm.LifeLive {
		t.Errorf("after the reorganisation: %s, want live", l.Life)
	}
	if _, err := w.rpc.SettlementReceipt(t.Context(), tx, w.transfer(t, a)); abi.CodeOf(err) != "receipt_pending" {
		t.Errorf("receipt of an undone settlement: %v, want receipt_pending", err)
	}
}

func TestTheSpinesViewOfAChainFollowsTheSameRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	view := evm.NewChain(w.rpc, []string{"eth_blockNumber"})
	fate := func(a devchaintest.Authorization) settle.Fate {
		t.Helper()
		f, err := view.Fate(t.Context(), settle.Authorization{
			Asset: w.chain.Token(), Payer: a.From, Payee: a.To, Amount: a.Value,
			Nonce: a.Nonce, ValidBefore: a.ValidBefore,
		})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	used, idle := w.order(t), w.order(t)
	tx := w.settle(t, used)
	if f := fate(used); f.Life != abi.LifeUsed || f.Receipt == nil || f.Receipt.Transaction != tx.String() || f.Receipt.Amount != used.Value {
		t.Errorf("used: %+v", f)
	}
	if f := fate(idle); f.Life != abi.LifeLive || f.Receipt != nil {
		t.Errorf("idle: %+v", f)
	}
	if err := w.chain.AdvanceTime(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if f := fate(idle); f.Life != abi.LifeDead || f.Receipt != nil {
		t.Errorf("expired: %+v", f)
	}
	head, err := view.Head(t.Context())
	if _, want := w.chain.Head(); err != nil || uint64(head.Time.Unix()) != want {
		t.Errorf("head %s, %v, want %d", head.Time, err, want)
	}
	if _, err := view.Query(t.Context(), "eth_sendRawTransaction", nil); abi.CodeOf(err) != "query_refused" {
		t.Errorf("an adapter may send: %v", err)
	}
}

func TestQueriesOfAdaptersOnlyRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	limits := evm.QueryLimits{
		Methods:          []string{"eth_blockNumber", "eth_getBlockByNumber", "eth_sendRawTransaction", "devchain_fund"},
		ResponseBytesMax: 100, Timeout: time.Second,
	}
	answer, err := w.rpc.Query(t.Context(), limits, "eth_blockNumber", nil)
	if err != nil || !json.Valid(answer) {
		t.Errorf("eth_blockNumber: %s, %v", answer, err)
	}
	for method, want := range map[string]string{
		"eth_sendRawTransaction": "query_refused", "devchain_fund": "query_refused",
		"eth_chainId": "query_refused", "eth_getBlockByNumber": "query_too_large",
	} {
		if _, err := w.rpc.Query(t.Context(), limits, method, json.RawMessage(`["latest",false]`)); abi.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", method, err, want)
		}
	}
	for _, params := range []string{`{}`, `null`, `"x"`, `[1`, `[] []`} {
		if _, err := w.rpc.Query(t.Context(), limits, "eth_blockNumber", json.RawMessage(params)); abi.CodeOf(err) != "query_refused" {
			t.Errorf("parameters %s: %v, want query_refused", params, err)
		}
	}
	if _, err := w.rpc.Query(t.Context(), evm.QueryLimits{Methods: limits.Methods}, "eth_blockNumber", nil); abi.CodeOf(err) != "query_refused" {
		t.Errorf("no limits: %v", err)
	}
}

func commit(t *testing.T, c *devchain.Chain, blocks int) {
	t.Helper()
	for range blocks {
		if err := c.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
