package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

func TestEveryCallMeansTheSameAcrossTheLink(t *testing.T) {
	o := open(t, new(desk), hasty)
	client := o.client(t, hasty)

	consult := consultRequest("pay_1")
	decision, err := client.Consult(t.Context(), consult)
	want, _ := o.desk.Consult(t.Context(), consult)
	if err != nil || !cmp.Equal(decision, want) {
		t.Errorf("consult: %v, %s", err, cmp.Diff(want, decision))
	}
	arm := &abi.ArmRequest{Intent: consult.Intent, Quote: consult.Quote, Kind: "eip712", Preimage: bytes.Repeat([]byte{1, 0, 255}, 1000), Wallet: "main", RuntimeHead: []byte{9}}
	armed, err := client.Arm(t.Context(), arm)
	wantArmed, _ := o.desk.Arm(t.Context(), arm)
	if err != nil || !cmp.Equal(armed, wantArmed) {
		t.Errorf("arm: %v, %s", err, cmp.Diff(wantArmed, armed))
	}
	tombstone, err := client.Disclaim(t.Context(), armed)
	wantTombstone, _ := o.desk.Disclaim(t.Context(), armed)
	if err != nil || !cmp.Equal(tombstone, wantTombstone) {
		t.Errorf("disclaim: %v, %s", err, cmp.Diff(wantTombstone, tombstone))
	}
	here, there := signer.Pipe()
	defer here.Close()
	answer, err := client.Join(t.Context(), sessionRequest(), there)
	if err != nil || answer.Path != "m/1/2" || answer.Epoch != uint64(len("shopper")) || answer.ReadyMax != 2 || len(answer.Opening) != 16 {
		t.Errorf("join: %v, %+v", err, answer)
	}
}

func TestARefusalKeepsItsDecision(t *testing.T) {
	decision := &abi.Decision{
		Outcome: abi.Hold, PolicySHA256: bytes.Repeat([]byte{3}, 32), Request: []byte{1, 2, 3}, Side: "cosigner",
		Verdicts: []abi.Verdict{{Outcome: abi.Hold, Reasons: []abi.Reason{{Code: "approval_required"}}}},
	}
	refuse := &signer.Refused{Decision: decision}
	d := &desk{
		arm:    func(context.Context, *abi.ArmRequest) (*abi.Armed, error) { return nil, fmt.Errorf("arm: %w", refuse) },
		refuse: refuse,
	}
	client := open(t, d, hasty).client(t, hasty)
	_, armErr := client.Arm(t.Context(), &abi.ArmRequest{Intent: &abi.Intent{}, Quote: &abi.Quote{}})
	_, there := signer.Pipe()
	_, joinErr := client.Join(t.Context(), sessionRequest(), there)
	for call, err := range map[string]error{"arm": armErr, "join": joinErr} {
		var refused *signer.Refused
		if !errors.As(err, &refused) {
			t.Fatalf("%s: %v is no refusal", call, err)
		}
		if diff := cmp.Diff(decision, refused.Decision); diff != "" {
			t.Errorf("%s: %s", call, diff)
		}
	}
}

