package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/settle"
)

// badFront stands before an honest merchant and spoils the answers to payments, after the merchant has settled them,
// until it is told to be honest.
type badFront struct {
	merchant *httputil.ReverseProxy
	spoil    func(w http.ResponseWriter, r *http.Request)
	// late spoils the answer first and hands the payment on afterwards: the chain shows nothing yet.
	late     bool
	honest   atomic.Bool
	payments atomic.Int64
	handing  sync.WaitGroup
}

const lateBy = 1500 * time.Millisecond

func (f *badFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("PAYMENT-SIGNATURE") == "" {
		f.merchant.ServeHTTP(w, r)
		return
	}
	f.payments.Add(1)
	if f.honest.Load() {
		f.merchant.ServeHTTP(w, r)
		return
	}
	handOn := func(after time.Duration, payment *http.Request) {
		time.Sleep(after)
		f.merchant.ServeHTTP(httptest.NewRecorder(), payment) // nobody hears the answer
	}
	payment := r.Clone(context.WithoutCancel(r.Context()))
	if f.late {
		payment.Body = http.NoBody // the server closes the original with its answer; a GET has none
		f.handing.Go(func() { handOn(lateBy, payment) })
	} else {
		handOn(0, payment)
	}
	f.spoil(w, r)
}

// standBefore puts the front where the world's merchant was: agents and policy know only the front.
func (f *badFront) standBefore(t *testing.T, world *testWorld) {
	t.Helper()
	target, err := url.Parse(world.merchantURL)
	if err != nil {
		t.Fatal(err)
	}
	f.merchant = httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.Close()
		f.handing.Wait()
	})
	world.merchantURL = server.URL
}

// hasty gives up on a merchant that does not answer after a second, as the runtime does after a hundred.
type hasty struct{ settle.Protocol }

const hastyPatience = time.Second

func (h hasty) Present(ctx context.Context, resource settle.Resource, payment string) (settle.Presented, error) {
	ctx, cancel := context.WithTimeout(ctx, hastyPatience)
	defer cancel()
	return h.Protocol.Present(ctx, resource, payment)
}

func answer500(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "we took your money and fell over", http.StatusInternalServerError)
}

// neverAnswer holds the connection until the caller gives up.
func neverAnswer(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func breakOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TestAMerchantThatTakesTheMoneyAndLosesTheAnswerIsPaidOnce is paid once for each key, whatever the agent repeats: the key itself,
// or the request under other keys. When the merchant comes to its senses the agent gets what was paid for.
func TestAMerchantThatTakesTheMoneyAndLosesTheAnswerIsPaidOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(http.ResponseWriter, *http.Request)
		late  bool
	}{
		{"it answers 500 after settlement", answer500, false},
		{"it answers 500 before settlement", answer500, true},
		{"it never answers", neverAnswer, false},
		{"it never answers and settles late", neverAnswer, true},
		{"it breaks the connection off", breakOff, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key := testWallet(t)
			world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(oneUSDC), demoReport}}, key)
			front := &badFront{spoil: c.spoil, late: c.late}
			front.standBefore(t, world)
			data := t.TempDir()
			config := world.stackFor(data, world.testPolicy(t, "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"9\""), key)
			config.protocol = func(p settle.Protocol) settle.Protocol { return hasty{p} }
			agent, _ := openTestStack(t, config).agentClient(t, "shopper")
			buyFromBadFront(t, world, front, agent)
			e := world.evidenceOf(t, data, key, 9*oneUSDC)
			e.mustHold(t)
			if len(e.transfers) != 2 || len(e.runtime.rows) != 2 {
				t.Errorf("%d payments and %d transfers for two purchases", len(e.runtime.rows), len(e.transfers))
			}
			if got := balanceOf(t, world.chain.RPCURL(), world.chain.Token().Reference(), demoPayee); got != abi.NewAmount(2*oneUSDC) {
				t.Errorf("the payee has %s for two purchases of one USDC", got)
			}
		})
	}
}

// buyFromBadFront buys once while answers are lost, repeating the key and trying others, and once when they are not.
func buyFromBadFront(t *testing.T, world *testWorld, front *badFront, agent *client.Client) {
	t.Helper()
	const repeats = 3
	pay := func(key string) api.View {
		view, err := agent.Pay(t.Context(), api.PayParams{Key: key, URL: world.merchantURL + "/paid"})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return view
	}
	first := pay("the-purchase")
	for i := range repeats {
		if again := pay("the-purchase"); again.ID != first.ID || again.DuplicateOf != "" {
			t.Errorf("the same key gave payment %s, before it was %s", again.ID, first.ID)
		}
		if other := pay(fmt.Sprintf("another-key-%d", i)); other.ID != first.ID || other.DuplicateOf != first.ID {
			t.Errorf("another key for the same request made payment %s, duplicate of %q", other.ID, other.DuplicateOf)
		}
	}
	front.honest.Store(true)
	for i, key := range []string{"the-purchase", "the-next-one"} {
		view, err := insist(t.Context(), func() *client.Client { return agent }, api.PayParams{Key: key, URL: world.merchantURL + "/paid"})
		if err != nil || view.State != string(runtime.Delivered) || view.Response == nil || string(view.Response.Body) != demoReport {
			t.Errorf("%s ended as %+v, %v", key, view, err)
		}
		if isFirst := view.ID == first.ID; isFirst != (i == 0) {
			t.Errorf("%s is payment %s", key, view.ID)
		}
	}
	if front.payments.Load() < 3 { // once in vain, once again, and the next one
		t.Error("the first payment was never presented again")
	}
}
