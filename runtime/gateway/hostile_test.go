package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/purserhq/purser/runtime/api"
)

const honestCall = `{"idempotency_key":"key-00000001","url":"https://api.example.com/free"}`

func TestWhatIsNoFrameEndsItsConnectionAndNothingElse(t *testing.T) {
	d := openDoor(t, nil)
	token := d.agent("shopper")
	neighbour := d.dial(token)
	for name, test := range map[string]struct {
		kind int
		data string
		want int
	}{
		"no JSON":           {websocket.TextMessage, "hello", websocket.CloseUnsupportedData},
		"a binary frame":    {websocket.BinaryMessage, `{"id":1,"method":"agents.list"}`, websocket.CloseUnsupportedData},
		"an array":          {websocket.TextMessage, `[{"id":1}]`, websocket.CloseUnsupportedData},
		"a method as list":  {websocket.TextMessage, `{"id":1,"method":["pay"]}`, websocket.CloseUnsupportedData},
		"two values":        {websocket.TextMessage, `{"id":1,"method":"x"}{}`, websocket.CloseUnsupportedData},
		"nothing":           {websocket.TextMessage, "", websocket.CloseUnsupportedData},
		"a deep nest":       {websocket.TextMessage, strings.Repeat("[", 100_000), websocket.CloseUnsupportedData},
		"too long":          {websocket.TextMessage, `{"id":"` + strings.Repeat("a", messageBytesMax) + `"}`, websocket.CloseMessageTooBig},
		"text that is none": {websocket.TextMessage, "{\"id\":\"\xff\",\"method\":\"\xff", websocket.CloseUnsupportedData},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.dial(token)
			if err := w.conn.WriteMessage(test.kind, []byte(test.data)); err != nil {
				t.Fatal(err)
			}
			if got := w.closed(); got != test.want {
				t.Errorf("closed with %d, want %d", got, test.want)
			}
			if m := neighbour.asks("payment.get", `{"id":"none"}`); m.Error == nil || m.Error.Code != "not_found" {
				t.Errorf("the neighbour got %+v", m)
			}
		})
	}
}

func TestABadCallGetsACodedErrorAndMakesNoPayment(t *testing.T) {
	d := openDoor(t, nil)
	token := d.agent("shopper")
	w := d.dial(token)
	pay := func(members string) string { return `{"idempotency_key":"key-00000001",` + members + `}` }
	for name, test := range map[string]struct{ method, params, code string }{
		"unknown method":             {"transfer", `{}`, "method_unknown"},
		"no method":                  {"", `{}`, "method_unknown"},
		"a method with a newline":    {"pay\n", `{}`, "method_unknown"},
		"no parameters":              {"pay", `{}`, "request_invalid"},
		"parameters as a list":       {"pay", `[]`, "request_invalid"},
		"parameters as text":         {"pay", `"https://api.example.com/free"`, "request_invalid"},
		"null parameters":            {"pay", `null`, "request_invalid"},
		"an unknown member":          {"pay", pay(`"url":"https://api.example.com/free","amount":"1"`), "request_invalid"},
		"a typing error":             {"pay", pay(`"url":"https://api.example.com/free","max_ammount":"1"`), "request_invalid"},
		"a short key":                {"pay", `{"idempotency_key":"k","url":"https://api.example.com/free"}`, "request_invalid"},
		"a long key":                 {"pay", `{"idempotency_key":"` + strings.Repeat("k", 129) + `","url":"https://api.example.com/free"}`, "request_invalid"},
		"a key with a slash":         {"pay", `{"idempotency_key":"key/../00000","url":"https://api.example.com/free"}`, "request_invalid"},
		"a file":                     {"pay", pay(`"url":"file:///etc/passwd"`), "request_invalid"},
		"a script":                   {"pay", pay(`"url":"javascript:alert(1)"`), "request_invalid"},
		"no host":                    {"pay", pay(`"url":"https:///free"`), "request_invalid"},
		"a user in the url":          {"pay", pay(`"url":"https://a:b@api.example.com/free"`), "request_invalid"},
		"a fragment":                 {"pay", pay(`"url":"https://api.example.com/free#x"`), "request_invalid"},
		"a long url":                 {"pay", pay(`"url":"https://api.example.com/free?` + strings.Repeat("a", 2048) + `"`), "request_invalid"},
		"CONNECT":                    {"pay", pay(`"url":"https://api.example.com/free","method":"CONNECT"`), "request_invalid"},
		"a method of two lines":      {"pay", pay(`"url":"https://api.example.com/free","method":"GET /x HTTP/1.1\r\nX: y"`), "request_invalid"},
		"a negative maximum":         {"pay", pay(`"url":"https://api.example.com/free","max_amount":"-1"`), "amount_invalid"},
		"a decimal maximum":          {"pay", pay(`"url":"https://api.example.com/free","max_amount":"0.5"`), "amount_invalid"},
		"a maximum as a number":      {"pay", pay(`"url":"https://api.example.com/free","max_amount":5`), "request_invalid"},
		"a huge maximum":             {"pay", pay(`"url":"https://api.example.com/free","max_amount":"` + strings.Repeat("9", 100) + `"`), "amount_invalid"},
		"a payment of its own":       {"pay", pay(`"url":"https://api.example.com/free","headers":{"payment-signature":"x"}`), "request_invalid"},
		"another host":               {"pay", pay(`"url":"https://api.example.com/free","headers":{"HOST":"evil.example.com"}`), "request_invalid"},
		"a header of two lines":      {"pay", pay(`"url":"https://api.example.com/free","headers":{"X-A":"b\r\nHost: evil.example.com"}`), "request_invalid"},
		"a header name with a colon": {"pay", pay(`"url":"https://api.example.com/free","headers":{"X-A: b":"c"}`), "request_invalid"},
		"a header twice":             {"pay", pay(`"url":"https://api.example.com/free","headers":{"X-A":"b","x-a":"c"}`), "request_invalid"},
		"a header without a name":    {"pay", pay(`"url":"https://api.example.com/free","headers":{"":"c"}`), "request_invalid"},
		"terms for pay":              {"pay", pay(`"url":"https://api.example.com/free","payment_required":"e30="`), "request_invalid"},
		"authorize without terms":    {"authorize", pay(`"url":"https://api.example.com/free"`), "request_invalid"},
		"a body that is no base64":   {"pay", pay(`"url":"https://api.example.com/free","body":"***"`), "request_invalid"},
		"a position below zero":      {"subscribe", `{"after":-1}`, "request_invalid"},
		"a position with a point":    {"subscribe", `{"after":1.5}`, "request_invalid"},
		"an unknown filter":          {"subscribe", `{"filter":{"agents":["x"]}}`, "request_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			if m := w.asks(test.method, test.params); m.Error == nil || m.Error.Code != test.code || m.Error.Message == "" || string(m.ID) != `"x"` {
				t.Errorf("%s %+v, want %s", m.Result, m.Error, test.code)
			}
			if test.method != "pay" {
				return
			}
			if status, code := d.refused(token, http.MethodPost, "/v1/pay", test.params); code != test.code && test.params != "null" || status < 400 || status >= 500 {
				t.Errorf("over HTTP: %d %s, want %s", status, code, test.code)
			}
		})
	}
	if records, err := d.runtime.Records(t.Context(), 0); err != nil || len(records) != 1 {
		t.Errorf("bad calls left %d entries in the log, %v", len(records)-1, err)
	}
	d.pay(token, "key-00000001", "/free")
}

