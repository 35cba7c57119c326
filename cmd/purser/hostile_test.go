package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/judge"
)

const (
	// thief is an account that must never be paid.
	thief = "0x7468696566000000000000000000000000000001"
	// hostilePrice is what hostile merchants ask when the price is not the point.
	hostilePrice = "10000"
)

// hostileWorld is a world with a stack, an agent, and one merchant that the test scripts, whose origin is pinned.
type hostileWorld struct {
	*testWorld
	stack           *stack
	key             walletKey
	data            string
	agent, operator *client.Client
	merchant        *httptest.Server
	keys            atomic.Int64
}

// newHostileWorld starts it. policies are further policies and limits those of policy "test", as testPolicy takes them.
func newHostileWorld(t *testing.T, limits string, merchant http.Handler) *hostileWorld {
	t.Helper()
	w := &hostileWorld{key: testWallet(t), data: t.TempDir()}
	w.testWorld = newWorld(t, []paidRoute{{"/paid", abi.NewAmount(10_000), demoReport}, {"/all", abi.NewAmount(1_000_000), demoReport}}, w.key)
	w.merchant = httptest.NewServer(merchant)
	t.Cleanup(w.merchant.Close)
	path := w.testPolicy(t, limits)
	edit(t, path, "merchants: [", fmt.Sprintf("merchants: [{origin: %s, pay_to: [%q]}, ", w.merchant.URL, demoPayee))
	w.stack = openTestStack(t, w.stackFor(w.data, path, w.key))
	w.agent, w.operator = w.stack.agentClient(t, "shopper")
	return w
}

