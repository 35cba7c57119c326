package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/request"
)

// seeded is a key that only tests have.
func seeded(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("worthless: " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(name string) ed25519.PublicKey {
	public, _ := seeded(name).Public().(ed25519.PublicKey) // always of that type
	return public
}

// signer registers an agent that has to sign and returns its token.
func (d *door) signer(name string) string {
	d.t.Helper()
	made, err := d.runtime.RegisterAgent(d.t.Context(), api.AgentParams{Agent: name, Wallet: "main", PublicKey: hex.EncodeToString(publicOf(name))})
	if err != nil {
		d.t.Fatal(err)
	}
	return made.Reveal()
}

func encoded(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (d *door) entries() int {
	d.t.Helper()
	records, err := d.runtime.Records(d.t.Context(), 0)
	if err != nil {
		d.t.Fatal(err)
	}
	return len(records)
}

func TestAnAgentWithAKeyHasToSignAndWhatItDidNotSignIsNotEvenRecorded(t *testing.T) {
	d := openDoor(t, nil)
	token, bearerToken := d.signer("shopper"), d.agent("bearer")
	before := d.entries()
	asked := api.PayParams{Key: "key-00000001", URL: "https://api.example.com/free", Body: []byte("b"), AmountMax: abi.NewAmount(9)}
	later := time.Now().Add(time.Hour)
	signed := func(by string, params api.PayParams, expires time.Time) api.PayParams {
		signed, err := client.Sign(params, seeded(by), expires)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	bent := func(edit func(*api.PayParams)) api.PayParams {
		params := signed("shopper", asked, later)
		edit(&params)
		return params
	}
	for name, attack := range map[string]struct {
		token  string
		params api.PayParams
		code   string
	}{
		"unsigned":               {token, asked, "signature_required"},
		"by another agent":       {token, signed("reader", asked, later), "request_forged"},
		"expired":                {token, signed("shopper", asked, time.Now().Add(-time.Second)), "request_expired"},
		"good for too long":      {token, signed("shopper", asked, time.Now().Add(48*time.Hour)), "request_expired"},
		"another url":            {token, bent(func(p *api.PayParams) { p.URL += "?more=1" }), "request_forged"},
		"another host":           {token, bent(func(p *api.PayParams) { p.URL = "https://evil.example.com/free" }), "request_forged"},
		"another method":         {token, bent(func(p *api.PayParams) { p.Method = "POST" }), "request_forged"},
		"another body":           {token, bent(func(p *api.PayParams) { p.Body = []byte("c") }), "request_forged"},
		"another ceiling":        {token, bent(func(p *api.PayParams) { p.AmountMax = abi.NewAmount(10) }), "request_forged"},
		"another key":            {token, bent(func(p *api.PayParams) { p.Key = "key-00000002" }), "request_forged"},
		"no base64":              {token, bent(func(p *api.PayParams) { p.Signed = "!" }), "request_malformed"},
		"too much":               {token, bent(func(p *api.PayParams) { p.Signed = strings.Repeat("A", 8000) }), "request_malformed"},
		"no request":             {token, bent(func(p *api.PayParams) { p.Signed = base64.StdEncoding.EncodeToString([]byte("hello")) }), "request_malformed"},
		"by an agent with a key": {bearerToken, signed("shopper", asked, later), "signature_unexpected"},
	} {
		if _, code := d.refused(attack.token, http.MethodPost, "/v1/pay", encoded(t, attack.params)); code != attack.code {
			t.Errorf("%s: %s, want %s", name, code, attack.code)
		}
	}
	if after := d.entries(); after != before {
		t.Errorf("what was refused left %d entries", after-before)
	}
}

func TestTheSameSignedRequestIsTheSamePaymentHoweverItComes(t *testing.T) {
	d := openDoor(t, nil)
	token := d.signer("shopper")
	asked := api.PayParams{Key: "key-00000001", URL: "https://api.example.com/held"}
	first, err := client.Sign(asked, seeded("shopper"), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var view, again api.View
	d.call(token, http.MethodPost, "/v1/pay", encoded(t, first), &view)
	if view.State != string(runtime.Held) {
		t.Fatalf("%+v", view)
	}
	if m := d.dial(token).asks("pay", encoded(t, first)); m.Error != nil || json.Unmarshal(m.Result, &again) != nil || again.ID != view.ID {
		t.Errorf("over WebSocket: %s, %v", m.Result, m.Error)
	}
	// Signed again, for later: still the same ask. The client does so by itself.
	c, err := client.New(d.url, client.Token(token), nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Signing(seeded("shopper")).Pay(t.Context(), asked); err != nil || again.ID != view.ID {
		t.Errorf("signed again: %+v, %v", again, err)
	}
	other := asked
	other.Purpose = "something else"
	if _, err := c.Signing(seeded("shopper")).Pay(t.Context(), other); abi.CodeOf(err) != "idempotency_conflict" {
		t.Errorf("another ask under the key: %v", err)
	}
	if _, err := c.Pay(t.Context(), asked); abi.CodeOf(err) != "signature_required" {
		t.Errorf("unsigned: %v", err)
	}
}

// What the decision was made on says whether the agent signed: a policy can ask for it, and a reader of the log sees it.
func TestTheDecisionSaysWhetherTheAgentSigned(t *testing.T) {
	d := openDoor(t, nil)
	for name, token := range map[string]string{"shopper": d.signer("shopper"), "bearer": d.agent("bearer")} {
		params := api.PayParams{Key: "key-00000001", URL: "https://api.example.com/held"}
		if name == "shopper" {
			var err error
			if params, err = client.Sign(params, seeded(name), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		var view api.View
		d.call(token, http.MethodPost, "/v1/pay", encoded(t, params), &view)
		p, err := d.runtime.Payment(t.Context(), view.ID)
		if err != nil || p.Decision == nil {
			t.Fatalf("%s: %+v, %v", name, view, err)
		}
		var judged abi.DecideRequest
		if err := judged.Unmarshal(p.Decision.Request); err != nil || judged.Agent.SignedRequest != (name == "shopper") || (judged.Intent.Request != nil) != (name == "shopper") {
			t.Errorf("%s: signed %v, %v", name, judged.Agent.SignedRequest, err)
		}
	}
	var shown api.AgentView
	if d.call(operatorToken, http.MethodGet, "/v1/agents/shopper", "", &shown); shown.Requests != api.RequestsSigned || shown.PublicKey != hex.EncodeToString(publicOf("shopper")) {
		t.Errorf("%+v", shown)
	}
	if d.call(operatorToken, http.MethodGet, "/v1/agents/bearer", "", &shown); shown.Requests != api.RequestsBearer || shown.Token != "" {
		t.Errorf("%+v", shown)
	}
}

// asking is a co-signer that knows who is enrolled with it and nothing else.
type asking struct {
	nobody
	mu     sync.Mutex
	known  map[string]uint64
	calls  []string
	refuse error
}

func (a *asking) Consult(_ context.Context, r *abi.ConsultRequest) (*abi.Decision, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, "consult")
	if a.known[r.Intent.Agent] == 0 {
		return nil, &abi.Error{Code: "agent_unknown", Message: "who"}
	}
	return nil, &abi.Error{Code: "known", Message: "and asked"}
}

func (a *asking) Accept(_ context.Context, o *abi.Order) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, "accept")
	if a.refuse == nil {
		a.known[o.Subject] = o.Serial
	}
	return a.refuse
}

func (a *asking) answer(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse, a.calls = err, nil
}

func (a *asking) forget() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls, a.known = nil, map[string]uint64{}
	return calls
}

var operators = order.Operators{Quorum: 2, Keys: map[string]ed25519.PublicKey{"ann": publicOf("ann"), "ben": publicOf("ben")}}

// openEnrolling is a door to a runtime with operators and a wallet that agents have keys under.
func openEnrolling(t testing.TB) (*door, *asking) {
	other := &asking{known: map[string]uint64{}}
	return openDoorTo(t, nil, func(c *runtime.Config) {
		secret := sha256.Sum256([]byte("worthless root"))
		key := secp256k1.PrivKeyFromBytes(secret[:])
		wallet := signer.Wallet{ID: "main", PublicKey: key.PubKey().SerializeUncompressed(), Address: "0x00000000000000000000000000000000000000aa"}
		wallet.ChainCode = signer.NewChainCode(sha256.Sum256([]byte("worthless chain code")))
		c.Wallets = map[string]runtime.Account{"main": {Wallet: wallet, Signer: nobody{}}}
		c.Operators, c.CoSigner, c.Enroller = operators, other, other
	}), other
}

func enrolment(t testing.TB, e abi.Enrolment, serial uint64, by ...string) *abi.Order {
	t.Helper()
	o, err := order.NewEnrolment("default", e, serial, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range by {
		if err := order.Sign(o, name, seeded(name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (d *door) enrols(o *abi.Order, groups ...string) (view api.AgentView, code string) {
	d.t.Helper()
	var answer struct {
		api.OrderView
		Error *abi.Error `json:"error"`
	}
	d.call(operatorToken, http.MethodPost, "/v1/orders", encoded(d.t, api.OrderParams{Order: o, Groups: groups}), &answer)
	if answer.Error != nil {
		return view, answer.Error.Code
	}
	if answer.Agent == nil || answer.Subject != answer.Agent.ID || answer.Serial != answer.Agent.Serial {
		d.t.Fatalf("%+v about %+v", answer.OrderView, answer.Agent)
	}
	return *answer.Agent, ""
}

func TestWhereOperatorsEnrolAgentsAnOrderMakesOneAndNothingElseDoes(t *testing.T) {
	d, _ := openEnrolling(t)
	if _, code := d.refused(operatorToken, http.MethodPost, "/v1/agents", `{"agent":"shopper","wallet":"main"}`); code != "enrolment_required" {
		t.Errorf("created without an order: %s", code)
	}
	e := abi.Enrolment{Agent: "shopper", Wallet: "main", Derived: true, PublicKey: publicOf("shopper")}
	made, code := d.enrols(enrolment(t, e, 1, "ann", "ben"), "team")
	root := "0x00000000000000000000000000000000000000aa"
	if code != "" || made.Token == "" || !made.Derived || made.Address == "" || made.Address == root || made.Serial != 1 || made.Requests != api.RequestsSigned || !slices.Equal(made.Groups, []string{"team"}) {
		t.Fatalf("%+v, %s", made, code)
	}
	if plain, code := d.enrols(enrolment(t, abi.Enrolment{Agent: "plain", Wallet: "main"}, 1, "ann", "ben")); code != "" || plain.Address != root || plain.Requests != api.RequestsBearer {
		t.Errorf("%+v, %s", plain, code)
	}
	for name, attack := range map[string]struct {
		order *abi.Order
		code  string
	}{
		"too few operators": {enrolment(t, e, 2, "ann"), "order_unendorsed"},
		"an older serial":   {enrolment(t, abi.Enrolment{Agent: "shopper", Wallet: "main"}, 1, "ann", "ben"), "order_stale"},
		"no such wallet":    {enrolment(t, abi.Enrolment{Agent: "other", Wallet: "treasury"}, 1, "ann", "ben"), "wallet_missing"},
		"no order":          {nil, "request_invalid"},
	} {
		if view, code := d.enrols(attack.order); code != attack.code {
			t.Errorf("%s: %+v, %q, want %s", name, view, code, attack.code)
		}
	}
	if _, code := d.refused(made.Token, http.MethodPost, "/v1/orders", encoded(t, api.OrderParams{Order: enrolment(t, e, 2, "ann", "ben")})); code != "forbidden" {
		t.Errorf("an agent brings orders: %q", code)
	}
	// Renewed, it keeps its token and its groups; ended by one operator, its token stops working.
	if renewed, code := d.enrols(enrolment(t, e, 2, "ann", "ben")); code != "" || renewed.Token != "" || renewed.Serial != 2 || len(renewed.Groups) != 1 {
		t.Errorf("%+v, %s", renewed, code)
	}
	if _, err := d.runtime.Authenticate(t.Context(), made.Token); err != nil {
		t.Errorf("after a renewal: %v", err)
	}
	if ended, code := d.enrols(enrolment(t, abi.Enrolment{Agent: "shopper", Revoked: true}, 3, "ben")); code != "" || !ended.Revoked {
		t.Errorf("%+v, %s", ended, code)
	}
	if _, err := d.runtime.Authenticate(t.Context(), made.Token); abi.CodeOf(err) != "agent_revoked" {
		t.Errorf("after the end: %v", err)
	}
	// An end that comes first makes no token, and the enrolment after it does.
	if ended, code := d.enrols(enrolment(t, abi.Enrolment{Agent: "late", Revoked: true}, 1, "ben")); code != "" || ended.Token != "" {
		t.Errorf("%+v, %s", ended, code)
	}
	if late, code := d.enrols(enrolment(t, abi.Enrolment{Agent: "late", Wallet: "main"}, 2, "ann", "ben")); code != "" || late.Token == "" || late.Revoked {
		t.Errorf("%+v, %s", late, code)
	}
}

func TestTheCoSignerHearsOfAnEnrolmentAtOnceOrWithTheNextPayment(t *testing.T) {
	d, other := openEnrolling(t)
	e := abi.Enrolment{Agent: "shopper", Wallet: "main"}
	// One that refuses leaves this side unchanged; one that is away does not hold anybody up.
	other.answer(&abi.Error{Code: "order_unendorsed", Message: "other operators"})
	if _, code := d.enrols(enrolment(t, e, 1, "ann", "ben")); code != "order_unendorsed" {
		t.Errorf("refused there: %q", code)
	}
	if _, err := d.runtime.Agent(t.Context(), "shopper"); abi.CodeOf(err) != "not_found" {
		t.Errorf("refused there, known here: %v", err)
	}
	other.answer(errors.New("away"))
	made, code := d.enrols(enrolment(t, e, 1, "ann", "ben"))
	if code != "" || made.Token == "" {
		t.Fatalf("%+v, %s", made, code)
	}
	other.answer(nil)
	if view := d.pay(made.Token, "key-00000001", "/cheap/1"); view.Reasons[0].Code != "known" {
		t.Errorf("%+v", view.Reasons)
	}
	if calls := strings.Join(other.forget(), " "); calls != "consult accept consult" {
		t.Errorf("the co-signer saw: %s", calls)
	}
	// It lost its ledger and takes nothing: the payment is denied, and it is told once only.
	other.answer(&abi.Error{Code: "order_stale", Message: "no"})
	if view := d.pay(made.Token, "key-00000002", "/cheap/2"); view.State != string(runtime.Denied) || view.Reasons[0].Code != "agent_unknown" {
		t.Errorf("%+v", view)
	}
	if calls := strings.Join(other.forget(), " "); calls != "consult accept" {
		t.Errorf("the co-signer saw: %s", calls)
	}
}

// A key that is replaced while a payment waits for a person: what the old one signed is not good any more.
func TestAHeldPaymentIsDeniedWhenItsSignatureIsNoLongerTheAgents(t *testing.T) {
	d, _ := openEnrolling(t)
	made, code := d.enrols(enrolment(t, abi.Enrolment{Agent: "shopper", Wallet: "main", PublicKey: publicOf("shopper")}, 1, "ann", "ben"))
	if code != "" {
		t.Fatal(code)
	}
	params, err := client.Sign(api.PayParams{Key: "key-00000001", URL: "https://api.example.com/cheap"}, seeded("shopper"), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, code := d.enrols(enrolment(t, abi.Enrolment{Agent: "shopper", Wallet: "main", PublicKey: publicOf("renewed")}, 2, "ann", "ben")); code != "" {
		t.Fatal(code)
	}
	if _, code := d.refused(made.Token, http.MethodPost, "/v1/pay", encoded(t, params)); code != "request_forged" {
		t.Errorf("by the old key: %q", code)
	}
	// The runtime asks again when it decides: here by an embedder that held the agent's record from before.
	agent, err := d.runtime.Agent(t.Context(), "shopper")
	if err != nil {
		t.Fatal(err)
	}
	agent.PublicKey = publicOf("shopper")
	ask := runtime.Ask{}
	ask.Resource.Method, ask.Resource.URL = params.Method, params.URL
	if ask.Signed, err = request.Decode(params.Signed); err != nil {
		t.Fatal(err)
	}
	done, err := d.runtime.Submit(t.Context(), agent, params.Key, ask)
	if err != nil || done.Payment.State != runtime.Denied || done.Payment.Denial.Code != "request_forged" {
		t.Errorf("%s %+v, %v", done.Payment.State, done.Payment.Denial, err)
	}
}
