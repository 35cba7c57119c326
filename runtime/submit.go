package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

// Bounds of what an agent may ask.
const (
	keyBytesMin      = 8
	keyBytesMax      = 128
	urlBytesMax      = 2048
	bodyBytesMax     = 256 << 10
	purposeBytesMax  = 512
	headersMax       = 32
	headerBytesMax   = 4096
	keyPatternSource = `^[A-Za-z0-9._:-]+$`
)

var keyPattern = regexp.MustCompile(keyPatternSource)

// Submitted is what Submit found.
type Submitted struct {
	Payment Payment
	// DuplicateOf is the id of the payment returned in place of a new one, because the same request is still live,
	// unknown or undelivered under another key.
	DuplicateOf string
}

// Submit records an agent's ask under its idempotency key and takes it as far as it goes. The same key with the same
// ask returns the same payment, whatever became of it; with another ask it is an error with code
// idempotency_conflict. The payment goes on when ctx ends: ask again with the same key.
func (r *Runtime) Submit(ctx context.Context, agent store.Agent, key string, ask Ask) (Submitted, error) {
	if agent.Revoked {
		return Submitted{}, errRevoked(agent.ID)
	}
	ask, err := checkAsk(key, ask)
	if err != nil {
		return Submitted{}, err
	}
	if err := r.checkSigned(agent, key, ask); err != nil {
		return Submitted{}, err
	}
	if err := r.mayBegin(ctx, agent, key); err != nil {
		return Submitted{}, err
	}
	p := Payment{ID: judge.PaymentID(r.config.Tenant, agent.ID, key), Tenant: r.config.Tenant, Agent: agent.ID, Key: key, State: Received, Ask: ask}
	in, release := r.rules.Acquire()
	if in.repeats(p) != rules.RepeatsParallel {
		p.Slot = ask.fingerprint(agent.ID)
	}
	p.Due = r.timing(in, p).due(p)
	release()
	if ask.Required != nil {
		p.Origin = ask.Required.Origin
	}
	started, err := r.turn(ctx, p.ID, agent.ID)
	if err != nil {
		return Submitted{}, err
	}
	found, claim, err := r.insert(ctx, p, started)
	if err != nil {
		return Submitted{}, err
	}
	switch {
	case claim == store.ClaimSameKey && !found.Ask.equal(ask):
		return Submitted{}, &abi.Error{
			Code: "idempotency_conflict", Where: found.ID, Retry: abi.RetryNever,
			Message: "this key was used for another request", Fix: "use a new key for a new request",
		}
	case claim == store.ClaimCreated:
	default:
		started = r.resume(found)
	}
	done, err := started.wait(ctx, found)
	if claim == store.ClaimSameSlot {
		return Submitted{Payment: done, DuplicateOf: found.ID}, err
	}
	return Submitted{Payment: done}, err
}

// insert claims the key and the slot; when the payment is new, its run starts, else the reserved place is given back.
func (r *Runtime) insert(ctx context.Context, p Payment, place *run) (Payment, store.Claim, error) {
	body, err := p.body()
	if err != nil {
		r.abandon(place)
		return p, 0, err
	}
	entry, err := newEntry("payment.received", p.ID, record{To: Received, Event: "received", URL: p.Ask.Resource.URL})
	if err != nil {
		r.abandon(place)
		return p, 0, err
	}
	first := store.Row{
		Tenant: p.Tenant, Agent: p.Agent, ID: p.ID, Key: p.Key, Slot: p.Slot, State: string(Received),
		Due: p.Due, Body: body,
	}
	row, claim, err := r.config.Store.Insert(ctx, first, entry)
	if errors.Is(err, store.ErrCommitUnknown) {
		// Asked again, the unique key tells whether it happened: a row that nobody has moved yet is ours to run.
		row, claim, err = r.config.Store.Insert(ctx, first, entry)
		if err == nil && claim == store.ClaimSameKey && row.Version == 1 && bytes.Equal(row.Body, body) {
			claim = store.ClaimCreated
		}
	}
	if err != nil {
		r.abandon(place)
		return p, 0, fmt.Errorf("record payment %s: %w", p.ID, err)
	}
	found, err := fromRow(row)
	if err != nil || claim != store.ClaimCreated {
		r.abandon(place)
		return found, claim, err
	}
	r.tail.wake()
	r.start(place, found)
	return found, claim, nil
}

func checkAsk(key string, ask Ask) (Ask, error) {
	bad := func(where, message, fix string) (Ask, error) {
		return Ask{}, &abi.Error{Code: "request_invalid", Where: where, Message: message, Fix: fix}
	}
	if len(key) < keyBytesMin || len(key) > keyBytesMax || !keyPattern.MatchString(key) {
		return bad("idempotency_key", fmt.Sprintf("the key needs %d to %d characters of A-Z a-z 0-9 . _ : -", keyBytesMin, keyBytesMax),
			"choose one random key for each thing to buy and repeat it on a retry")
	}
	target, err := url.Parse(ask.Resource.URL)
	if err != nil || len(ask.Resource.URL) > urlBytesMax || target.Scheme != "http" && target.Scheme != "https" ||
		target.Host == "" || target.User != nil || target.Fragment != "" {
		return bad("url", "the url is not a plain http or https address", "write it like https://api.example.com/path")
	}
	if ask.Resource.Method == "" {
		ask.Resource.Method = http.MethodGet
	}
	methods := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	if !slices.Contains(methods, ask.Resource.Method) {
		return bad("method", fmt.Sprintf("method %.20q is not one of %v", ask.Resource.Method, methods), "")
	}
	if len(ask.Resource.Body) > bodyBytesMax || len(ask.Purpose) > purposeBytesMax {
		return bad("body", fmt.Sprintf("the body has more than %d bytes or the purpose more than %d", bodyBytesMax, purposeBytesMax), "")
	}
	if err := checkHeaders(ask.Resource.Header); err != nil {
		return Ask{}, err
	}
	return ask, nil
}

// refusedHeaders would let an agent smuggle a payment of its own, or talk to another host than the URL names.
var refusedHeaders = []string{
	"Payment-Signature", "X-Payment", "Payment-Required", "Payment-Response", "Host", "Content-Length",
	"Transfer-Encoding", "Connection", "Upgrade", "Proxy-Authorization", "Te", "Trailer",
}

func checkHeaders(header map[string]string) error {
	total := 0
	for name, value := range header {
		total += len(name) + len(value)
		if slices.Contains(refusedHeaders, http.CanonicalHeaderKey(name)) {
			return &abi.Error{Code: "request_invalid", Where: "header." + name, Message: "this header belongs to the runtime", Fix: "leave it out"}
		}
	}
	if len(header) > headersMax || total > headerBytesMax {
		return &abi.Error{Code: "request_invalid", Where: "header", Message: fmt.Sprintf("more than %d headers or %d bytes of them", headersMax, headerBytesMax)}
	}
	return nil
}

func errRevoked(agent string) error {
	return &abi.Error{Code: "agent_revoked", Where: agent, Message: "the agent's access was revoked", Fix: "ask the operator"}
}