// edit replaces a piece of a file.
func edit(t testing.TB, path, old, text string) {
	t.Helper()
	content, err := os.ReadFile(path) // #nosec G304 -- a test's own file
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte(old)) {
		t.Fatalf("%s does not have %q", path, old)
	}
	if err := os.WriteFile(path, bytes.Replace(content, []byte(old), []byte(text), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pay asks for a URL under a key of its own.
func (w *hostileWorld) pay(t testing.TB, url string) api.View {
	t.Helper()
	view, err := w.agent.Pay(t.Context(), api.PayParams{Key: fmt.Sprintf("hostile-%06d", w.keys.Add(1)), URL: url})
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return view
}

func (w *hostileWorld) balance(t testing.TB, account string) abi.Amount {
	t.Helper()
	return balanceOf(t, w.chain.RPCURL(), w.chain.Token().Reference(), account)
}

// untouched fails when any money moved, or when less than the whole budget of one dollar is left: it is spent here.
func (w *hostileWorld) untouched(t testing.TB) {
	t.Helper()
	if got := w.balance(t, w.key.wallet.Address); got != abi.NewAmount(demoBalance) {
		t.Errorf("the wallet holds %s, want %d", got, demoBalance)
	}
	if got := w.balance(t, thief); !got.IsZero() {
		t.Errorf("the thief holds %s", got)
	}
	if view := w.pay(t, w.merchantURL+"/all"); view.State != string(runtime.Delivered) {
		t.Errorf("the budget is not whole: %s %+v", view.State, view.Reasons)
	}
}

// offer is an honest 402 of the hostile merchant, before the test bends a part of it.
func (w *hostileWorld) offer(url string) (required, accepts map[string]any) {
	accepts = map[string]any{
		"scheme": "exact", "network": demoNetwork, "amount": hostilePrice, "asset": demoToken, "payTo": demoPayee,
		"maxTimeoutSeconds": 60, "extra": map[string]any{"name": "USDC", "version": "2"},
	}
	return map[string]any{"x402Version": 2, "resource": map[string]any{"url": url, "description": "", "mimeType": "application/json"}, "accepts": []any{accepts}}, accepts
}

// demand answers 402 with the offer.
func demand(w http.ResponseWriter, required map[string]any) {
	text, err := json.Marshal(required)
	if err != nil {
		panic(err) // of a test's own map
	}
	w.Header().Set("PAYMENT-REQUIRED", base64.StdEncoding.EncodeToString(text))
	w.WriteHeader(http.StatusPaymentRequired)
}

// codesOf are the codes of a payment's reasons.
func codesOf(view api.View) []string {
	var codes []string
	for _, reason := range view.Reasons {
		codes = append(codes, reason.Code)
	}
	return codes
}

const oneDollarADay = "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"1\"\n    repeats: parallel"

func TestAMalformedOfferIsDeniedWithItsCodeAndMovesNothing(t *testing.T) {
	const invalid = "x402_requirements_invalid"
	bent := map[string]struct {
		bend func(required, accepts map[string]any)
		code string
	}{
		"another network":        {func(_, a map[string]any) { a["network"] = "eip155:1" }, "no_acceptable_offer"},
		"a network that is none": {func(_, a map[string]any) { a["network"] = "base" }, invalid},
		"an unknown asset":       {func(_, a map[string]any) { a["asset"] = thief }, "no_acceptable_offer"},
		"an asset that is none":  {func(_, a map[string]any) { a["asset"] = "USDC" }, "asset_invalid"},
		"another scheme":         {func(_, a map[string]any) { a["scheme"] = "upto" }, "no_acceptable_offer"},
		"a negative amount":      {func(_, a map[string]any) { a["amount"] = "-1" }, invalid},
		"a decimal amount":       {func(_, a map[string]any) { a["amount"] = "0.01" }, invalid},
		"a hex amount":           {func(_, a map[string]any) { a["amount"] = "0x2710" }, invalid},
		"a leading zero":         {func(_, a map[string]any) { a["amount"] = "010000" }, invalid},
		"an amount as number":    {func(_, a map[string]any) { a["amount"] = 10000 }, invalid},
		"an empty amount":        {func(_, a map[string]any) { a["amount"] = "" }, invalid},
		"2^256": {func(_, a map[string]any) {
			a["amount"] = "115792089237316195423570985008687907853269984665640564039457584007913129639936"
		}, invalid},
		"2^256-1": {func(_, a map[string]any) {
			a["amount"] = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
		}, "over_max_transaction"},
		"nothing to pay":       {func(_, a map[string]any) { a["amount"] = "0" }, "amount_zero"},
		"more than allowed":    {func(_, a map[string]any) { a["amount"] = "1000001" }, "over_max_transaction"},
		"another payee":        {func(_, a map[string]any) { a["payTo"] = thief }, "payee_changed"},
		"a payee that is none": {func(_, a map[string]any) { a["payTo"] = "me" }, invalid},
		"no payee":             {func(_, a map[string]any) { delete(a, "payTo") }, invalid},
		"no time":              {func(_, a map[string]any) { a["maxTimeoutSeconds"] = 0 }, invalid},
		"time below zero":      {func(_, a map[string]any) { a["maxTimeoutSeconds"] = -60 }, invalid},
		"too little time":      {func(_, a map[string]any) { a["maxTimeoutSeconds"] = 5 }, "quote_invalid"},
		"time as text":         {func(_, a map[string]any) { a["maxTimeoutSeconds"] = "60" }, invalid},
		"another way to move": {func(_, a map[string]any) {
			a["extra"] = map[string]any{"name": "USDC", "version": "2", "assetTransferMethod": "permit2"}
		}, "adapter_rejected"},
		"a flow nobody knows": {func(_, a map[string]any) {
			a["extra"] = map[string]any{"name": "USDC", "version": "2", "paymentFlow": "trust-me"}
		}, "no_acceptable_offer"},
		"extra as text":    {func(_, a map[string]any) { a["extra"] = "USDC" }, invalid},
		"no offers":        {func(r, _ map[string]any) { r["accepts"] = []any{} }, invalid},
		"offers as object": {func(r, a map[string]any) { r["accepts"] = a }, invalid},
		"too many offers":  {func(r, a map[string]any) { r["accepts"] = slices.Repeat([]any{a}, 33) }, invalid},
		"version 1":        {func(r, _ map[string]any) { r["x402Version"] = 1 }, "x402_version_unsupported"},
		"version as text":  {func(r, _ map[string]any) { r["x402Version"] = "2" }, "x402_version_unsupported"},
		"no resource":      {func(r, _ map[string]any) { delete(r, "resource") }, invalid},
	}
	raw := map[string]struct {
		headers []string
		code    string
	}{
		"no header":                {nil, "offer_missing"},
		"an empty header":          {[]string{""}, "x402_header_invalid"},
		"bad base64":               {[]string{"!!!!"}, "x402_header_invalid"},
		"the URL alphabet":         {[]string{"e30_-w=="}, "x402_header_invalid"},
		"two headers":              {[]string{"e30=", "e30="}, "x402_header_invalid"},
		"two headers in one":       {[]string{"e30=,e30="}, "x402_header_invalid"},
		"base64 of no JSON":        {[]string{base64.StdEncoding.EncodeToString([]byte("hello"))}, "x402_json_invalid"},
		"base64 of a list":         {[]string{"W10="}, invalid},
		"base64 of null":           {[]string{"bnVsbA=="}, invalid},
		"a member twice":           {[]string{base64.StdEncoding.EncodeToString([]byte(`{"x402Version":2,"x402Version":2}`))}, "x402_json_invalid"},
		"a header of 20 kB":        {[]string{strings.Repeat("A", 20<<10)}, "x402_header_invalid"},
		"a header of 1 MB":         {[]string{strings.Repeat("A", 1<<20)}, "resource_unreachable"},
		"JSON that is nested deep": {[]string{base64.StdEncoding.EncodeToString([]byte(strings.Repeat("[", 9000)))}, "x402_json_invalid"},
	}
	var w *hostileWorld
	w = newHostileWorld(t, oneDollarADay, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		name, _ := strings.CutPrefix(r.URL.Path, "/")
		if test, ok := raw[name]; ok {
			for _, value := range test.headers {
				out.Header().Add("PAYMENT-REQUIRED", value)
			}
			out.WriteHeader(http.StatusPaymentRequired)
			return
		}
		required, accepts := w.offer(w.merchant.URL + r.URL.Path)
		bent[name].bend(required, accepts)
		demand(out, required)
	}))
	want := map[string]string{}
	for name, test := range bent {
		want[name] = test.code
	}
	for name, test := range raw {
		want[name] = test.code
	}
	for name, code := range want {
		t.Run(name, func(t *testing.T) {
			view := w.pay(t, w.merchant.URL+"/"+strings.ReplaceAll(name, " ", "%20"))
			if view.State != string(runtime.Denied) || !slices.Contains(codesOf(view), code) || view.Digest != "" {
				t.Errorf("%s %v, want denied with %s", view.State, codesOf(view), code)
			}
		})
	}
	w.untouched(t)
	w.evidenceOf(t, w.data, w.key, 1_000_000).mustHold(t)
}

