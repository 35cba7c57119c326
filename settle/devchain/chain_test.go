//go:build !nodevchain

package devchain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
)

func TestAFreshChainHasTokenFaucetAndRelayerInBlockZero(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	client := devchaintest.Client(t, c)
	if id, err := client.ChainID(t.Context()); err != nil || id.Uint64() != devchain.ChainIDDefault {
		t.Fatalf("chain id %v, %v", id, err)
	}
	if got, want := string(c.Token()), "eip155:402402/erc20:"+devchain.TokenAddress; got != want {
		t.Errorf("token %s, want %s", got, want)
	}
	if _, err := abi.ParseAsset(string(c.Token())); err != nil {
		t.Errorf("token id: %v", err)
	}
	if got := devchaintest.Balance(t, c, c.Faucet().Address); got != 1_000_000_000_000_000_000 {
		t.Errorf("faucet holds %d", got)
	}
	wei, err := client.BalanceAt(t.Context(), common.HexToAddress(c.Relayer().Address), big.NewInt(0))
	if err != nil || wei.Sign() <= 0 {
		t.Errorf("relayer holds %v wei in block 0, %v", wei, err)
	}
	for name, want := range map[string]string{"name()": "USDC", "version()": "2", "symbol()": "USDC"} {
		answer, revert := devchaintest.Call(t, c, devchaintest.Data(name))
		if revert != "" || !strings.Contains(string(answer), want) {
			t.Errorf("%s is %q %s, want %q", name, answer, revert, want)
		}
	}
	oracle := common.HexToAddress(devchain.GasPriceOracleAddress)
	if code, err := client.CodeAt(t.Context(), oracle, nil); err != nil || len(code) == 0 {
		t.Errorf("no gas price oracle: %v", err)
	}
	if price, err := client.SuggestGasPrice(t.Context()); err != nil || price.Cmp(big.NewInt(100_000_000)) > 0 {
		t.Errorf("suggested gas price is %v wei, want far below a gwei, %v", price, err)
	}
}

func TestTheFaucetFundsOverGoAndOverJSONRPC(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	p := devchaintest.NewPayer(t)
	funded, err := c.Fund(t.Context(), p.Address, abi.NewAmount(5_000_000), abi.NewAmount(7))
	if err != nil || funded.TokenTx == "" || funded.WeiTx == "" || funded.Block == 0 {
		t.Fatalf("fund: %+v, %v", funded, err)
	}
	var over devchain.Funded
	client := devchaintest.Client(t, c).Client()
	if err := client.CallContext(t.Context(), &over, "devchain_fund", p.Address, "1000000", "0"); err != nil {
		t.Fatalf("devchain_fund: %v", err)
	}
	if got := devchaintest.Balance(t, c, p.Address); got != 6_000_000 {
		t.Errorf("payer holds %d, want 6000000", got)
	}
	wei, err := devchaintest.Client(t, c).BalanceAt(t.Context(), common.HexToAddress(p.Address), nil)
	if err != nil || wei.Cmp(big.NewInt(7)) != 0 {
		t.Errorf("payer holds %v wei, %v", wei, err)
	}
	for _, bad := range [][]string{
		{"0x12", "1", "0"},
		{p.Address, "-1", "0"},
		{p.Address, "1e3", "0"},
		{p.Address, "0", "0"},
		{p.Address, "1000000000001", "0"},
		{p.Address, "0", "10000000000000000001"},
		{"0x0000000000000000000000000000000000000000", "1", "0"},
	} {
		err := client.CallContext(t.Context(), &over, "devchain_fund", bad[0], bad[1], bad[2])
		data := rpc.DataError(nil)
		if err == nil || !errors.As(err, &data) || !strings.Contains(mustJSON(t, data.ErrorData()), `"code"`) {
			t.Errorf("devchain_fund%q: %v, want a coded error", bad, err)
		}
	}
	var info map[string]any
	if err := client.CallContext(t.Context(), &info, "devchain_info"); err != nil || info["token"] != string(c.Token()) {
		t.Errorf("devchain_info: %v, %v", info, err)
	}
}

