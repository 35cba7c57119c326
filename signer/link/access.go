package link

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer/link/pki"
)

type peerKey struct{}

// PeerFrom is who sent the request whose context this is. It reports false outside a request of a [Server].
func PeerFrom(ctx context.Context) (pki.Peer, bool) {
	peer, ok := ctx.Value(peerKey{}).(pki.Peer)
	return peer, ok
}

// authenticate checks for each request what the handshake checked once: a connection may be older than the day on
// which its certificate ended or its authority was taken out of the trust file.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counted, ok := r.Context().Value(connectionKey{}).(*countedConn)
		if !ok || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || r.ProtoMajor != 2 {
			turnAway(w, errors.New("a request that did not come over the link"))
			return
		}
		peer, err := s.recheck(counted, r.TLS.PeerCertificates)
		if err != nil {
			s.complaints.say("request refused", "address", hostOf(counted.RemoteAddr()), "error", err.Error())
			turnAway(w, err)
			_ = counted.Close() // all that this connection carries is from nobody now
			return
		}
		if !s.peers.call(peer.Key) {
			s.complaints.say("request refused: too many", "role", string(peer.Role), "name", peer.Name)
			problem(w, http.StatusTooManyRequests, busy("more requests than any honest peer sends"))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, peer)))
	})
}

// recheck verifies the whole chain when the files changed, and the dates always.
func (s *Server) recheck(counted *countedConn, chain []*x509.Certificate) (pki.Peer, error) {
	view, now := s.config.Credentials.Current(), s.config.Now()
	counted.mu.Lock()
	fresh := counted.checked == view.Generation
	counted.mu.Unlock()
	if fresh && !now.After(chain[0].NotAfter) {
		return pki.PeerOf(chain[0])
	}
	peer, err := view.Check(chain, now, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return pki.Peer{}, err
	}
	counted.mu.Lock()
	counted.checked = view.Generation
	counted.mu.Unlock()
	return peer, nil
}

// only lets the roles through.
func (s *Server) only(next http.Handler, roles ...pki.Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, ok := PeerFrom(r.Context())
		if !ok || !slices.Contains(roles, peer.Role) {
			s.complaints.say("request refused: not for this role", "role", string(peer.Role), "name", peer.Name, "path", r.URL.Path)
			problem(w, http.StatusForbidden, &abi.Error{
				Code: "link_role_refused", Message: "this is not for a " + string(peer.Role), Fix: "use the certificate of the role it is for", Retry: abi.RetryNever,
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// counted bounds calls under way and the time of each: a peer that sends or reads slowly loses its call, not ours.
func (s *Server) counted(call http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.calls <- struct{}{}:
			defer func() { <-s.calls }()
		default:
			problem(w, http.StatusServiceUnavailable, busy("too many calls are under way"))
			return
		}
		s.timed(call).ServeHTTP(w, r)
	})
}

func (s *Server) mounted(handler http.Handler) http.Handler {
	return s.timed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, mountedBytesMax)
		handler.ServeHTTP(w, r)
	}))
}

func (s *Server) timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadlines := http.NewResponseController(w)
		now := time.Now() // deadlines of connections are the system clock's
		if err := errors.Join(deadlines.SetReadDeadline(now.Add(s.timing.call)), deadlines.SetWriteDeadline(now.Add(2*s.timing.call))); err != nil {
			turnAway(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	problem(w, http.StatusNotFound, &abi.Error{Code: "not_found", Message: "there is nothing here", Fix: "update both sides to the same version", Retry: abi.RetryNever})
}

func turnAway(w http.ResponseWriter, err error) {
	var shown *abi.Error
	if !errors.As(err, &shown) {
		shown = &abi.Error{Code: CodeUntrusted, Message: "the request cannot be served", Retry: abi.RetryNever}
	}
	problem(w, http.StatusUnauthorized, shown)
}

func problem(w http.ResponseWriter, status int, err error) {
	_, contentType, body := encodeProblem(err)
	reply(w, status, contentType, body)
}

func reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // who does not read its answer asks again
}
