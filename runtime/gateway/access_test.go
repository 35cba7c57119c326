package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

func TestAWrongTokenGetsNowhere(t *testing.T) {
	d := openDoor(t, nil)
	d.agent("shopper")
	for _, token := range []string{"", "wrong", "purser_", strings.Repeat("a", 10_000), operatorToken + "x", "shopper"} {
		for _, call := range []string{"POST /v1/pay", "GET /v1/agents", "GET /v1/events", "GET /v1/payments/pay_00000000000000000000000000000000"} {
			method, path, _ := strings.Cut(call, " ")
			if status, code := d.refused(token, method, path, `{"idempotency_key":"key-00000001","url":"https://api.example.com/free"}`); status != http.StatusUnauthorized || code != "unauthorized" {
				t.Errorf("%s with %.20q: %d %s", call, token, status, code)
			}
		}
		if token == "" {
			continue // no header: the first frame must bring the token
		}
		if _, response, err := d.tryDial(token, nil); err == nil || response == nil || response.StatusCode != http.StatusUnauthorized {
			t.Errorf("websocket with %.20q: %v", token, err)
		}
	}
	for name, frame := range map[string]string{
		"a wrong token":         `{"id":1,"method":"auth","params":{"token":"wrong"}}`,
		"no token":              `{"id":1,"method":"auth","params":{}}`,
		"another call first":    `{"id":1,"method":"agents.list"}`,
		"a token of wrong type": `{"id":1,"method":"auth","params":{"token":7}}`,
	} {
		w := d.dial("")
		w.send(frame)
		if code := w.closed(); code != closeUnauthorized {
			t.Errorf("%s: close code %d", name, code)
		}
	}
	if records, err := d.runtime.Records(t.Context(), 0); err != nil || len(records) != 1 { // the agent itself
		t.Errorf("strangers left %d entries in the log, %v", len(records)-1, err)
	}
}

func TestATokenMayComeInTheFirstFrame(t *testing.T) {
	d := openDoor(t, nil)
	w := d.dial("")
	if m := w.asks("auth", fmt.Sprintf(`{"token":%q}`, d.agent("shopper"))); m.Error != nil || string(m.Result) != `{"caller":"agent/shopper"}` {
		t.Fatalf("%+v", m)
	}
	if m := w.asks("pay", `{"idempotency_key":"key-00000001","url":"https://api.example.com/free"}`); m.Error != nil {
		t.Errorf("%+v", m.Error)
	}
}

// No operation of the operator is open to an agent, and the operator, who has no budget, pays nothing.
func TestEachOperationIsForItsCallerOnly(t *testing.T) {
	d := openDoor(t, nil)
	token := d.agent("shopper")
	held := d.pay(token, "key-00000001", "/held")
	w := d.dial(token)
	for method, params := range map[string]string{
		"approvals.list":     `{}`,
		"approval.statement": fmt.Sprintf(`{"id":%q,"approver":"ada","approve":true}`, held.ID),
		"agents.list":        `{}`,
		"agent.create":       `{"agent":"friend","wallet":"main"}`,
		"agent.rotate":       `{"agent":"shopper"}`,
		"agent.revoke":       `{"agent":"shopper"}`,
	} {
		if m := w.asks(method, params); m.Error == nil || m.Error.Code != "forbidden" {
			t.Errorf("%s: %s %v", method, m.Result, m.Error)
		}
	}
	for call, body := range map[string]string{
		"GET /v1/approvals": "", "GET /v1/payments/" + held.ID + "/statement?approver=ada": "", "GET /v1/agents": "",
		"POST /v1/agents": `{"agent":"friend","wallet":"main"}`, "POST /v1/agents/shopper/rotate": "", "POST /v1/agents/shopper/revoke": "",
	} {
		method, path, _ := strings.Cut(call, " ")
		if status, code := d.refused(token, method, path, body); status != http.StatusForbidden || code != "forbidden" {
			t.Errorf("%s: %d %s", call, status, code)
		}
	}
	for _, path := range []string{"/v1/pay", "/v1/authorize"} {
		if _, code := d.refused(operatorToken, http.MethodPost, path, `{"idempotency_key":"key-00000001","url":"https://api.example.com/free"}`); code != "forbidden" {
			t.Errorf("the operator at %s: %s", path, code)
		}
	}
	var listed struct{ Agents []api.AgentView }
	d.call(operatorToken, http.MethodGet, "/v1/agents", "", &listed)
	if len(listed.Agents) != 1 || listed.Agents[0].Revoked || listed.Agents[0].Token != "" {
		t.Errorf("%+v", listed.Agents)
	}
}

