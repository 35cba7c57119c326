package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/signer"
)

const (
	operatorToken = "operator-token-of-the-tests"
	baseNetwork   = "eip155:8453"
	baseUSDC      = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	testPolicy    = `version: 1
approvers: {ada: "1111111111111111111111111111111111111111111111111111111111111111"}
agents: {"*": {policy: test}}
policies:
  test: {max_transaction_usdc: "50", daily_spending_limit: "1000", repeats: parallel, require_human_approval_above: "0.5"}
`
)

// shop answers for every resource server: /free costs nothing, /held costs a dollar to a payee nobody vouches for and
// /cheap ten cents, anything else does not answer.
type shop struct{}

var _ settle.Protocol = shop{}

func (shop) Quote(_ context.Context, resource settle.Resource) (settle.Quoted, error) {
	switch {
	case strings.Contains(resource.URL, "/free"):
		return settle.Quoted{Origin: "https://api.example.com", Free: &settle.Response{Status: http.StatusOK, Body: []byte("a present")}}, nil
	case strings.Contains(resource.URL, "/held"), strings.Contains(resource.URL, "/cheap"):
		price := uint64(1_000_000)
		if strings.Contains(resource.URL, "/cheap") {
			price = 100_000
		}
		return settle.Quoted{Origin: "https://api.example.com", Offers: []settle.Offer{{Quote: abi.Quote{
			Requirement: []byte("{}"), Scheme: "exact", Network: baseNetwork, Asset: baseUSDC, Payee: "0x1111111111111111111111111111111111111111",
			Amount: abi.NewAmount(price), TimeoutS: 60, ResourceURL: resource.URL,
		}}}}, nil
	}
	return settle.Quoted{}, &abi.Error{Code: "address_refused", Message: "nobody is there"}
}

func (shop) Payment(string, settle.Offer, []byte) (string, error) {
	return "", errors.New("nothing is paid here")
}

func (shop) Present(context.Context, settle.Resource, string) (settle.Presented, error) {
	return settle.Presented{}, errors.New("nothing is paid here")
}

// nobody is a co-signer and a signer that are away, and a chain that does not answer.
type nobody struct{}

var errAway = errors.New("away")

func (nobody) Consult(context.Context, *abi.ConsultRequest) (*abi.Decision, error) {
	return nil, errAway
}
func (nobody) Arm(context.Context, *abi.ArmRequest) (*abi.Armed, error) { return nil, errAway }
func (nobody) Join(context.Context, *abi.SessionRequest, signer.Transport) (*abi.SessionAnswer, error) {
	return nil, errAway
}
func (nobody) Disclaim(context.Context, *abi.Armed) (*abi.Tombstone, error) { return nil, errAway }

func (nobody) Sign(context.Context, string, *abi.Armed) (signer.Signature, error) {
	return signer.Signature{}, errAway
}
func (nobody) Expect(string)                             {}
func (nobody) Head(context.Context) (settle.Head, error) { return settle.Head{}, errAway }
func (nobody) Fate(context.Context, settle.Authorization) (settle.Fate, error) {
	return settle.Fate{}, errAway
}
func (nobody) Query(context.Context, string, []byte) ([]byte, error) { return nil, errAway }

// loaded is shared by the tests of one run: loading an adapter takes seconds.
var loaded struct {
	once sync.Once
	host *judge.Host
	err  error
	rule runtime.Rules
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "purser-gateway-test-")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(folder) }() // best effort
		loaded.once.Do(func() { loaded.err = load(folder) })
		code := m.Run()
		if loaded.host != nil {
			_ = loaded.host.Close() // the tests are over
		}
		return code
	}())
}

func load(folder string) error {
	path := filepath.Join(folder, "policy.yaml")
	if err := os.WriteFile(path, []byte(testPolicy), 0o600); err != nil {
		return err
	}
	compiled, err := policy.Load(path, policy.Options{})
	if err != nil {
		return err
	}
	if loaded.host, err = judge.OpenHost(judge.HostConfig{QueueWait: time.Minute}); err != nil {
		return err
	}
	ctx := context.Background()
	if loaded.rule.Judge, err = judge.Open(ctx, loaded.host, judge.Source{Bundle: compiled.Bundle, Tokens: compiled.Tokens()}); err != nil {
		return err
	}
	module, err := bundle.Module("chain-evm")
	if err != nil {
		return err
	}
	methods := []string{"eth_call", "eth_getCode"}
	plugin, err := loaded.host.Load(ctx, judge.Use{Module: module, Kind: abi.KindChain, Grants: []byte(`{"rpc_methods":["eth_call","eth_getCode"]}`)})
	if err != nil {
		return err
	}
	adapter, err := runtime.NewAdapter(ctx, plugin, methods)
	loaded.rule.Adapters = []*runtime.Adapter{adapter}
	return err
}

// door is a gateway on a real listener, with its runtime.
type door struct {
	t       testing.TB
	runtime *runtime.Runtime
	gateway *Gateway
	url     string
}

