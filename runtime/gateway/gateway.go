// Package gateway is the front door: the runtime's operations as JSON over HTTP and over one WebSocket protocol. It
// authenticates, bounds and decodes; it refuses to decide anything.
package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
)

// Config is what a gateway is made of. Runtime is required.
type Config struct {
	Runtime *runtime.Runtime
	// Operator is the SHA-256 of the operator's bearer token; zero: there is no operator access.
	Operator [32]byte
	// Quotes reads a 402 that an agent already holds, for authorize. Nil refuses authorize.
	Quotes QuoteReader
	// Origins are the browser origins that may open a WebSocket. Default none: programs send no Origin.
	Origins []string
	// Log receives requests that failed inside. Default: discarded.
	Log *slog.Logger
}

// Limits of the front door.
const (
	requestBytesMax      = 512 << 10
	headerBytesMax       = 16 << 10
	tokenBytesMin        = 16
	authTimeMax          = 5 * time.Second
	connectionsMax       = 1024
	connectionsPerCaller = 64
)

// Gateway serves the API. It is an http.Handler, safe for concurrent use.
type Gateway struct {
	config Config
	mux    *http.ServeMux

	mu        sync.Mutex
	closed    bool
	sockets   map[*socket]struct{}
	perCaller map[string]int
}

// New returns the handler of everything under /v1/ and of /healthz and /readyz.
func New(config Config) (*Gateway, error) {
	if config.Runtime == nil {
		return nil, errors.New("new gateway: Config.Runtime is required")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{config: config, mux: http.NewServeMux(), sockets: make(map[*socket]struct{}), perCaller: make(map[string]int)}
	g.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	g.mux.HandleFunc("GET /readyz", g.ready)
	g.mux.HandleFunc("GET /v1/ws", g.webSocket)
	for pattern, method := range routes {
		g.mux.HandleFunc(pattern, g.handle(method))
	}
	return g, nil
}

// Server returns an http.Server for the gateway with the time-outs that a public listener needs.
func (g *Gateway) Server() *http.Server {
	return &http.Server{Handler: g, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: headerBytesMax}
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, requestBytesMax)
	g.mux.ServeHTTP(w, r)
}

func (g *Gateway) ready(w http.ResponseWriter, r *http.Request) {
	if err := g.config.Runtime.Ready(r.Context()); err != nil {
		reply(w, http.StatusServiceUnavailable, map[string]string{"status": "the ledger does not answer"})
		return
	}
	reply(w, http.StatusOK, map[string]string{"status": "ready"})
}

// caller is who a connection or request belongs to.
type caller struct {
	agent    string // empty for the operator
	operator bool
}

func (c caller) name() string {
	if c.operator {
		return "operator"
	}
	return "agent/" + c.agent
}

// authenticate finds the caller of a bearer token.
func (g *Gateway) authenticate(ctx context.Context, token string) (caller, error) {
	if len(token) < tokenBytesMin { // an absent header is no credential, whatever is configured
		return caller{}, &abi.Error{Code: "unauthorized", Message: "the request carries no token", Fix: "send Authorization: Bearer with the agent's token"}
	}
	hash := sha256.Sum256([]byte(token))
	if g.config.Operator != ([32]byte{}) && subtle.ConstantTimeCompare(hash[:], g.config.Operator[:]) == 1 {
		return caller{operator: true}, nil
	}
	agent, err := g.config.Runtime.Authenticate(ctx, token)
	if err != nil {
		return caller{}, err
	}
	return caller{agent: agent.ID}, nil
}

func bearer(r *http.Request) (string, bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// handle serves one method over HTTP: the body is its parameters, path values and the query are merged into them.
func (g *Gateway) handle(m method) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, _ := bearer(r)
		who, err := g.authenticate(r.Context(), token)
		if err != nil {
			g.fail(w, r, err)
			return
		}
		params, err := io.ReadAll(r.Body)
		if err != nil {
			g.fail(w, r, &abi.Error{Code: "request_invalid", Message: fmt.Sprintf("the body cannot be read or has more than %d bytes", requestBytesMax)})
			return
		}
		result, err := m(g, call{ctx: r.Context(), who: who, params: params, http: r})
		if err != nil {
			g.fail(w, r, err)
			return
		}
		reply(w, statusOfResult(result), result)
	}
}

func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, err error) {
	shown := g.public(r, err)
	reply(w, statusOf(shown.Code), map[string]any{"error": shown})
}

// report tells the operator's log what a caller is not told.
func (g *Gateway) report(r *http.Request, err error) {
	g.config.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err.Error())
}

// public is the error as a caller may see it. What has no code is ours, and stays in our log.
func (g *Gateway) public(r *http.Request, err error) *abi.Error {
	var known *abi.Error
	if errors.As(err, &known) {
		return known
	}
	g.report(r, err)
	return &abi.Error{Code: "internal", Message: "the request failed inside the runtime", Retry: abi.RetrySameKey, Fix: "repeat with the same idempotency key; the runtime's log has the details"}
}

func reply(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		status, encoded = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be encoded","retryable":"never"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // a caller that went away is not our error
}