func TestAHostileServerIsDeniedWithItsCodeAndMovesNothing(t *testing.T) {
	elsewhere := atomic.Int64{}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	tests := map[string]struct {
		answer http.HandlerFunc
		code   string
	}{
		"to-another-origin": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/x", http.StatusFound) }, "redirect_refused"},
		"to-metadata": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusTemporaryRedirect)
		}, "redirect_refused"},
		"to-a-file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "redirect_refused"},
		"in-a-circle": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "redirect_refused"},
		"a-huge-body": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPaymentRequired)
			for range 512 {
				_, _ = w.Write(make([]byte, 16<<10)) // the payer goes away
			}
		}, "x402_too_large"},
		"a-bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusPaymentRequired)
			zip := gzip.NewWriter(w)
			for range 2048 {
				_, _ = zip.Write(make([]byte, 16<<10)) // the payer goes away
			}
			_ = zip.Close()
		}, "x402_too_large"},
		"a-cut-header": {func(w http.ResponseWriter, _ *http.Request) { hijack(w, "HTTP/1.1 402 Payment Req") }, "resource_unreachable"},
		"a-cut-body": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 402 Payment Required\r\nContent-Length: 100\r\n\r\nhalf")
		}, "resource_unreachable"},
		"no-http": {func(w http.ResponseWriter, _ *http.Request) { hijack(w, "SSH-2.0-OpenSSH_9.2\r\n") }, "resource_unreachable"},
		"two-lengths": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 402 Payment Required\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
		}, "resource_unreachable"},
		"endless-header": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 402 Payment Required\r\n"+strings.Repeat("X: y\r\n", 100_000))
		}, "resource_unreachable"},
	}
	w := newHostileWorld(t, oneDollarADay, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { tests[r.URL.Path[1:]].answer(out, r) }))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			view := w.pay(t, w.merchant.URL+"/"+name)
			if view.State != string(runtime.Denied) || !slices.Contains(codesOf(view), test.code) {
				t.Errorf("%s %+v, want denied with %s", view.State, view.Reasons, test.code)
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("another origin was asked %d times", n)
	}
	w.untouched(t)
}