func openDoor(t testing.TB, edit func(*Config)) *door {
	t.Helper()
	return openDoorTo(t, edit, func(*runtime.Config) {})
}

// openDoorTo is openDoor to a runtime that is configured otherwise.
func openDoorTo(t testing.TB, edit func(*Config), change func(*runtime.Config)) *door {
	t.Helper()
	if loaded.err != nil {
		t.Fatal(loaded.err)
	}
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "runtime.db")})
	if err != nil {
		t.Fatal(err)
	}
	identity, err := signer.NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	settings := runtime.Config{
		Store: ledger, Agents: ledger, Rules: loaded.rule, CoSigner: nobody{}, CoSignerKey: identity.Public(), Identity: identity,
		Wallets:  map[string]runtime.Account{"main": {Wallet: signer.Wallet{ID: "main"}, Signer: nobody{}}},
		Protocol: shop{}, Chains: map[abi.Network]settle.Chain{baseNetwork: nobody{}},
	}
	change(&settings)
	r, err := runtime.Open(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Runtime: r, Operator: sha256.Sum256([]byte(operatorToken))}
	if edit != nil {
		edit(&config)
	}
	g, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(g.Close(), r.Close(), ledger.Close()); err != nil {
			t.Error(err)
		}
	})
	return &door{t: t, runtime: r, gateway: g, url: server.URL}
}

func (d *door) agent(name string) (token string) {
	d.t.Helper()
	made, err := d.runtime.CreateAgent(d.t.Context(), name, "main", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return made.Reveal()
}

// call makes a plain HTTP call and decodes the answer.
func (d *door) call(token, method, path, body string, into any) (status int) {
	d.t.Helper()
	status, answer := d.raw(token, method, path, body)
	if err := json.Unmarshal(answer, into); err != nil {
		d.t.Fatalf("%s %s: %v: %.200s", method, path, err, answer)
	}
	return status
}

func (d *door) raw(token, method, path, body string) (int, []byte) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// refusal is the error shape of an HTTP answer.
type refusal struct {
	Error *abi.Error `json:"error"`
}

func (d *door) refused(token, method, path, body string) (status int, code string) {
	d.t.Helper()
	var answer refusal
	status = d.call(token, method, path, body, &answer)
	if answer.Error == nil {
		return status, ""
	}
	return status, answer.Error.Code
}

// pay makes one payment for a path and returns it at rest.
func (d *door) pay(token, key, path string) api.View {
	d.t.Helper()
	var view api.View
	d.call(token, http.MethodPost, "/v1/pay", fmt.Sprintf(`{"idempotency_key":%q,"url":"https://api.example.com%s"}`, key, path), &view)
	if view.ID == "" {
		d.t.Fatalf("payment %s came to nothing", key)
	}
	return view
}

// wire is a WebSocket connection of the tests.
type wire struct {
	t    testing.TB
	conn *websocket.Conn
}

// message is anything a server may send.
type message struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *abi.Error      `json:"error"`
	Seq    uint64          `json:"seq"`
	Event  api.Event       `json:"event"`
}

func (d *door) dial(token string) *wire {
	d.t.Helper()
	w, response, err := d.tryDial(token, nil)
	if err != nil {
		d.t.Fatalf("dial: %v, %v", err, response)
	}
	return w
}

func (d *door) tryDial(token string, header http.Header) (*wire, *http.Response, error) {
	d.t.Helper()
	if header == nil {
		header = http.Header{}
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, response, err := websocket.DefaultDialer.DialContext(d.t.Context(), "ws"+strings.TrimPrefix(d.url, "http")+"/v1/ws", header)
	if response != nil && err != nil {
		defer func() { _ = response.Body.Close() }() // only its status counts
	}
	if err != nil {
		return nil, response, err
	}
	d.t.Cleanup(func() { _ = conn.Close() }) // may be closed already
	return &wire{d.t, conn}, response, nil
}

func (w *wire) send(text string) {
	w.t.Helper()
	if err := w.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		w.t.Fatal(err)
	}
}

// next is the next message; it fails the test when none comes.
func (w *wire) next() message {
	w.t.Helper()
	m, err := w.read()
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

const patience = time.Minute

func (w *wire) read() (message, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return message{}, err
	}
	var m message
	_, data, err := w.conn.ReadMessage()
	if err != nil {
		return m, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return m, decoder.Decode(&m)
}

// closed reads to the end and returns the close code.
func (w *wire) closed() int {
	w.t.Helper()
	for {
		_, err := w.read()
		var end *websocket.CloseError
		switch {
		case errors.As(err, &end):
			return end.Code
		case err != nil:
			w.t.Fatalf("the connection broke without a close frame: %v", err)
		}
	}
}

// asks sends a call and returns its answer.
func (w *wire) asks(method, params string) message {
	w.t.Helper()
	w.send(fmt.Sprintf(`{"id":"x","method":%q,"params":%s}`, method, params))
	return w.next()
}