// What an agent is told about another's payment is what it is told about one that does not exist, whichever call asks.
func TestAnotherAgentsPaymentLooksLikeNone(t *testing.T) {
	d := openDoor(t, nil)
	mine, other := d.agent("shopper"), d.agent("stranger")
	for name, view := range map[string]api.View{"held": d.pay(mine, "key-00000001", "/held"), "delivered": d.pay(mine, "key-00000002", "/free")} {
		t.Run(name, func(t *testing.T) {
			const none = "pay_00000000000000000000000000000000"
			w := d.dial(other)
			ask := func(id string) [][]byte {
				statement, err := json.Marshal(abi.ApprovalStatement{Payment: id, Approver: "ada", Approve: true})
				if err != nil {
					t.Fatal(err)
				}
				answers := [][]byte{}
				for method, params := range map[string]string{"payment.get": fmt.Sprintf(`{"id":%q}`, id), "approve": string(statement)} {
					m := w.asks(method, params)
					if m.Error == nil || m.Error.Code != "not_found" {
						t.Errorf("%s: %s %+v", method, m.Result, m.Error)
					}
				}
				for _, call := range []struct{ method, path, body string }{
					{http.MethodGet, "/v1/payments/" + id, ""}, {http.MethodPost, "/v1/approvals", string(statement)},
				} {
					status, answer := d.raw(other, call.method, call.path, call.body)
					answers = append(answers, bytes.ReplaceAll(answer, []byte(id), []byte("ID")))
					if status != http.StatusNotFound {
						t.Errorf("%s %s: %d %s", call.method, call.path, status, answer)
					}
				}
				return answers
			}
			if theirs, nobodys := ask(view.ID), ask(none); !slices.EqualFunc(theirs, nobodys, bytes.Equal) {
				t.Errorf("the answers differ:\n%s\n%s", theirs, nobodys)
			}
			var own api.View
			if status := d.call(mine, http.MethodGet, "/v1/payments/"+view.ID, "", &own); status >= 300 || own.ID != view.ID {
				t.Errorf("its own agent: %d %+v", status, own)
			}
		})
	}
	var seen struct{ Events []api.Event }
	d.pay(other, "key-00000001", "/free")
	d.call(other, http.MethodGet, "/v1/events?after=0", "", &seen)
	if len(seen.Events) == 0 {
		t.Error("an agent does not see its own events")
	}
	for _, event := range seen.Events {
		if event.Agent != "stranger" || event.Entry != nil || strings.Contains(string(event.Body), "facts") {
			t.Errorf("a stranger sees %+v", event)
		}
	}
}

// A connection does not outlive the token that opened it, whether it calls or only listens.
func TestARevokedOrReplacedTokenEndsItsConnections(t *testing.T) {
	for end, code := range map[string]string{"rotate": "unauthorized", "revoke": "agent_revoked"} {
		t.Run(end, func(t *testing.T) {
			d := openDoor(t, nil)
			token := d.agent("shopper")
			calling, listening := d.dial(token), d.dial(token)
			if m := listening.asks("subscribe", `{"after":0}`); m.Error != nil {
				t.Fatal(m.Error)
			}
			if m := calling.asks("pay", `{"idempotency_key":"key-00000001","url":"https://api.example.com/free"}`); m.Error != nil {
				t.Fatal(m.Error)
			}
			var view api.AgentView
			if status := d.call(operatorToken, http.MethodPost, "/v1/agents/shopper/"+end, "", &view); status != http.StatusOK {
				t.Fatal(status)
			}
			if got := listening.closed(); got != closeUnauthorized {
				t.Errorf("the listener was closed with %d", got)
			}
			m := calling.asks("pay", `{"idempotency_key":"key-00000002","url":"https://api.example.com/free"}`)
			if m.Error == nil || m.Error.Code != code {
				t.Errorf("the caller got %s %+v, want %s", m.Result, m.Error, code)
			}
			if got := calling.closed(); got != closeUnauthorized {
				t.Errorf("the caller was closed with %d", got)
			}
			if _, got := d.refused(token, http.MethodPost, "/v1/pay", `{}`); got != code {
				t.Errorf("over HTTP: %s", got)
			}
			if end == "rotate" {
				d.pay(view.Token, "key-00000003", "/free")
			}
		})
	}
}

func TestABrowserOfAnotherSiteOpensNoSocket(t *testing.T) {
	d := openDoor(t, func(c *Config) { c.Origins = []string{"https://console.example.com"} })
	token := d.agent("shopper")
	for origin, want := range map[string]bool{
		"https://evil.example.com": false, "null": false, "https://console.example.com.evil.com": false, d.url: false,
		"https://console.example.com": true, "": true,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		if _, _, err := d.tryDial(token, header); (err == nil) != want {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
}

func TestACallerHasABoundedNumberOfConnections(t *testing.T) {
	d := openDoor(t, nil)
	greedy, modest := d.agent("greedy"), d.agent("modest")
	open := make([]*wire, 0, connectionsPerCaller)
	for range connectionsPerCaller {
		w := d.dial(greedy)
		if m := w.asks("payment.get", `{"id":"none"}`); m.Error == nil || m.Error.Code != "not_found" {
			t.Fatalf("%+v", m)
		}
		open = append(open, w)
	}
	if code := d.dial(greedy).closed(); code != closeLimit {
		t.Errorf("one more was closed with %d", code)
	}
	if m := d.dial(modest).asks("payment.get", `{"id":"none"}`); m.Error == nil || m.Error.Code != "not_found" {
		t.Errorf("another agent is shut out: %+v", m)
	}
	if err := open[0].conn.Close(); err != nil {
		t.Fatal(err)
	}
	for { // the place is free once the server has noticed
		w := d.dial(greedy)
		w.send(`{"id":1,"method":"payment.get","params":{"id":"none"}}`)
		m, err := w.read()
		if err == nil && m.Error != nil && m.Error.Code == "not_found" {
			return
		}
		if !websocket.IsCloseError(err, closeLimit) {
			t.Fatalf("%+v %v", m, err)
		}
	}
}