// hijack answers with bytes of its own and hangs up.
func hijack(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err) // an HTTP/1 server can always
	}
	_, _ = conn.Write([]byte(text)) // the payer goes away
	_ = conn.Close()
}

// What is not a 402 costs nothing: it is handed over when it is the resource, and denied when it is neither.
func TestAnAnswerThatWantsNoPaymentCostsNothing(t *testing.T) {
	w := newHostileWorld(t, oneDollarADay, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("PAYMENT-RESPONSE", "e30=") // a receipt that nobody paid for
		status, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			panic(err) // of a test's own path
		}
		out.WriteHeader(status)
	}))
	for status, delivered := range map[int]bool{200: true, 204: true, 304: false, 401: false, 403: false, 404: false, 412: false, 429: false, 500: false, 503: false} {
		view := w.pay(t, fmt.Sprintf("%s/%d", w.merchant.URL, status))
		handedOver := view.State == string(runtime.Delivered) && view.Response != nil && view.Response.Status == status
		refused := view.State == string(runtime.Denied) && slices.Contains(codesOf(view), "offer_missing")
		if delivered && !handedOver || !delivered && !refused || view.Receipt != nil || view.Digest != "" {
			t.Errorf("%d: %+v", status, view)
		}
	}
	w.untouched(t)
}

// While one server drips, its caller may leave, and everybody else is served.
func TestAServerThatDripsHoldsUpNobodyElse(t *testing.T) {
	drained := make(chan struct{})
	w := newHostileWorld(t, oneDollarADay, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.WriteHeader(http.StatusPaymentRequired)
		for {
			_, _ = out.Write([]byte("."))
			_ = http.NewResponseController(out).Flush() // the payer may be gone
			select {
			case <-drained:
				return
			case <-r.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}))
	type outcome struct {
		view api.View
		err  error
	}
	waiting := make(chan outcome, 1)
	params := api.PayParams{Key: "dripping-0001", URL: w.merchant.URL + "/drip"}
	go func() {
		view, err := w.agent.Pay(t.Context(), params)
		waiting <- outcome{view, err}
	}()
	for range 10 {
		if view := w.pay(t, w.merchantURL+"/paid"); view.State != string(runtime.Delivered) {
			t.Errorf("another payment is %s %v", view.State, codesOf(view))
		}
	}
	select {
	case got := <-waiting:
		t.Fatalf("the drip ended early: %+v", got)
	default:
	}
	close(drained) // no offer ever came
	if got := <-waiting; got.err != nil || got.view.State != string(runtime.Denied) || !slices.Contains(codesOf(got.view), "offer_missing") {
		t.Errorf("%+v", got)
	}
}

// swapper is a merchant that shows one offer first and another afterwards.
type swapper struct {
	world  *hostileWorld
	asked  atomic.Int64
	paid   atomic.Int64
	change func(accepts map[string]any)
}