func TestTheFaucetIsRateLimited(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{Faucet: devchain.FaucetLimits{CallsPerMinuteMax: 2}})
	p := devchaintest.NewPayer(t)
	var err error
	for range 3 {
		_, err = c.Fund(t.Context(), p.Address, abi.NewAmount(1), abi.Amount{})
	}
	if abi.CodeOf(err) != "faucet_busy" {
		t.Errorf("third call: %v, want faucet_busy", err)
	}
}

func TestChainIDsOfPublicNetworksAndOpenInterfacesAreRefused(t *testing.T) {
	t.Parallel()
	for _, id := range []uint64{1, 8453, 84532, 137, 42161, 11155111} {
		if c, err := devchain.Open(t.Context(), devchain.Config{ChainID: id}); abi.CodeOf(err) != "devchain_public_chain_id" {
			t.Errorf("chain id %d: %v %v, want devchain_public_chain_id", id, c, err)
		}
	}
	for _, listen := range []string{"0.0.0.0:0", ":8545", "192.168.1.4:0", "[::]:0", "example.org:80"} {
		if c, err := devchain.Open(t.Context(), devchain.Config{Listen: listen}); abi.CodeOf(err) != "devchain_not_loopback" {
			t.Errorf("listen %s: %v %v, want devchain_not_loopback", listen, c, err)
		}
	}
	for _, bad := range []devchain.Config{
		{BlockTime: 200 * time.Millisecond},
		{BlockTime: 1500 * time.Millisecond},
		{BlockTime: -time.Second},
		{Listen: "127.0.0.1"},
		{Listen: "127.0.0.1:99999"},
		{ChainID: 1 << 60},
	} {
		if _, err := devchain.Open(t.Context(), bad); abi.CodeOf(err) != "devchain_config_invalid" {
			t.Errorf("%+v: %v, want devchain_config_invalid", bad, err)
		}
	}
}

func TestManyInstantBlocksNeverRunAheadOfTheClock(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	p := devchaintest.NewPayer(t)
	const payments = 40 // above the credit of 30 instant blocks
	for i := range payments {
		if _, err := c.Fund(t.Context(), p.Address, abi.NewAmount(1), abi.Amount{}); err != nil {
			t.Fatalf("payment %d: %v", i, err)
		}
		if _, headTime := c.Head(); headTime > unixNow() {
			t.Fatalf("after %d payments the head is %d s ahead of the clock", i+1, headTime-unixNow())
		}
	}
	if number, _ := c.Head(); number < payments {
		t.Errorf("head is %d after %d payments one after the other", number, payments)
	}
}

func TestAFolderIsResumedAndGuarded(t *testing.T) {
	t.Parallel()
	dir, p := t.TempDir(), devchaintest.NewPayer(t)
	open := func() *devchain.Chain {
		c, err := devchain.Open(t.Context(), devchain.Config{DataDir: dir})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		return c
	}
	for round := range uint64(3) {
		c := open()
		if got := devchaintest.Balance(t, c, p.Address); got != round*10 {
			t.Fatalf("round %d: payer holds %d, want %d", round, got, round*10)
		}
		if _, err := c.Fund(t.Context(), p.Address, abi.NewAmount(10), abi.Amount{}); err != nil {
			t.Fatalf("fund: %v", err)
		}
		if _, err := devchain.Open(t.Context(), devchain.Config{DataDir: dir}); abi.CodeOf(err) != "devchain_data_in_use" {
			t.Errorf("second open: %v, want devchain_data_in_use", err)
		}
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Fatalf("close twice: %v", err)
		}
	}
	if _, err := devchain.Open(t.Context(), devchain.Config{DataDir: dir, ChainID: 402403}); abi.CodeOf(err) != "devchain_data_mismatch" {
		t.Errorf("other chain id: %v, want devchain_data_mismatch", err)
	}
}

