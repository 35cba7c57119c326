package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

// Limits of one connection.
const (
	messageBytesMax     = requestBytesMax
	callsInFlightMax    = 512
	subscriptionsMax    = 32
	pingEvery           = 20 * time.Second
	silenceMax          = 45 * time.Second
	writeTimeMax        = 5 * time.Second
	socketBufferBytes   = 1 << 10
	closeUnauthorized   = 4001
	closeSlow           = 4008
	closeLimit          = 4009
	closeDraining       = 4012
	closeReasonBytesMax = 120
	// goodbyeMax is how long a closed connection may take to answer the close frame.
	goodbyeMax = time.Second
)

// frame is what a client sends.
type frame struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// answer is what it gets back for a frame, event what it gets unasked.
type answer struct {
	ID     json.RawMessage `json:"id"`
	Result any             `json:"result,omitempty"`
	Error  *abi.Error      `json:"error,omitempty"`
}

type pushed struct {
	Seq   uint64    `json:"seq"`
	Event api.Event `json:"event"`
}

// socket is one connection. One goroutine reads; answers and events are written under a lock, each with a deadline, so
// that a client that does not read loses its connection and nobody else's time.
type socket struct {
	gateway *Gateway
	request *http.Request
	conn    *websocket.Conn
	who     caller
	// token is looked up again for each call: one that was replaced or revoked ends the connections it opened.
	token string

	ctx    context.Context
	cancel context.CancelFunc
	calls  chan struct{}
	work   sync.WaitGroup

	writing       sync.Mutex
	mu            sync.Mutex
	subscriptions int
}

func (g *Gateway) webSocket(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{
		ReadBufferSize: socketBufferBytes, WriteBufferSize: socketBufferBytes, HandshakeTimeout: authTimeMax,
		WriteBufferPool: &writeBuffers,
		// A page of any site can open a socket to localhost with the user's network position: browsers name themselves.
		CheckOrigin: func(r *http.Request) bool {
			origin := r.Header.Get("Origin")
			return origin == "" || slices.Contains(g.config.Origins, origin)
		},
	}
	var who caller
	token, given := bearer(r)
	if given {
		var err error
		if who, err = g.authenticate(r.Context(), token); err != nil {
			g.fail(w, r, err)
			return
		}
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	s := &socket{gateway: g, request: r, conn: conn, who: who, token: token, ctx: ctx, cancel: cancel, calls: make(chan struct{}, callsInFlightMax)}
	s.serve()
}

var writeBuffers sync.Pool

func (s *socket) serve() {
	over := context.AfterFunc(s.ctx, func() {
		time.Sleep(goodbyeMax)
		_ = s.conn.Close() // a peer that ignores the close frame must not keep its place
	})
	defer func() {
		over()
		s.cancel()
		_ = s.conn.Close() // also ends the writers
		s.work.Wait()
	}()
	s.conn.SetReadLimit(messageBytesMax)
	if s.who == (caller{}) && !s.login() {
		return
	}
	if !s.gateway.enter(s) {
		s.close(closeLimit, "too many connections")
		return
	}
	defer s.gateway.leave(s)
	s.keepAlive()
	for {
		var in frame
		if !s.read(&in) {
			return
		}
		select {
		case s.calls <- struct{}{}:
		default:
			s.write(answer{ID: in.ID, Error: &abi.Error{Code: "limit", Message: fmt.Sprintf("more than %d calls at once", callsInFlightMax), Retry: abi.RetrySameKey}})
			continue
		}
		s.work.Add(1)
		go func() {
			defer s.work.Done()
			defer func() { <-s.calls }()
			s.serveCall(in)
		}()
	}
}

// read takes the next frame. Anything that is not a frame ends the connection.
func (s *socket) read(into *frame) bool {
	kind, data, err := s.conn.ReadMessage()
	if err != nil {
		return false
	}
	if kind != websocket.TextMessage || json.Unmarshal(data, into) != nil {
		s.close(websocket.CloseUnsupportedData, "send JSON text frames with id, method and params")
		return false
	}
	return true
}

// login takes the token from the first frame: {"id":…,"method":"auth","params":{"token":"…"}}.
func (s *socket) login() bool {
	_ = s.conn.SetReadDeadline(time.Now().Add(authTimeMax)) // a dead connection fails at the read
	var first frame
	if !s.read(&first) {
		return false
	}
	var params struct {
		Token string `json:"token"`
	}
	if first.Method != "auth" || json.Unmarshal(first.Params, &params) != nil {
		s.close(closeUnauthorized, "the first frame must be auth")
		return false
	}
	who, err := s.gateway.authenticate(s.ctx, params.Token)
	if err != nil {
		s.write(answer{ID: first.ID, Error: s.gateway.public(s.request, err)})
		s.close(closeUnauthorized, "the token is not accepted")
		return false
	}
	s.who, s.token = who, params.Token
	s.write(answer{ID: first.ID, Result: map[string]string{"caller": who.name()}})
	return true
}

// keepAlive pings, and lets a silent peer's reads time out.
func (s *socket) keepAlive() {
	alive := func() { _ = s.conn.SetReadDeadline(time.Now().Add(silenceMax)) }
	alive()
	s.conn.SetPongHandler(func(string) error { alive(); return nil })
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		ticker := time.NewTicker(pingEvery)
		defer ticker.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-ticker.C:
				if s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeMax)) != nil {
					return
				}
			}
		}
	}()
}

