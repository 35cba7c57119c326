//go:build !nodevchain

package facilitator_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
)

const (
	endowment = 1_000_000
	price     = 10_000
)

type object = map[string]any

// world is a chain, a facilitator on it and two parties.
type world struct {
	chain        *devchain.Chain
	rpc          *evm.RPC
	journal      *memory
	payer, payee devchaintest.Payer
}

func newWorld(t testing.TB, cfg devchain.Config) *world {
	t.Helper()
	c := devchaintest.Start(t, cfg)
	r, err := evm.Open(t.Context(), evm.Config{URL: c.RPCURL(), Network: c.Network()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return &world{chain: c, rpc: r, journal: newMemory(), payer: devchaintest.Funded(t, c, endowment), payee: devchaintest.NewPayer(t)}
}

// door is a running facilitator and its URL.
type door struct {
	url string
	f   *facilitator.Facilitator
	// stop ends it before the test does.
	stop func()
}

func (w *world) open(t testing.TB, change func(*facilitator.Config)) door {
	t.Helper()
	key, err := facilitator.ParseKey(w.chain.Relayer().PrivateKeyHex)
	if err != nil {
		t.Fatal(err)
	}
	cfg := facilitator.Config{
		RPC: w.rpc, Assets: []abi.Asset{w.chain.Token()}, Key: key, Journal: w.journal,
		PollInterval: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	f, err := facilitator.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open facilitator: %v", err)
	}
	server := httptest.NewServer(f.Handler())
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		if err := f.Close(); err != nil { // first, so that waiting requests end
			t.Errorf("close facilitator: %v", err)
		}
		server.Close()
	}
	t.Cleanup(stop)
	return door{url: server.URL, f: f, stop: stop}
}

// testWriter sends logs to the test that caused them.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(line)))
	return len(line), nil
}

// order is an authorization that would go through.
func (w *world) order(t testing.TB) devchaintest.Authorization {
	t.Helper()
	return devchaintest.Authorization{
		From: w.payer.Address, To: w.payee.Address, Value: abi.NewAmount(price),
		ValidBefore: uint64(time.Now().Unix()) + 120, Nonce: devchaintest.Nonce(t),
	}
}

func (w *world) signed(t testing.TB, a devchaintest.Authorization) []byte {
	t.Helper()
	return w.payer.SignTransfer(t, devchaintest.TokenDomain(w.chain), a)
}

func (w *world) offer() object {
	return object{
		"scheme": "exact", "network": string(w.chain.Network()), "amount": strconv.Itoa(price), "asset": devchain.TokenAddress,
		"payTo": w.payee.Address, "maxTimeoutSeconds": 120, "extra": object{"name": "USDC", "version": "2"},
	}
}

// request is a facilitator request of version 2 that a test may change before it is sent.
func (w *world) request(a devchaintest.Authorization, signature []byte) object {
	return object{"x402Version": 2, "paymentRequirements": w.offer(), "paymentPayload": object{
		"x402Version": 2, "accepted": w.offer(), "payload": object{
			"signature": "0x" + hex.EncodeToString(signature),
			"authorization": object{
				"from": a.From, "to": a.To, "value": a.Value.String(), "validAfter": strconv.FormatUint(a.ValidAfter, 10),
				"validBefore": strconv.FormatUint(a.ValidBefore, 10), "nonce": "0x" + hex.EncodeToString(a.Nonce[:]),
			},
		},
	}}
}

// fresh is a request that would be settled.
func (w *world) fresh(t testing.TB) object {
	t.Helper()
	a := w.order(t)
	return w.request(a, w.signed(t, a))
}

// at walks into nested objects.
func at(o object, path ...string) object {
	for _, key := range path {
		o = o[key].(object) //nolint:forcetypeassert // a test's own shape
	}
	return o
}

type answer struct {
	status      int
	IsValid     bool   `json:"isValid"`
	Invalid     string `json:"invalidReason"`
	Success     bool   `json:"success"`
	Reason      string `json:"errorReason"`
	Message     string `json:"errorMessage"`
	Payer       string `json:"payer"`
	Transaction string `json:"transaction"`
	Network     string `json:"network"`
	Error       string `json:"error"`
}

func (d door) send(t testing.TB, path string, body any) answer {
	t.Helper()
	text, isText := body.(string)
	if !isText {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	a, err := d.post(t, path, text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (d door) post(t testing.TB, path, body string) (answer, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode}
	return a, json.Unmarshal(text, &a)
}

func (w *world) wantBalance(t testing.TB, address string, want uint64) {
	t.Helper()
	if got := devchaintest.Balance(t, w.chain, address); got != want {
		t.Errorf("%s holds %d, want %d", address, got, want)
	}
}