func TestTimeCanBeAdvancedAndABlockUndone(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{FinalityLagBlocks: 4})
	p := devchaintest.NewPayer(t)
	_, before := c.Head()
	if err := c.AdvanceTime(t.Context(), time.Hour); err != nil {
		t.Fatalf("advance: %v", err)
	}
	number, after := c.Head()
	if after < before+3600 {
		t.Errorf("head time rose by %d s, want at least 3600", after-before)
	}
	if _, err := c.Fund(t.Context(), p.Address, abi.NewAmount(10), abi.Amount{}); err != nil {
		t.Fatalf("fund: %v", err)
	}
	if err := c.Fork(t.Context(), number); err != nil {
		t.Fatalf("fork: %v", err)
	}
	if got := devchaintest.Balance(t, c, p.Address); got != 0 {
		t.Errorf("payer holds %d after the block was undone", got)
	}
	if _, err := c.Fund(t.Context(), p.Address, abi.NewAmount(3), abi.Amount{}); err != nil {
		t.Fatalf("fund on the new branch: %v", err)
	}
	for range 6 {
		if err := c.Commit(t.Context()); err != nil {
			t.Fatalf("commit: %v", err)
		}
	}
	if err := c.Fork(t.Context(), number); err == nil {
		t.Error("a finalized block was undone")
	}
	if err := c.AdvanceTime(t.Context(), time.Millisecond); abi.CodeOf(err) != "devchain_config_invalid" {
		t.Errorf("advance by a millisecond: %v", err)
	}
}

func TestOnePortServesHTTPAndWebSocketButNoBrowserAndNoAdmin(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{})
	ws, err := ethclient.DialContext(t.Context(), c.WSURL())
	if err != nil {
		t.Fatalf("dial %s: %v", c.WSURL(), err)
	}
	defer ws.Close()
	if _, err := ws.BlockNumber(t.Context()); err != nil {
		t.Errorf("over WebSocket: %v", err)
	}
	if client, err := rpc.DialOptions(t.Context(), c.WSURL(), rpc.WithHeader("Origin", "http://localhost:3000")); err == nil {
		client.Close()
		t.Error("a browser page may open the WebSocket")
	}
	for _, method := range []string{"admin_nodeInfo", "debug_setHead", "miner_setExtra", "txpool_content", "engine_getPayloadV4"} {
		if status, body := post(t, c.RPCURL(), "", method); status != http.StatusOK || !strings.Contains(body, "-32601") {
			t.Errorf("%s: %d %s, want method not found", method, status, body)
		}
	}
	if status, body := post(t, c.RPCURL(), "rebound.example", "eth_chainId"); status != http.StatusForbidden {
		t.Errorf("foreign Host header: %d %s, want 403", status, body)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, c.RPCURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", "https://evil.example")
	request.Header.Set("Access-Control-Request-Method", "POST")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if allowed := response.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
		t.Errorf("cross-origin callers allowed: %q", allowed)
	}
}

func TestBlocksComeAtTheIntervalWithTheClockInThem(t *testing.T) {
	t.Parallel()
	c := devchaintest.Start(t, devchain.Config{BlockTime: time.Second})
	deadline, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		number, headTime := c.Head()
		if number >= 3 {
			if headTime > unixNow() || headTime+5 < unixNow() {
				t.Errorf("block %d has time %d, the clock says %d", number, headTime, unixNow())
			}
			return
		}
		select {
		case <-deadline.Done():
			t.Fatalf("head is %d after 30 s", number)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func unixNow() uint64 { return uint64(time.Now().Unix()) }

func post(t *testing.T, url, host, method string) (int, string) {
	t.Helper()
	body := []byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":[]}`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if host != "" {
		request.Host = host
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
