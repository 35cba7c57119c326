package evm

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/purserhq/purser/abi"
)

const secret = "api-key-0451"

// node serves answers by method; %d in an answer is the call's id.
func node(t *testing.T, answers map[string]string) *RPC {
	t.Helper()
	answers["eth_chainId"] = `{"id":%d,"result":"0x1"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID     uint64
			Method string
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &call) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch answer := answers[call.Method]; {
		case answer == "redirect":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		case strings.Contains(answer, "%d"):
			_, _ = fmt.Fprintf(w, answer, call.ID)
		default:
			_, _ = io.WriteString(w, answer)
		}
	}))
	t.Cleanup(server.Close)
	r, err := Open(t.Context(), Config{URL: server.URL + "/" + secret, Network: "eip155:1", ResponseBytesMax: 4096, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestALyingNodeIsRefused(t *testing.T) {
	t.Parallel()
	header := func(number, timestamp, hash string) string {
		return `{"id":%d,"result":{"number":"` + number + `","timestamp":"` + timestamp + `","hash":"` + hash + `","parentHash":"0x` +
			strings.Repeat("00", 32) + `"}}`
	}
	hash := "0x" + strings.Repeat("ab", 32)
	for name, tc := range map[string]struct{ answer, code string }{
		"an answer to another call": {`{"id":77,"result":{}}`, "rpc_bad_answer"},
		"no id":                     {`{"result":{}}`, "rpc_bad_answer"},
		"no result":                 {`{"id":%d}`, "rpc_bad_answer"},
		"not JSON":                  {`<html>`, "rpc_bad_answer"},
		"too long":                  {`{"id":%d,"result":"` + strings.Repeat("a", 5000) + `"}`, "rpc_unreachable"},
		"a redirect":                {"redirect", "rpc_unreachable"},
		"an error":                  {`{"id":%d,"error":{"code":-32000,"message":"no"}}`, "rpc_refused"},
		"no such block":             {`{"id":%d,"result":null}`, "not_found"},
		"leading zero":              {header("0x01", "0x1", hash), "rpc_bad_answer"},
		"a number as a number":      {strings.Replace(header("X", "0x1", hash), `"X"`, "1", 1), "rpc_bad_answer"},
		"number above 64 bits":      {header("0x1"+strings.Repeat("0", 16), "0x1", hash), "rpc_bad_answer"},
		"no time":                   {header("0x1", "", hash), "rpc_bad_answer"},
		"time that is no date":      {header("0x1", "0xffffffffffffffff", hash), "rpc_bad_answer"},
		"short hash":                {header("0x1", "0x1", "0xabcd"), "rpc_bad_answer"},
		"zero hash":                 {header("0x1", "0x1", "0x"+strings.Repeat("00", 32)), "rpc_bad_answer"},
	} {
		r := node(t, map[string]string{"eth_getBlockByNumber": tc.answer})
		h, err := r.HeaderAt(t.Context(), Latest)
		if abi.CodeOf(err) != tc.code {
			t.Errorf("%s: %+v, %v, want %s", name, h, err, tc.code)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the URL: %v", name, err)
		}
	}
}

func TestALaggingNodeNeverMakesAnAuthorizationDead(t *testing.T) {
	t.Parallel()
	word := func(n int) string { return fmt.Sprintf("0x%064x", n) }
	block := func(number int) string {
		return fmt.Sprintf(`{"number":"0x%x","timestamp":"0xffff","hash":"%s","parentHash":"%s"}`, number, word(number), word(1))
	}
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID     uint64
			Method string
			Params []json.RawMessage
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		result := `"0x1"`
		switch {
		case call.Method == "eth_getBlockByNumber" && string(call.Params[0]) == `"finalized"`:
			result = block(100)
		case call.Method == "eth_getBlockByNumber":
			result = block(90) // another machine behind the same URL
		case call.Method == "eth_call":
			calls++
			result = `"` + word(0) + `"`
		}
		_, _ = fmt.Fprintf(w, `{"id":%d,"result":%s}`, call.ID, result)
	}))
	defer server.Close()
	r, err := Open(t.Context(), Config{URL: server.URL, Network: "eip155:1"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.Liveness(t.Context(), Authorization{Asset: "eip155:1/erc20:0x00000000000000000000000000000000000000aa", ValidBefore: 1})
	if l.Life != LifeUnknown || err == nil || calls != 0 {
		t.Errorf("%s, %v after %d state reads: want unknown", l.Life, err, calls)
	}
}

func TestOpenRefusesUnusableConfiguration(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{},
		{URL: "http://127.0.0.1:1"},
		{URL: "ftp://x/" + secret, Network: "eip155:1"},
		{URL: "/tmp/geth.ipc", Network: "eip155:1"},
		{URL: "http://127.0.0.1:1", Network: "solana:abc"},
		{URL: "http://x", Network: "eip155:1", Timeout: -1},
		{URL: "http://x", Network: "eip155:1", ResponseBytesMax: 1 << 40},
	} {
		if _, err := Open(t.Context(), cfg); abi.CodeOf(err) != "rpc_config_invalid" {
			t.Errorf("%+v: %v, want rpc_config_invalid", cfg, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := Open(ctx, Config{URL: "http://127.0.0.1:1/" + secret, Network: "eip155:1"})
	if abi.CodeOf(err) != "rpc_unreachable" || strings.Contains(err.Error(), secret) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestSelectorsAndTopicsAreTheHashesOfTheirSignatures(t *testing.T) {
	t.Parallel()
	for signature, want := range map[string]string{
		"balanceOf(address)": selectorBalanceOf, "name()": selectorName, "version()": selectorVersion, "paused()": selectorPaused,
		"authorizationState(address,bytes32)": selectorAuthorizationState,
		"Error(string)":                       hex.EncodeToString([]byte(errorStringPrefix)),
	} {
		if got := hex.EncodeToString(crypto.Keccak256([]byte(signature))[:4]); got != want {
			t.Errorf("%s: %s, want %s", signature, want, got)
		}
	}
	for signature, want := range map[string]string{
		"Transfer(address,address,uint256)":      topicTransfer,
		"AuthorizationUsed(address,bytes32)":     topicAuthorizationUsed,
		"AuthorizationCanceled(address,bytes32)": topicAuthorizationCanceled,
	} {
		if got := "0x" + hex.EncodeToString(crypto.Keccak256([]byte(signature))); got != want {
			t.Errorf("%s: %s, want %s", signature, want, got)
		}
	}
}

func TestRefusalsOfATransactionAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Refusal{
		"already known": RefusalKnown, "Known transaction: 0xab": RefusalKnown, "unknown transaction type": RefusalUnknown,
		"nonce too low: next nonce 5, tx nonce 4": RefusalNonceUsed, "replacement transaction underpriced": RefusalUnderpriced,
		"max fee per gas less than block base fee": RefusalUnderpriced, "insufficient funds for gas * price + value": RefusalFunds,
		"": RefusalUnknown,
	} {
		err := fmt.Errorf("send: %w", refused("eth_sendRawTransaction", &nodeErrorWire{Code: -32000, Message: text}))
		if got := Classify(err); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := Classify(io.EOF); got != RefusalUnknown {
		t.Errorf("no node error: %d", got)
	}
}

func TestOneTransferDoesNotStandForTwoAuthorizationsOfABatch(t *testing.T) {
	t.Parallel()
	token, payer, payee := Address{1}, Address{2}, Address{3}
	used := func(nonce byte) logEntry {
		topic, err := ParseHash(topicAuthorizationUsed)
		if err != nil {
			t.Fatal(err)
		}
		return logEntry{Address: token, Topics: []Hash{topic, Hash(addressWord(payer)), {nonce}}}
	}
	topic, err := ParseHash(topicTransfer)
	if err != nil {
		t.Fatal(err)
	}
	moved := logEntry{
		Address: token, Topics: []Hash{topic, Hash(addressWord(payer)), Hash(addressWord(payee))},
		Data: json.RawMessage(fmt.Sprintf(`"0x%064x"`, 5)),
	}
	want := func(nonce byte) Transfer {
		return Transfer{Payer: payer, Payee: payee, Amount: abi.NewAmount(5), Nonce: Hash{nonce}}
	}
	batch := Mined{Succeeded: true, logs: []logEntry{used(1), used(2), moved}}
	if batch.Moved(token, want(1)) || !batch.Moved(token, want(2)) {
		t.Error("nonce 1 was used without a transfer of its own, nonce 2 with one")
	}
	if !(Mined{Succeeded: true, logs: []logEntry{moved, used(1)}}).Moved(token, want(1)) {
		t.Error("a lone transfer logged before the use of its nonce was not found")
	}
	if (Mined{Succeeded: true, logs: []logEntry{used(1), moved}}).Moved(Address{9}, want(1)) {
		t.Error("another contract's logs counted")
	}
	if (Mined{logs: []logEntry{used(1), moved}}).Moved(token, want(1)) {
		t.Error("a reverted transaction counted")
	}
}

func FuzzHexAndTextDecodersNeverPanic(f *testing.F) {
	f.Add([]byte(`"0x0"`))
	f.Add([]byte(`"0x` + strings.Repeat("f", 64) + `"`))
	f.Add([]byte("null"))
	f.Add(append(append(make([]byte, 31), 32), make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := amountOf(data); err == nil {
			if digits, hexErr := hexDigits(data); hexErr != nil || len(digits) > 64 {
				t.Errorf("%q read as %s", data, a)
			}
		}
		if text, err := textOf(data, textBytesMax); err == nil && len(text) > textBytesMax {
			t.Errorf("text of %d bytes", len(text))
		}
		if text, err := errorString(data); err == nil && len(text) > revertTextMax {
			t.Errorf("revert text of %d bytes", len(text))
		}
		var wire receiptWire
		if json.Unmarshal(data, &wire) == nil {
			if m, err := wire.mined(); err == nil {
				m.Moved(Address{}, Transfer{})
			}
		}
	})
}
