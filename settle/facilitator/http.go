package facilitator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/x402"
)

const (
	healthTimeout     = 3 * time.Second
	retryAfterSeconds = "1"
)

// Handler serves POST /verify, POST /settle, GET /supported and GET /healthz, and beyond the x402 API GET /tokens: the
// EIP-712 domains as read from the chain, for merchants that have no RPC endpoint of their own.
// Business refusals have status 200; 400 is a body that is no facilitator request,
// 429 too many requests at once, 503 a chain or journal that cannot be asked. It
// authenticates nobody: put that in front if gas is to be spent for few.
func (f *Facilitator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /verify", f.bounded(f.serveVerify))
	mux.HandleFunc("POST /settle", f.bounded(f.serveSettle))
	mux.HandleFunc("GET /supported", f.serveSupported)
	mux.HandleFunc("GET /tokens", f.serveTokens)
	mux.HandleFunc("GET /healthz", f.bounded(f.serveHealth))
	return mux
}

func (f *Facilitator) bounded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case f.requests <- struct{}{}:
			defer func() { <-f.requests }()
			next(w, r)
		default:
			w.Header().Set("Retry-After", retryAfterSeconds)
			f.fail(w, r, http.StatusTooManyRequests, "too many requests at once")
		}
	}
}

// readRequest answers by itself when there is nothing to judge.
func (f *Facilitator) readRequest(w http.ResponseWriter, r *http.Request) (request x402.FacilitatorRequest, no *refusal, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, x402.FacilitatorRequestBytesMax))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		f.fail(w, r, http.StatusRequestEntityTooLarge, "the body is too long")
		return request, nil, false
	}
	if err != nil {
		f.fail(w, r, http.StatusBadRequest, "the body could not be read")
		return request, nil, false
	}
	request, err = x402.ParseFacilitatorRequest(body)
	if err == nil {
		return request, nil, true
	}
	if no, isRefusal := shapeRefusal(err); isRefusal {
		return request, no, true
	}
	f.fail(w, r, http.StatusBadRequest, asFault(err).Message)
	return request, nil, false
}

func (f *Facilitator) serveVerify(w http.ResponseWriter, r *http.Request) {
	request, no, ok := f.readRequest(w, r)
	if !ok {
		return
	}
	var o order
	var err error
	if no == nil {
		o, no, err = f.verify(r.Context(), request)
	}
	status, answer := http.StatusOK, x402.VerifyResponse{IsValid: true, Payer: o.payerText}
	switch {
	case err != nil:
		status = f.unavailable(w, r, "verify", err)
		answer = x402.VerifyResponse{InvalidReason: reasonUnexpectedVerify, InvalidMessage: "the payment could not be checked now", Payer: o.payerText}
	case no != nil:
		answer = x402.VerifyResponse{InvalidReason: no.reason, InvalidMessage: no.message, Payer: o.payerText}
	}
	text, err := x402.EncodeVerifyResponse(answer)
	f.reply(w, r, status, text, err)
}

func (f *Facilitator) verify(ctx context.Context, request x402.FacilitatorRequest) (order, *refusal, error) {
	o, no, err := f.read(ctx, request, anyTime)
	if no != nil || err != nil {
		return o, no, err
	}
	s, found, err := f.config.Journal.Find(ctx, o.key())
	if err != nil {
		return o, nil, fmt.Errorf("find settlement: %w", err)
	}
	if found {
		return o, verifyAgain(o, s), nil
	}
	if no := f.inTime(o); no != nil {
		return o, no, nil
	}
	_, no, err = f.judge(ctx, o)
	return o, no, err
}

// verifyAgain judges a payment that was presented for settlement before. While its
// success can still be told, the same bytes stay valid, whatever the chain says: a
// merchant who was told settlement_pending verifies before he settles again.
func verifyAgain(o order, s Settlement) *refusal {
	switch {
	case s.Fingerprint != o.fingerprint(), s.Delivered:
		return refuse(reasonNonceUsed, "this payment was settled before")
	case s.Result != nil && !s.Result.Success:
		return refuse(s.Result.Reason, "the settlement of this payment failed")
	default:
		return nil
	}
}

func (f *Facilitator) serveSettle(w http.ResponseWriter, r *http.Request) {
	request, no, ok := f.readRequest(w, r)
	if !ok {
		return
	}
	status := http.StatusOK
	var answer x402.SettleResponse
	var err error
	if no != nil {
		answer = f.refused(order{}, no)
	} else if answer, err = f.settle(r.Context(), request); err != nil {
		status = f.unavailable(w, r, "settle", err)
		answer = f.refused(order{}, refuse(reasonUnexpectedSettle, "nothing was broadcast; send the same request again"))
	}
	text, err := x402.EncodeSettleResponse(answer)
	f.reply(w, r, status, text, err)
}

func (f *Facilitator) serveSupported(w http.ResponseWriter, r *http.Request) {
	text, err := x402.EncodeSupportedResponse(x402.SupportedResponse{
		Kinds:   []x402.Kind{{X402Version: x402.Version, Scheme: schemeExact, Network: f.config.RPC.Network()}},
		Signers: map[string][]string{"eip155:*": {f.relayer.address.String()}},
	})
	f.reply(w, r, http.StatusOK, text, err)
}

// TokensResponse is the answer to GET /tokens.
type TokensResponse struct {
	Tokens []TokenDomain `json:"tokens"`
}

// TokenDomain is a token with the name and version its contract answers, which every authorization is signed under.
type TokenDomain struct {
	Asset   abi.Asset `json:"asset"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
}

func (f *Facilitator) serveTokens(w http.ResponseWriter, r *http.Request) {
	var answer TokensResponse
	for _, asset := range f.config.Assets {
		answer.Tokens = append(answer.Tokens, TokenDomain{asset, f.tokens[asset].name, f.tokens[asset].version})
	}
	text, err := json.Marshal(answer)
	f.reply(w, r, http.StatusOK, text, err)
}

type healthWire struct {
	Status   string      `json:"status"`
	Network  abi.Network `json:"network"`
	Relayer  string      `json:"relayer"`
	InFlight int         `json:"inFlight"`
}

func (f *Facilitator) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	status, health := http.StatusOK, healthWire{"ok", f.config.RPC.Network(), f.Relayer(), len(f.relayer.inOrder())}
	if _, err := f.config.RPC.HeaderAt(ctx, evm.Latest); err != nil {
		status = f.unavailable(w, r, "health", err)
		health.Status = "the chain does not answer"
	}
	text, err := json.Marshal(health)
	f.reply(w, r, status, text, err)
}

// unavailable logs what the caller is not told.
func (f *Facilitator) unavailable(w http.ResponseWriter, r *http.Request, doing string, err error) int {
	f.config.Logger.ErrorContext(r.Context(), "facilitator: "+doing, "error", err)
	w.Header().Set("Retry-After", retryAfterSeconds)
	return http.StatusServiceUnavailable
}

func (f *Facilitator) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	text, err := json.Marshal(map[string]string{"error": message})
	f.reply(w, r, status, text, err)
}

func (f *Facilitator) reply(w http.ResponseWriter, r *http.Request, status int, text []byte, err error) {
	if err != nil {
		f.config.Logger.ErrorContext(r.Context(), "facilitator: encode answer", "error", err)
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(text); err != nil {
		f.config.Logger.DebugContext(r.Context(), "facilitator: caller hung up", "error", err)
	}
}
