//go:build !nodevchain

package facilitator_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/evm"
)

func TestAStuckTransactionIsReplacedAtItsNonceByADearerOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	a := w.order(t)
	w.rpc = w.losing(t, func() string { // a node that says yes and forgets the first transaction
		s, found, err := w.journal.Find(t.Context(), w.key(t, a))
		if err != nil || !found || len(s.Attempts) == 0 {
			return ""
		}
		return "0x" + hex.EncodeToString(s.Attempts[0].Raw)
	})
	d := w.open(t, nil)
	commits := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() { // blocks pass it over
		for {
			select {
			case <-commits:
				return
			case <-time.After(100 * time.Millisecond):
				if err := w.chain.Commit(t.Context()); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
			}
		}
	})
	s := d.send(t, "/settle", w.request(a, w.signed(t, a)))
	close(commits)
	wait.Wait()
	stored, _, err := w.journal.Find(t.Context(), w.key(t, a))
	if err != nil || !s.Success || len(stored.Attempts) < 2 {
		t.Fatalf("%+v with %d attempts, %v", s, len(stored.Attempts), err)
	}
	first, last := stored.Attempts[0], stored.Attempts[len(stored.Attempts)-1]
	if first.RelayerNonce != last.RelayerNonce || last.MaxFeeWei.Cmp(first.MaxFeeWei) <= 0 || last.TipWei.Cmp(first.TipWei) <= 0 {
		t.Errorf("replaced %+v by %+v", first, last)
	}
	if s.Transaction == first.TxHash.String() {
		t.Error("the lost transaction was mined")
	}
	w.wantBalance(t, w.payee.Address, price)
}

// losing opens the chain through a proxy that acknowledges one raw transaction
// without passing it on.
func (w *world) losing(t *testing.T, lost func() string) *evm.RPC {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		var call struct {
			ID     json.RawMessage
			Method string
			Params []json.RawMessage
		}
		if err != nil || json.Unmarshal(body, &call) != nil {
			out.WriteHeader(http.StatusBadRequest)
			return
		}
		if call.Method == "eth_sendRawTransaction" && string(call.Params[0]) == `"`+lost()+`"` {
			_, _ = fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":"0x%064x"}`, call.ID, 1)
			return
		}
		request, err := http.NewRequestWithContext(in.Context(), http.MethodPost, w.chain.RPCURL(), bytes.NewReader(body))
		if err != nil {
			out.WriteHeader(http.StatusInternalServerError)
			return
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			out.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.Copy(out, response.Body)
	}))
	t.Cleanup(proxy.Close)
	r, err := evm.Open(t.Context(), evm.Config{URL: proxy.URL, Network: w.chain.Network()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
