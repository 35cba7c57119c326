package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

// ServerConfig is what a server is made of. Fields without a default are required.
type ServerConfig struct {
	// Credentials are this host's.
	Credentials *pki.Credentials
	// CoSigner answers the runtime. Without one the server has only what is mounted.
	CoSigner signer.CoSigner
	// Orders, when set, takes operators' orders, from themselves or through the runtime.
	Orders Orders
	// Admin and Ceremony mount handlers by [http.ServeMux] pattern, such as "POST /v1/admin/orders"; each must lie under
	// /v1/admin/, for operators' certificates, or /v1/ceremony/, for the recovery host's. They learn who asks from
	// [PeerFrom]. A request's body has at most 4 MiB; it must arrive within 15 seconds and be answered within 30, unless the handler
	// sets other deadlines with [http.ResponseController].
	Admin, Ceremony map[string]http.Handler
	// Now is the clock. Default: the system's.
	Now func() time.Time
	// Log receives what an operator should see. Default: discarded.
	Log *slog.Logger
}

// Server serves a co-signer. Its methods are safe for concurrent use.
type Server struct {
	config     ServerConfig
	timing     timing
	http       *http.Server
	peers      *peers
	complaints *complaints
	calls      chan struct{}

	mu       sync.Mutex
	draining bool
	sessions map[*session]struct{}
}

// NewServer checks the configuration. Serve starts it.
func NewServer(config ServerConfig) (*Server, error) { return newServer(config, productTiming) }

func newServer(config ServerConfig, times timing) (*Server, error) {
	if config.Credentials == nil {
		return nil, errors.New("link server: Credentials are required")
	}
	if config.CoSigner == nil && len(config.Admin)+len(config.Ceremony) == 0 {
		return nil, errors.New("link server: there is nothing to serve")
	}
	if config.CoSigner != nil && config.Credentials.Role() != pki.CoSigner {
		return nil, fmt.Errorf("link server: a %s does not serve the co-signer's calls", config.Credentials.Role())
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		config: config, timing: times, peers: newPeers(config.Now), calls: make(chan struct{}, callsMax), sessions: make(map[*session]struct{}),
		complaints: &complaints{log: config.Log, now: config.Now},
	}
	routes, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler: s.contain(s.authenticate(routes)), TLSConfig: config.Credentials.ServerTLS(s.admit),
		ReadHeaderTimeout: times.handshake, // bounds the handshake too
		IdleTimeout:       times.idle, MaxHeaderBytes: headerBytesMax,
		ErrorLog: s.complaints.logger(), Protocols: http2Only(), HTTP2: http2Limits(times),
		ConnContext: func(ctx context.Context, connection net.Conn) context.Context {
			if secured, ok := connection.(*tls.Conn); ok {
				if counted, ok := secured.NetConn().(*countedConn); ok {
					return context.WithValue(ctx, connectionKey{}, counted)
				}
			}
			return ctx
		},
	}
	return s, nil
}

func http2Only() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return protocols
}

func http2Limits(times timing) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: streamsMax, StrictMaxConcurrentRequests: true,
		MaxDecoderHeaderTableSize: headerTableBytes, MaxEncoderHeaderTableSize: headerTableBytes,
		MaxReadFrameSize: readFrameBytesMax, MaxReceiveBufferPerConnection: connectionWindowBytes, MaxReceiveBufferPerStream: streamWindowBytes,
		SendPingTimeout: times.pingAfter, PingTimeout: times.pingAnswer, WriteByteTimeout: times.stuckWrite,
	}
}

// routes is everything that can be asked, and who may ask it.
func (s *Server) routes() (*http.ServeMux, error) {
	mux := http.NewServeMux()
	mux.Handle("/", http.HandlerFunc(notFound))
	mux.Handle("GET "+pathStatus, s.only(http.HandlerFunc(s.status), pki.Runtime, pki.Operator, pki.Recovery))
	if s.config.CoSigner != nil {
		mux.Handle("POST "+pathConsult, s.only(s.counted(s.consult), pki.Runtime))
		mux.Handle("POST "+pathArm, s.only(s.counted(s.arm), pki.Runtime))
		mux.Handle("POST "+pathDisclaim, s.only(s.counted(s.disclaim), pki.Runtime))
		mux.Handle("POST "+pathJoin, s.only(http.HandlerFunc(s.join), pki.Runtime))
	}
	if s.config.Orders != nil {
		for path, handle := range map[string]http.HandlerFunc{pathAccept: s.acceptOrder, pathOffer: s.offerOrders, pathOrders: s.listOrders} {
			mux.Handle("POST "+path, s.only(s.counted(handle), pki.Runtime, pki.Operator))
		}
	}
	for _, mounted := range []struct {
		handlers map[string]http.Handler
		prefix   string
		role     pki.Role
	}{{s.config.Admin, prefixAdmin, pki.Operator}, {s.config.Ceremony, prefixCeremony, pki.Recovery}} {
		for pattern, handler := range mounted.handlers {
			_, path, hasMethod := strings.Cut(pattern, " ")
			if !hasMethod {
				path = pattern
			}
			if !strings.HasPrefix(path, mounted.prefix) || handler == nil {
				return nil, fmt.Errorf("link server: %.80q does not lie under %s", pattern, mounted.prefix)
			}
			mux.Handle(pattern, s.only(s.mounted(handler), mounted.role))
		}
	}
	return mux, nil
}

// Serve answers on the listener, which it closes, until Shutdown. It returns nil after that.
func (s *Server) Serve(listener net.Listener) error {
	err := s.http.ServeTLS(&gate{Listener: listener, complaints: s.complaints, waiting: make(map[string]int)}, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown takes no new session, lets calls and signatures that are under way finish until ctx ends, ends sessions that
// only wait, and closes everything. It returns ctx's error if something was cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	s.drain(ctx)
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// drainLook is how often Shutdown looks at what is left.
const drainLook = 20 * time.Millisecond

func (s *Server) drain(ctx context.Context) {
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for s.endSessions(s.timing.quiet) > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			s.endSessions(0)
			return
		}
	}
}

// endSessions ends those that have been silent for that long, and returns how many there are.
func (s *Server) endSessions(quiet time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for open := range s.sessions {
		if time.Since(open.lastWord()) >= quiet {
			_ = open.end.Close() // never fails
		}
	}
	return len(s.sessions)
}