func TestAnErrorKeepsWhatACallerActsOnAndNothingElse(t *testing.T) {
	for _, retry := range []abi.Retry{abi.RetryNever, abi.RetryLater, abi.RetrySameKey, abi.RetryNewQuote} {
		sent := &abi.Error{Code: "clock_differs", Message: "the clocks differ", Where: "pay_1", Fix: "set them", Retry: retry, Cause: errors.New("canary-0451")}
		fails := fmt.Errorf("canary-0451: %w", sent)
		d := &desk{
			consult: func(context.Context, *abi.ConsultRequest) (*abi.Decision, error) { return nil, fails },
			refuse:  fails,
		}
		client := open(t, d, hasty).client(t, hasty)
		_, consultErr := client.Consult(t.Context(), consultRequest("pay_1"))
		_, there := signer.Pipe()
		_, joinErr := client.Join(t.Context(), sessionRequest(), there)
		for _, err := range []error{consultErr, joinErr} {
			got := codeIs(t, err, "clock_differs")
			if got.Message != sent.Message || got.Where != sent.Where || got.Fix != sent.Fix || got.Retry != retry {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(err.Error(), "canary-0451") {
				t.Errorf("a cause left the host: %v", err)
			}
		}
	}
}

func TestAnErrorWithoutAPublicPartStaysAtHome(t *testing.T) {
	d := &desk{consult: func(context.Context, *abi.ConsultRequest) (*abi.Decision, error) {
		return nil, errors.New("disk canary-0451 full")
	}}
	o := open(t, d, hasty)
	_, err := o.client(t, hasty).Consult(t.Context(), consultRequest("pay_1"))
	if got := codeIs(t, err, codeInternal); got.Retry != abi.RetryLater || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(o.log.String(), "canary-0451") {
		t.Error("the operator learns nothing of it")
	}
}

func TestAPanicEndsOneRequestAndTellsNoSecrets(t *testing.T) {
	type secretive struct{ word string }
	d := &desk{
		consult: func(context.Context, *abi.ConsultRequest) (*abi.Decision, error) { panic(secretive{"canary-0451"}) },
	}
	o := open(t, d, hasty)
	client := o.client(t, hasty)
	_, err := client.Consult(t.Context(), consultRequest("pay_1"))
	codeIs(t, err, codeInternal)
	if logged := o.log.String(); strings.Contains(logged, "canary-0451") || !strings.Contains(logged, "link.secretive") || !strings.Contains(logged, "calls.go") && !strings.Contains(logged, "Consult") {
		t.Errorf("logged: %s", logged)
	}
	if _, err := client.Disclaim(t.Context(), &abi.Armed{Payment: "pay_1"}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestWhatAPeerCallsAnErrorIsCutToSize(t *testing.T) {
	long := strings.Repeat("a", 4000)
	for name, c := range map[string]struct {
		status      int
		contentType string
		body        string
		code        string
	}{
		"an error":                     {503, jsonType, `{"error":{"code":"busy","message":"m","retryable":"later"}}`, "busy"},
		"an unknown retry means never": {503, jsonType, `{"error":{"code":"busy","message":"m","retryable":"always"}}`, "busy"},
		"a long text":                  {422, jsonType, `{"error":{"code":"busy","message":"` + long + `"}}`, "busy"},
		"control characters":           {422, jsonType, `{"error":{"code":"busy","message":"\u001b[2J\u0000"}}`, "busy"},
		"no code":                      {422, jsonType, `{"error":{"message":"m"}}`, CodeAnswerInvalid},
		"a code that is a text":        {422, jsonType, `{"error":{"code":"Not A Code"}}`, CodeAnswerInvalid},
		"no JSON":                      {422, jsonType, `<html>`, CodeAnswerInvalid},
		"another type":                 {422, "text/html", `{"error":{"code":"busy"}}`, CodeAnswerInvalid},
		"an error of the wrong size":   {422, jsonType, `{"error":{"code":"busy","message":"` + strings.Repeat("a", problemBytesMax) + `"}}`, CodeAnswerInvalid},
		"a refusal that is none":       {403, refusedType, "\xff\xff", CodeAnswerInvalid},
		"a refusal in another status":  {422, refusedType, "", CodeAnswerInvalid},
	} {
		err := decodeProblem(c.status, c.contentType, []byte(c.body))
		got := codeIs(t, err, c.code)
		if len(got.Message) > problemTextMax || strings.ContainsAny(got.Message, "\x1b\x00") {
			t.Errorf("%s: %q", name, got.Message)
		}
		if strings.Contains(name, "unknown retry") && got.Retry != abi.RetryNever {
			t.Errorf("%s: %s", name, got.Retry)
		}
	}
	allows, err := (&abi.Decision{Outcome: abi.Allow}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	codeIs(t, decodeProblem(403, refusedType, allows), CodeAnswerInvalid)
}

func TestAnAnswerThatIsNoAnswerIsRefused(t *testing.T) {
	h := newHouse(t)
	for name, answer := range map[string]http.HandlerFunc{
		"another type":      func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "text/html", nil) },
		"no message":        func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, messageType, []byte{0xff}) },
		"a page":            func(w http.ResponseWriter, _ *http.Request) { reply(w, 404, "text/html", []byte("<html>")) },
		"a message too big": func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, messageType, make([]byte, callBytesMax+1)) },
		"an endless body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", messageType)
			for block := make([]byte, 64<<10); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := openIn(t, h, new(desk), hasty)
			o.server.http.Handler = answer // a co-signer that is somebody else's program
			client := o.client(t, hasty)
			_, err := within(t, "consult", func() (*abi.Decision, error) { return client.Consult(t.Context(), consultRequest("p")) })
			codeIs(t, err, CodeAnswerInvalid)
			_, err = within(t, "join", func() (*abi.SessionAnswer, error) {
				_, there := signer.Pipe()
				return client.Join(t.Context(), sessionRequest(), there)
			})
			codeIs(t, err, CodeAnswerInvalid)
		})
	}
}