func (s *swapper) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	required, accepts := s.world.offer(s.world.merchant.URL + r.URL.Path)
	if r.Header.Get("PAYMENT-SIGNATURE") != "" {
		s.paid.Add(1)
	}
	if r.URL.Path == "/held" {
		accepts["amount"] = "600000"
	}
	if s.asked.Add(1) > 1 {
		s.change(accepts)
	}
	demand(out, required)
}

// A merchant that takes a signed payment and answers with other terms gets no second signature: the first is out, so
// its money stays reserved until the chain says what became of it.
func TestTermsThatChangeAfterThePaymentAreNeverSigned(t *testing.T) {
	merchant := &swapper{change: func(a map[string]any) { a["payTo"], a["amount"] = thief, "900000" }}
	w := newHostileWorld(t, oneDollarADay, merchant)
	merchant.world = w
	view := w.pay(t, w.merchant.URL+"/swap")
	if view.State != string(runtime.Unknown) || view.Payee != demoPayee || view.Amount != hostilePrice || merchant.paid.Load() == 0 {
		t.Fatalf("%+v", view)
	}
	for range 3 { // an agent that insists gets the same payment
		again, err := w.agent.Pay(t.Context(), api.PayParams{Key: view.Key, URL: view.URL})
		if err != nil || again.ID != view.ID || again.Digest != view.Digest {
			t.Errorf("%+v, %v", again, err)
		}
	}
	if view := w.pay(t, w.merchantURL+"/all"); view.State != string(runtime.Denied) || !slices.Contains(codesOf(view), abi.ReasonBudgetExceeded) {
		t.Errorf("the money that is out does not count: %s %v", view.State, codesOf(view))
	}
	if got := w.balance(t, w.key.wallet.Address); got != abi.NewAmount(demoBalance) {
		t.Errorf("the wallet holds %s", got)
	}
	w.evidenceOf(t, w.data, w.key, 1_000_000).mustHold(t)
}

// An approval is for the terms that were approved. What the merchant asks at the second look is judged again.
func TestTermsThatChangeAfterTheApprovalAreJudgedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		change func(map[string]any)
		want   runtime.State
		code   string
	}{
		"another payee":   {func(a map[string]any) { a["payTo"] = thief }, runtime.Denied, "payee_changed"},
		"a higher price":  {func(a map[string]any) { a["amount"] = "600001" }, runtime.Held, abi.ReasonApprovalInvalid},
		"above the limit": {func(a map[string]any) { a["amount"] = "1000001" }, runtime.Denied, "over_max_transaction"},
		"another asset":   {func(a map[string]any) { a["asset"] = thief }, runtime.Denied, "no_acceptable_offer"},
		"another network": {func(a map[string]any) { a["network"] = "eip155:1" }, runtime.Denied, "no_acceptable_offer"},
	} {
		t.Run(name, func(t *testing.T) {
			merchant := &swapper{change: test.change}
			w := newHostileWorld(t, oneDollarADay+"\n    require_human_approval_above: \"0.5\"\n    approvals: {quorum: 1, approvers: [operator], expires: 15m}", merchant)
			merchant.world = w
			held := w.pay(t, w.merchant.URL+"/held")
			if held.State != string(runtime.Held) {
				t.Fatalf("%+v", held)
			}
			statement, err := w.operator.Statement(t.Context(), held.ID, approverName, true)
			if err != nil {
				t.Fatal(err)
			}
			if err := judge.SignStatement(&statement, w.approverKey(t)); err != nil {
				t.Fatal(err)
			}
			view, err := w.operator.Approve(t.Context(), statement)
			if err != nil || view.State != string(test.want) || !slices.Contains(codesOf(view), test.code) || view.Digest != "" {
				t.Errorf("%s %v, %v; want %s with %s", view.State, codesOf(view), err, test.want, test.code)
			}
			if got := w.balance(t, w.key.wallet.Address); got != abi.NewAmount(demoBalance) || merchant.paid.Load() != 0 {
				t.Errorf("the wallet holds %s, %d payments were shown", got, merchant.paid.Load())
			}
		})
	}
}