// recheck looks the connection's token up again: it may have been replaced, or its agent's access revoked, perhaps by
// another process. A connection must not outlive the credential that opened it.
func (s *socket) recheck() error {
	who, err := s.gateway.authenticate(s.ctx, s.token)
	if err == nil && who != s.who {
		return &abi.Error{Code: "unauthorized", Message: "the token is another caller's now", Fix: "connect again"}
	}
	return err
}

// dismiss ends the connection after a recheck that failed; when only the ledger did not answer, the client may return.
func (s *socket) dismiss(err error) {
	switch shown := s.gateway.public(s.request, err); shown.Code {
	case "unauthorized", "agent_revoked":
		s.close(closeUnauthorized, "the token is not accepted any more")
	default:
		s.close(closeDraining, "the ledger does not answer; resume by number")
	}
}

// endsTokens are the log entries after which an agent's token may be void.
var endsTokens = map[string]bool{"agent.rotated": true, "agent.revoked": true}

func (s *socket) serveCall(in frame) {
	if err := s.recheck(); err != nil {
		s.write(answer{ID: in.ID, Error: s.gateway.public(s.request, err)})
		s.dismiss(err)
		return
	}
	if in.Method == "subscribe" {
		s.subscribe(in)
		return
	}
	m, ok := methods[in.Method]
	if !ok {
		s.write(answer{ID: in.ID, Error: &abi.Error{Code: "method_unknown", Message: fmt.Sprintf("there is no method %.40q", in.Method), Fix: "see docs/api.md"}})
		return
	}
	result, err := m(s.gateway, call{ctx: s.ctx, who: s.who, params: in.Params})
	if err != nil {
		s.write(answer{ID: in.ID, Error: s.gateway.public(s.request, err)})
		return
	}
	s.write(answer{ID: in.ID, Result: result})
}

// subscribe pushes every event after a position, from the ledger and then live, until the connection ends.
func (s *socket) subscribe(in frame) {
	var params struct {
		After  uint64 `json:"after"`
		Filter struct {
			Agent   string   `json:"agent,omitempty"`
			Payment string   `json:"payment,omitempty"`
			Kinds   []string `json:"kinds,omitempty"`
		} `json:"filter"`
	}
	c := call{ctx: s.ctx, who: s.who, params: in.Params}
	if err := c.decode(&params); err != nil {
		s.write(answer{ID: in.ID, Error: s.gateway.public(s.request, err)})
		return
	}
	if !s.addSubscription() {
		s.write(answer{ID: in.ID, Error: &abi.Error{Code: "limit", Message: fmt.Sprintf("more than %d subscriptions", subscriptionsMax)}})
		return
	}
	s.write(answer{ID: in.ID, Result: map[string]uint64{"after": params.After}})
	for after := params.After; ; {
		records, err := s.gateway.config.Runtime.Records(s.ctx, after)
		if err != nil {
			if s.ctx.Err() == nil {
				s.gateway.report(s.request, err)
				s.close(closeDraining, "the stream broke off; resume by number")
			}
			return
		}
		for _, record := range records {
			after = record.Position
			event, visible, err := eventFor(s.who, record)
			if err != nil {
				s.gateway.report(s.request, err)
				s.close(closeDraining, "the stream broke off")
				return
			}
			wanted := (params.Filter.Agent == "" || params.Filter.Agent == event.Agent) &&
				(params.Filter.Payment == "" || params.Filter.Payment == event.Payment) &&
				(len(params.Filter.Kinds) == 0 || slices.Contains(params.Filter.Kinds, event.Kind))
			if visible && wanted && !s.write(pushed{Seq: event.Seq, Event: event}) {
				return
			}
			if visible && !s.who.operator && endsTokens[event.Kind] {
				if err := s.recheck(); err != nil {
					s.dismiss(err)
					return
				}
			}
		}
	}
}

func (s *socket) addSubscription() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscriptions++
	return s.subscriptions <= subscriptionsMax
}

// write sends one message, or ends the connection of a client that does not take it in time.
func (s *socket) write(message any) bool {
	encoded, err := json.Marshal(message)
	if err != nil {
		s.gateway.report(s.request, err)
		return false
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeMax)) // fails only with the write itself
	if err := s.conn.WriteMessage(websocket.TextMessage, encoded); err != nil {
		if !errors.Is(err, websocket.ErrCloseSent) { // it does not read, or is gone
			s.close(closeSlow, "resume by number")
			_ = s.conn.Close()
		}
		return false
	}
	return true
}

func (s *socket) close(code int, reason string) {
	if len(reason) > closeReasonBytesMax {
		reason = reason[:closeReasonBytesMax]
	}
	// The peer may be gone already; the connection is closed right after.
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(writeTimeMax))
	s.cancel()
}

// enter counts a connection, unless its caller or the gateway has too many or the gateway is closing.
func (g *Gateway) enter(s *socket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.sockets) >= connectionsMax || g.perCaller[s.who.name()] >= connectionsPerCaller {
		return false
	}
	g.sockets[s] = struct{}{}
	g.perCaller[s.who.name()]++
	return true
}

func (g *Gateway) leave(s *socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sockets, s)
	if g.perCaller[s.who.name()]--; g.perCaller[s.who.name()] == 0 {
		delete(g.perCaller, s.who.name())
	}
}

// Close ends every WebSocket, telling its client to come back, and refuses new ones. An http.Server does not know
// them any more.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	open := make([]*socket, 0, len(g.sockets))
	for s := range g.sockets {
		open = append(open, s)
	}
	g.mu.Unlock()
	for _, s := range open {
		s.close(closeDraining, "the runtime is shutting down; resume by number")
		_ = s.conn.Close() // ends its reader
	}
	return nil
}