func TestARequestThatIsNoMessageIsRefusedAndAskedOfNobody(t *testing.T) {
	asked := 0
	d := &desk{consult: func(context.Context, *abi.ConsultRequest) (*abi.Decision, error) {
		asked++
		return &abi.Decision{}, nil
	}}
	o := open(t, d, hasty)
	runtime := o.raw(t, pki.Runtime)
	for name, c := range map[string]struct {
		contentType string
		body        io.Reader
	}{
		"another type":    {jsonType, strings.NewReader("{}")},
		"garbage":         {messageType, strings.NewReader("\xff\xff\xff")},
		"a cut message":   {messageType, bytes.NewReader([]byte{0x0a, 0x10, 0x01})},
		"too long a body": {messageType, bytes.NewReader(make([]byte, callBytesMax+1))},
	} {
		status, body, err := ask(t, runtime, http.MethodPost, "https://"+o.address+pathConsult, c.contentType, c.body)
		if err != nil || status != http.StatusBadRequest || !strings.Contains(body, "link_request_invalid") {
			t.Errorf("%s: %d %s %v", name, status, body, err)
		}
	}
	for method, path := range map[string]string{http.MethodGet: pathConsult, http.MethodPut: pathArm, http.MethodPost: "/v1/sign"} {
		if status, _, err := ask(t, runtime, method, "https://"+o.address+path, messageType, http.NoBody); err != nil || status != 404 && status != 405 {
			t.Errorf("%s %s: %d %v", method, path, status, err)
		}
	}
	if asked != 0 {
		t.Errorf("asked %d times", asked)
	}
}

func TestAClockThatIsOffShows(t *testing.T) {
	h := newHouse(t)
	o := openIn(t, h, new(desk), hasty, func(c *ServerConfig) { c.Now = func() time.Time { return time.Now().Add(24 * time.Hour) } })
	ahead, uncertainty, err := o.client(t, hasty).Skew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if off := (ahead - 24*time.Hour).Abs(); off > uncertainty+2*time.Millisecond || uncertainty < 0 || uncertainty > 5*time.Second {
		t.Errorf("ahead %s, give or take %s", ahead, uncertainty)
	}
}

// At the start every payment asks at once: they share connections instead of dialling one each.
func TestManyCallsAtOnceShareOneConnection(t *testing.T) {
	o := open(t, new(desk), hasty)
	slow := hasty
	slow.call = 20 * time.Second
	client := o.client(t, slow)
	var asking sync.WaitGroup
	for i := range 300 {
		asking.Go(func() {
			if _, err := client.Consult(t.Context(), consultRequest(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	o.server.peers.mu.Lock()
	defer o.server.peers.mu.Unlock()
	for _, count := range o.server.peers.known {
		if count.connections > connectionsMax {
			t.Errorf("%d connections", count.connections)
		}
	}
}

func TestAPeerThatAsksTooOftenIsToldSo(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	p := newPeers(func() time.Time { return now })
	key := [32]byte{1}
	count := func(take func([32]byte) bool) (taken int) {
		for range 10 * callsPerSecondMax {
			if take(key) {
				taken++
			}
		}
		return taken
	}
	if taken := count(p.call); taken != callsPerSecondMax {
		t.Errorf("%d at once", taken)
	}
	if !p.call([32]byte{2}) {
		t.Error("one identity used up another's")
	}
	now = now.Add(500 * time.Millisecond)
	if taken := count(p.call); taken != callsPerSecondMax/2 {
		t.Errorf("%d after half a second", taken)
	}
	now = now.Add(-time.Hour)
	if p.call(key) {
		t.Error("a clock that goes back gives more")
	}
	now = now.Add(time.Second)
	if taken := count(p.call); taken != callsPerSecondMax {
		t.Errorf("%d a second after the clock went back", taken)
	}
	if taken := count(p.join); taken != joinsPerSecondMax {
		t.Errorf("%d joins at once", taken)
	}
	for i := range 3 * identitiesMax {
		p.call([32]byte{byte(i), byte(i >> 8), 1})
	}
	if len(p.known) > identitiesMax {
		t.Errorf("%d identities remembered", len(p.known))
	}
}