// An agent chooses the URL. None of these may even be connected to.
func TestAnAgentReachesNoAddressThatIsNotPublic(t *testing.T) {
	reached := atomic.Int64{}
	hidden, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a listener of the test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hidden.Close() }()
	go func() {
		for {
			conn, err := hidden.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(hidden.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := newHostileWorld(t, oneDollarADay, http.NotFoundHandler())
	rpc := strings.TrimPrefix(w.chain.RPCURL(), "http://")
	for _, url := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/",
		"http://[fc00::1]/", "http://[::]:" + port + "/", "http://0.0.0.0:" + port + "/", "http://224.0.0.1/", "http://255.255.255.255/",
		"http://127.0.0.1:" + port + "/", "http://127.1.2.3:" + port + "/", "http://[::1]:" + port + "/", "http://[::ffff:127.0.0.1]:" + port + "/",
		"http://[64:ff9b::7f00:1]:" + port + "/", "http://localhost:" + port + "/", "http://LOCALHOST:" + port + "/", "http://localhost.:" + port + "/",
		"http://" + rpc + "/", "https://127.0.0.1:" + port + "/", w.facilitator + "/supported",
	} {
		view := w.pay(t, url)
		if codes := codesOf(view); view.State != string(runtime.Denied) || !slices.Contains(codes, "address_refused") && !slices.Contains(codes, abi.ReasonPayeeNotAllowed) {
			t.Errorf("%s: %s %+v", url, view.State, view.Reasons)
		}
	}
	// Other spellings of 127.0.0.1 that some resolvers take: whatever the resolver says, nobody is reached.
	for _, host := range []string{"2130706433", "0x7f000001", "127.1", "017700000001"} {
		if view := w.pay(t, "http://"+host+":"+port+"/"); view.State != string(runtime.Denied) {
			t.Errorf("%s: %s %+v", host, view.State, view.Reasons)
		}
	}
	for _, url := range []string{"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "//127.0.0.1/", "http://user@127.0.0.1/", "http:127.0.0.1"} {
		if _, err := w.agent.Pay(t.Context(), api.PayParams{Key: fmt.Sprintf("scheme-%06d", w.keys.Add(1)), URL: url}); abi.CodeOf(err) != "request_invalid" {
			t.Errorf("%s: %v", url, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("a hidden service was reached %d times", n)
	}
	w.untouched(t)
}

// An operator who takes a merchant off the policy closes the door to it, and a policy that is refused opens none.
func TestTheDoorsToPrivateAddressesFollowThePolicy(t *testing.T) {
	w := newHostileWorld(t, oneDollarADay, http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write([]byte("a present")) }))
	hidden := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write([]byte("a secret")) }))
	defer hidden.Close()
	path := w.stack.config.policy
	outcome := func(url string) string {
		view := w.pay(t, url)
		return view.State + " " + strings.Join(codesOf(view), " ")
	}
	if got := outcome(w.merchant.URL); got != "delivered " {
		t.Fatal(got)
	}
	edit(t, path, "merchants: [", fmt.Sprintf("merchants: [{origin: %s, pay_to: [%q]}, ", hidden.URL, demoPayee))
	w.stack.config.adapter = filepath.Join(t.TempDir(), "missing.wasm")
	if _, err := w.stack.reload(t.Context()); err == nil {
		t.Fatal("an adapter that does not exist was loaded")
	}
	if got := outcome(hidden.URL); got != "denied address_refused" {
		t.Errorf("a policy that was refused opened a door: %s", got)
	}
	w.stack.config.adapter = ""
	if _, err := w.stack.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := outcome(hidden.URL); got != "delivered " {
		t.Error(got)
	}
	edit(t, path, fmt.Sprintf("{origin: %s, pay_to: [%q]}, ", hidden.URL, demoPayee), "")
	if _, err := w.stack.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	hidden.CloseClientConnections() // a door is asked for each connection
	if got := outcome(hidden.URL); got != "denied address_refused" {
		t.Errorf("the door is still open: %s", got)
	}
}