func TestABodyTooLongForHTTPIsRefusedBeforeItIsRead(t *testing.T) {
	d := openDoor(t, nil)
	token := d.agent("shopper")
	if status, code := d.refused(token, http.MethodPost, "/v1/pay", strings.Repeat(" ", requestBytesMax)+honestCall); status != http.StatusBadRequest || code != "request_invalid" {
		t.Errorf("%d %s", status, code)
	}
	for path, want := range map[string]int{"/v1/events?after=x": 400, "/v1/events?after=-1": 400, "/v1/events?after=99999999999999999999": 400, "/v1/payments/..%2f..%2fagents": 404, "/v1/nothing": 404} {
		if status, answer := d.raw(token, http.MethodGet, path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
}

func TestSubscriptionsOfAConnectionAreBounded(t *testing.T) {
	d := openDoor(t, nil)
	w := d.dial(d.agent("shopper"))
	for range subscriptionsMax {
		w.send(`{"id":"s","method":"subscribe","params":{"after":1000}}`)
	}
	answered := 0
	for answered < subscriptionsMax {
		if m := w.next(); m.Error != nil {
			t.Fatal(m.Error)
		}
		answered++
	}
	if m := w.asks("subscribe", `{"after":1000}`); m.Error == nil || m.Error.Code != "limit" {
		t.Errorf("one more: %s %+v", m.Result, m.Error)
	}
	if m := w.asks("payment.get", `{"id":"none"}`); m.Error == nil || m.Error.Code != "not_found" {
		t.Errorf("the connection is of no use any more: %+v", m)
	}
}

// FuzzParameters feeds what an agent may send to the strict decoder: it never panics, and what it takes it takes whole.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{honestCall, `{}`, ``, `null`, `[]`, `{"max_amount":"1"}`, `{"max_amount":-1}`, `{"body":"AA=="}`, `{"headers":{"a":"b"}} x`, "{\"url\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var params api.PayParams
		if err := (call{params: raw}).decode(&params); err != nil {
			if fmt.Sprint(err) == "" {
				t.Error("an error without a text")
			}
			return
		}
		if params.AmountMax.String() == "" {
			t.Errorf("%q: an amount without digits", raw)
		}
	})
}
