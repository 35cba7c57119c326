package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

const tokenText = "purser_the-token-of-the-tests"

// dial returns a client of a server that answers with the handler.
func dial(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", tokenText, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestATokenIsNeverPrinted(t *testing.T) {
	token := Token(tokenText)
	encoded, err := json.Marshal(map[string]any{"token": token})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", token)
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%v %+v %#v %s %q %d %x", token, token, token, token, token, token, token), string(encoded), log.String()} {
		if strings.Contains(text, tokenText) || !strings.Contains(text, "[redacted]") {
			t.Errorf("printed as %s", text)
		}
	}
}

func TestOnlyHTTPAddressesAreServers(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:4020", "ftp://127.0.0.1", "http://", "file:///etc/passwd", "http://[::1", "localhost"} {
		if _, err := New(address, tokenText, nil); abi.CodeOf(err) != "request_invalid" {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestAHostileAnswerIsACodedError(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		code    string
	}{
		"no JSON":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "answer_invalid"},
		"nothing":       {func(http.ResponseWriter, *http.Request) {}, "answer_invalid"},
		"another shape": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":7}`)) }, "answer_invalid"},
		"a list":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`[]`)) }, "answer_invalid"},
		"a huge answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`"` + strings.Repeat("a", responseBytesMax) + `"`))
		}, "unreachable"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{`))
		}, "unreachable"},
		"an error": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			_, _ = w.Write([]byte(`{"error":{"code":"forbidden","message":"no","retryable":"never"}}`))
		}, "forbidden"},
		"an error with 200": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"error":{"code":"forbidden","message":"no"}}`))
		}, "forbidden"},
		"a status alone": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write([]byte(`{}`)) }, "answer_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			view, err := dial(t, test.handler).Pay(t.Context(), api.PayParams{Key: "key-00000001", URL: "https://api.example.com"})
			if got := abi.CodeOf(err); got != test.code {
				t.Errorf("%+v, code %q, want %q: %v", view, got, test.code, err)
			}
			if err != nil && strings.Contains(err.Error(), tokenText) {
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
}

func TestAServerThatIsAwaySaysThatAPaymentMayExist(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := New(server.URL, tokenText, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Pay(t.Context(), api.PayParams{})
	var coded *abi.Error
	if !errors.As(err, &coded) || coded.Code != "unreachable" || coded.Retry != abi.RetrySameKey {
		t.Errorf("%v", err)
	}
}

func TestATokenDoesNotFollowARedirectToAnotherServer(t *testing.T) {
	leaked := make(chan string, 4)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked <- r.Header.Get("Authorization") }))
	defer elsewhere.Close()
	target := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1) // another host, as a hostile redirect names
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	})
	if _, err := c.Agents(t.Context()); err == nil {
		t.Error("the other server's answer was taken")
	}
	close(leaked)
	for header := range leaked {
		t.Errorf("the other server was asked, with %q", header)
	}
}

func TestAPathIsEscaped(t *testing.T) {
	asked := ""
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath()
		_, _ = w.Write([]byte(`{}`))
	})
	if _, err := c.RevokeAgent(t.Context(), "../agents?x"); abi.CodeOf(err) == "unreachable" {
		t.Fatal(err)
	}
	if want := "/v1/agents/..%2Fagents%3Fx/revoke"; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
}

// streamOf serves each connection with the next of the scripts: text frames to send before it is cut. What is behind
// the last script is a server that is gone.
func streamOf(t testing.TB, scripts ...[]string) (*Client, func() []uint64) {
	t.Helper()
	afters, served := []uint64{}, 0
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		if served >= len(scripts) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":{"code":"forbidden","message":"no more","retryable":"never"}}`))
			return
		}
		script := scripts[served]
		served++
		upgrader := websocket.Upgrader{}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }() // cut
		var subscribe struct {
			Params struct{ After uint64 }
		}
		if err := conn.ReadJSON(&subscribe); err != nil {
			t.Error(err)
			return
		}
		afters = append(afters, subscribe.Params.After)
		for _, text := range script {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
				return
			}
		}
		_, _, _ = conn.ReadMessage() // until the client goes, or its close frame is answered
	})
	return c, func() []uint64 { return afters }
}

func frame(seq uint64) string {
	return fmt.Sprintf(`{"seq":%d,"event":{"seq":%d,"time":"2026-01-01T00:00:00Z","kind":"payment.received","agent":"a","chain_seq":%d,"hash":"%064x"}}`, seq, seq, seq, seq)
}

const cut = `{` // ends a connection: no JSON

func TestAStreamResumesBehindTheLastEventItDelivered(t *testing.T) {
	c, afters := streamOf(t,
		[]string{`{"id":1,"result":{"after":0}}`, frame(1), frame(2), cut},
		[]string{`{"id":1,"result":{"after":2}}`, frame(1), frame(2), frame(2), frame(3), cut}, // a server that repeats itself
		[]string{cut},
		[]string{frame(4), frame(5)})
	var seen []uint64
	err := c.Stream(t.Context(), 0, func(event api.Event) error {
		if seen = append(seen, event.Seq); event.Seq == 5 {
			return ErrStopStream
		}
		return nil
	})
	if diff := cmp.Diff([]uint64{1, 2, 3, 4, 5}, seen); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if diff := cmp.Diff([]uint64{0, 2, 3, 3}, afters()); diff != "" {
		t.Errorf("subscribed after\n%s", diff)
	}
}

// An event whose handling failed was not delivered: the next stream must begin with it.
func TestAnErrorOfTheReaderEndsTheStream(t *testing.T) {
	c, _ := streamOf(t, []string{frame(1), frame(2), frame(3)})
	full := errors.New("disk full")
	calls := 0
	err := c.Stream(t.Context(), 0, func(event api.Event) error {
		if calls++; event.Seq == 2 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestARefusalEndsTheStreamWithItsCode(t *testing.T) {
	for name, scripts := range map[string][][]string{
		"at the door":  nil,
		"in the frame": {{`{"id":1,"error":{"code":"limit","message":"no","retryable":"never"}}`}},
		"afterwards":   {{frame(1), cut}},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := streamOf(t, scripts...)
			err := c.Stream(t.Context(), 0, func(api.Event) error { return nil })
			if code := abi.CodeOf(err); code != "forbidden" && code != "limit" {
				t.Errorf("%v", err)
			}
		})
	}
}
