package gateway

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/purserhq/purser/runtime/api"
)

// follow subscribes again and again, cutting its connection after a few events each time, until it has seen the last
// position. It returns everything it saw.
func (d *door) follow(token string, random *rand.Rand, last func(api.Event) bool) []api.Event {
	d.t.Helper()
	var seen []api.Event
	after := uint64(0)
	for {
		w := d.dial(token)
		w.send(fmt.Sprintf(`{"id":"s","method":"subscribe","params":{"after":%d}}`, after))
		for range 1 + random.IntN(7) {
			m := w.next()
			if m.Error != nil {
				d.t.Fatal(m.Error)
			}
			if m.Seq == 0 { // the answer
				continue
			}
			if m.Seq != m.Event.Seq {
				d.t.Fatalf("frame %d carries event %d", m.Seq, m.Event.Seq)
			}
			seen, after = append(seen, m.Event), m.Seq
			if last(m.Event) {
				return seen
			}
		}
		_ = w.conn.UnderlyingConn().Close() // without goodbye, as a crash does; it cannot fail in a way that matters
	}
}

func TestAStreamThatIsCutOffOftenHasNoGapAndNoDuplicate(t *testing.T) {
	d := openDoor(t, nil)
	const payments = 40
	tokens := map[string]string{"shopper": d.agent("shopper"), "stranger": d.agent("stranger")}
	const all = 2 + 2*2*payments // both agents made, and each payment received and delivered
	var working sync.WaitGroup
	for name, token := range tokens {
		working.Go(func() {
			for n := range payments {
				d.pay(token, fmt.Sprintf("key-%s-%04d", name, n), fmt.Sprintf("/free/%d", n))
			}
		})
	}
	var operator, agent []api.Event
	working.Go(func() {
		operator = d.follow(operatorToken, rand.New(rand.NewPCG(1, 2)), func(e api.Event) bool { return e.Seq == all }) // #nosec G404 -- where to cut
	})
	working.Go(func() {
		agent = d.follow(tokens["shopper"], rand.New(rand.NewPCG(3, 4)), func(e api.Event) bool { return e.ChainSeq == 1+2*payments }) // #nosec G404 -- where to cut
	})
	working.Wait()
	chains := map[string]string{}
	for i, event := range operator {
		if event.Seq != uint64(i)+1 { //nolint:gosec // not negative
			t.Fatalf("event %d has position %d", i, event.Seq)
		}
		if event.Previous != chains[event.Agent] {
			t.Errorf("position %d does not follow its agent's last", event.Seq)
		}
		chains[event.Agent] = event.Hash
	}
	previous := ""
	for i, event := range agent {
		if event.Agent != "shopper" || event.ChainSeq != uint64(i)+1 || event.Previous != previous { //nolint:gosec // not negative
			t.Fatalf("the agent's event %d is %+v", i, event)
		}
		previous = event.Hash
	}
	if previous != chains["shopper"] {
		t.Error("the agent's stream ends in another hash than the operator's")
	}
}

func TestAFilterNarrowsAStream(t *testing.T) {
	d := openDoor(t, nil)
	token := d.agent("shopper")
	one := d.pay(token, "key-00000001", "/free/1")
	two := d.pay(token, "key-00000002", "/free/2")
	w := d.dial(operatorToken)
	w.send(fmt.Sprintf(`{"id":"s","method":"subscribe","params":{"after":0,"filter":{"payment":%q,"kinds":["payment.delivered"]}}}`, two.ID))
	if m := w.next(); m.Error != nil || m.Seq != 0 {
		t.Fatalf("%+v", m)
	}
	if m := w.next(); m.Event.Payment != two.ID || m.Event.Kind != "payment.delivered" || one.ID == two.ID {
		t.Errorf("%+v", m.Event)
	}
}

// A client that subscribes and never reads loses its connection. Meanwhile everybody else is served.
func TestASlowReaderBlocksNobodyAndIsDropped(t *testing.T) {
	d := openDoor(t, nil)
	token := d.agent("shopper")
	for n := range 150 {
		d.pay(token, fmt.Sprintf("key-%08d", n), fmt.Sprintf("/free/%d?%s", n, strings.Repeat("a", 1500)))
	}
	dialer := websocket.Dialer{ReadBufferSize: 1024, NetDial: func(network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			err = tcp.SetReadBuffer(4096)
		}
		return conn, err
	}}
	slow, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(d.url, "http")+"/v1/ws", http.Header{"Authorization": {"Bearer " + operatorToken}})
	if err != nil {
		t.Fatal(err, response)
	}
	defer func() { _ = slow.Close() }() // dropped by the server
	for range subscriptionsMax {        // the whole log, many times: more than any socket buffer holds
		if err := slow.WriteMessage(websocket.TextMessage, []byte(`{"id":"s","method":"subscribe","params":{"after":0}}`)); err != nil {
			t.Fatal(err)
		}
	}
	quick := d.dial(operatorToken)
	quick.send(`{"id":"s","method":"subscribe","params":{"after":0}}`)
	served := uint64(0)
	for n := 0; ; n++ {
		d.pay(token, fmt.Sprintf("more-%08d", n), "/free")
		for want := uint64(1 + 2*150 + 2*(n+1)); served < want; { //nolint:gosec // a small count
			if m := quick.next(); m.Seq != 0 {
				if m.Seq != served+1 {
					t.Fatalf("position %d after %d", m.Seq, served)
				}
				served = m.Seq
			}
		}
		if d.connections() == 1 { // only the quick one is left
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (d *door) connections() int {
	d.gateway.mu.Lock()
	defer d.gateway.mu.Unlock()
	return len(d.gateway.sockets)
}

func TestCloseSendsEveryConnectionAway(t *testing.T) {
	d := openDoor(t, nil)
	token := d.agent("shopper")
	listening, idle := d.dial(token), d.dial(token)
	if m := listening.asks("subscribe", `{"after":0}`); m.Error != nil {
		t.Fatal(m.Error)
	}
	if m := idle.asks("payment.get", `{"id":"none"}`); m.Error == nil {
		t.Fatal("a payment that does not exist")
	}
	if err := d.gateway.Close(); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*wire{listening, idle} {
		if got := w.closed(); got != closeDraining {
			t.Errorf("closed with %d", got)
		}
	}
	if got := d.dial(token).closed(); got != closeLimit {
		t.Errorf("a new connection was closed with %d", got)
	}
	for deadline := time.Now().Add(patience); d.connections() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still counted", d.connections())
		}
	}
}

func TestHealthSaysWhetherTheLedgerAnswers(t *testing.T) {
	d := openDoor(t, nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, answer := d.raw("", http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
}
