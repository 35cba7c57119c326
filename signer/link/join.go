package link

import (
	"bufio"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// session is one stream between the runtime's party and ours.
type session struct {
	end    *end
	frames frames
	out    http.ResponseWriter
	stream *http.ResponseController
	buffer []byte
	// word is when something last crossed it, in unix nanoseconds of the system's clock.
	word atomic.Int64

	mu   sync.Mutex
	over bool
}

func (s *session) lastWord() time.Time { return time.Unix(0, s.word.Load()) }
func (s *session) spoke()              { s.word.Store(time.Now().UnixNano()) }

// cutRead makes a read of the stream return, cut a write too. Timers call them, and a timer may fire when the handler
// has returned and net/http has taken the stream away.
func (s *session) cutRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		_ = s.stream.SetReadDeadline(longAgo) // an error means that the stream is gone already
	}
}

func (s *session) cut() {
	s.cutRead()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		_ = s.stream.SetWriteDeadline(longAgo) // as above
	}
}

var longAgo = time.Unix(1, 0)

func (s *session) finish() {
	_ = s.end.Close() // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// join opens a session and carries its frames until one side ends it.
func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	peer, _ := PeerFrom(r.Context()) // only let it through
	if !s.peers.join(peer.Key) {
		problem(w, http.StatusTooManyRequests, busy("more sessions than any honest runtime opens"))
		return
	}
	open := &session{end: newEnd(), out: w, stream: http.NewResponseController(w)}
	open.spoke()
	if err := s.enlist(open); err != nil {
		problem(w, http.StatusServiceUnavailable, err)
		return
	}
	defer s.delist(open)
	defer open.finish() // whatever happens, a panic included, our party does not wait for it
	open.frames = frames{stream: bufio.NewReader(r.Body), from: signer.RoleRuntime, to: signer.RoleCoSigner, frameTimeMax: s.timing.frame, abort: open.cutRead}

	answer, err := s.openSession(r, open)
	if err != nil {
		s.sayInternal(r.Context(), r.URL.Path, err)
		status, contentType, body := encodeProblem(err)
		reply(w, status, contentType, body)
		return
	}
	w.Header().Set("Content-Type", streamType)
	w.WriteHeader(http.StatusOK)
	if err := open.write(answer); err != nil {
		return
	}
	s.carry(r, open)
}

func (s *Server) enlist(open *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return busy("the co-signer is shutting down")
	}
	if len(s.sessions) >= sessionsMax {
		return busy("too many signing sessions are open")
	}
	s.sessions[open] = struct{}{}
	return nil
}

func (s *Server) delist(open *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, open)
}

// openSession reads what opens the session and has the co-signer answer it.
func (s *Server) openSession(r *http.Request, open *session) ([]byte, error) {
	if r.Header.Get("Content-Type") != streamType {
		return nil, requestInvalid("the body is not of type "+streamType, nil)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.timing.opening)
	defer cancel()
	late := time.AfterFunc(s.timing.opening, open.cutRead)
	defer late.Stop()
	opening, err := readSized(open.frames.stream, openingBytesMax)
	if err != nil {
		return nil, requestInvalid("what opens the session did not arrive", err)
	}
	request := new(abi.SessionRequest)
	if err := request.Unmarshal(opening); err != nil {
		return nil, requestInvalid("the stream does not begin with a session request", err)
	}
	answer, err := s.config.CoSigner.Join(ctx, request, open.end)
	if err != nil {
		return nil, err
	}
	return answer.Marshal()
}

// carry moves frames both ways. It returns when the session is over and what our party queued has left, or could not
// within linger.
func (s *Server) carry(r *http.Request, open *session) {
	ctx, cancel := context.WithTimeout(r.Context(), s.timing.session)
	defer cancel()
	ended := context.AfterFunc(ctx, func() { _ = open.end.Close() }) // the peer is gone, or the session too old
	defer ended()

	reading := make(chan struct{})
	go func() {
		defer close(reading)
		defer func() { _ = open.end.Close() }() // a runtime that ended the session has all it wants
		if err := open.read(ctx); err != nil {
			s.complaints.say("signing session broke off", "code", abi.CodeOf(err), "error", err.Error())
		}
	}()
	overdue := make(chan struct{})
	go func() {
		defer close(overdue)
		<-open.end.Done()
		linger := time.NewTimer(s.timing.linger)
		defer linger.Stop()
		select {
		case <-linger.C:
			open.cut()
		case <-ctx.Done():
		}
	}()
	if err := open.send(ctx); err != nil {
		_ = open.end.Close()
	}
	cancel()
	open.cutRead()
	<-reading
	<-overdue
}

// read hands the runtime's frames to our party, each when it asks for one. Its error is as that of carried.receive.
func (s *session) read(ctx context.Context) error {
	for {
		frame, err := s.frames.next()
		if err == nil {
			s.spoke()
			err = s.end.deliver(ctx, frame)
		}
		if err != nil {
			return onlyWrong(err)
		}
	}
}

// send writes what our party queues until the session is over and the queue empty.
func (s *session) send(ctx context.Context) error {
	for {
		waiting := s.end.queued(ctx)
		if len(waiting) == 0 {
			return ctx.Err()
		}
		if err := s.write(waiting...); err != nil {
			return err
		}
		s.spoke()
	}
}

// write sends messages at once: a party waits for them.
func (s *session) write(messages ...[]byte) error {
	s.buffer = s.buffer[:0]
	for _, message := range messages {
		s.buffer = appendSized(s.buffer, message)
	}
	if _, err := s.out.Write(s.buffer); err != nil {
		return err
	}
	return s.stream.Flush()
}
