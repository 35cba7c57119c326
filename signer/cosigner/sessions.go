package cosigner

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

const (
	// sessionsMax bounds signing sessions at once, those that wait included: 0.4 MB each. The last quarter is kept for
	// sessions of a promise, so that those prepared ahead never stand in a payment's way.
	sessionsMax      = 512
	sessionsAheadMax = sessionsMax * 3 / 4
	// sessionsRoomy is up to how many sessions the runtime is offered any that wait.
	sessionsRoomy = sessionsMax / 2
	// readyMaxDefault is Config.ReadyMax; sessionsKeySpare is how many more a key may have that are not waiting.
	readyMaxDefault, sessionsKeySpare = 2, 126

	// hurriesMax is how many sessions a promise lets off the reply grid: one, and one after a failure. Without a bound a
	// runtime could time our arithmetic as often as it likes for the price of one promise.
	hurriesMax = 2
	// promisesKeyMax bounds the promises of a key, placesMax the keys, whose hurries are remembered. A session of a
	// forgotten promise takes a second longer.
	promisesKeyMax, placesMax = 32, 4096
)

// sessions bounds the signing sessions and says which of them may hurry: those for a promise of this ledger that is not
// signed yet. The runtime's word that somebody waits is worth nothing here.
type sessions struct {
	readyMax int
	// strikes are by wallet. The map is fixed.
	strikes map[string]*signer.Strikes

	mu     sync.Mutex
	closed bool
	all    int
	places map[string]*place
	// waiting ends every session that has no digest yet when stop is called.
	waiting context.Context
	stop    context.CancelFunc
}

// place is what is known of one key. It exists while something is in it.
type place struct {
	running  int
	promises []hurries
	// held are the sessions that are being prepared on the grid, the oldest first.
	held []*openSession
}

type hurries struct {
	payment string
	until   time.Time
	left    int
}

// openSession is a session that counts.
type openSession struct {
	wallet, key string
	// waiting bounds the session until it has its digest; hurry is its session's.
	waiting context.Context
	hurry   chan struct{}
}

func newSessions(life context.Context, readyMax int, keys map[string]Key) *sessions {
	s := &sessions{readyMax: readyMax, strikes: make(map[string]*signer.Strikes), places: make(map[string]*place)}
	for wallet := range keys {
		s.strikes[wallet] = new(signer.Strikes)
	}
	s.waiting, s.stop = context.WithCancel(life)
	return s
}

// begin counts one more session of a key. After close it refuses: whoever waits for the sessions must not meet a new one.
func (s *sessions) begin(session signer.Session, now time.Time, started func()) (*openSession, error) {
	if err := s.strikes[session.Wallet].Refuse(now); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &abi.Error{Code: "closing", Message: "the co-signer is shutting down", Retry: abi.RetryLater}
	}
	o := &openSession{wallet: session.Wallet, key: placeOf(session.Wallet, session.Derivation.Path), waiting: s.waiting}
	at := s.places[o.key]
	hurry := at.spend(now)
	if s.all >= sessionsMax || !hurry && s.all >= sessionsAheadMax || at != nil && at.running >= s.readyMax+sessionsKeySpare {
		return nil, &abi.Error{Code: "busy", Message: "too many signing sessions are under way already", Retry: abi.RetryLater}
	}
	if at == nil {
		at = new(place)
		s.places[o.key] = at
	}
	s.all++
	at.running++
	if !hurry {
		o.hurry = make(chan struct{})
		at.held = append(at.held, o)
	}
	started()
	return o, nil
}

// prepared says that the session waits for its digest: there is nothing to hurry any more.
func (s *sessions) prepared(o *openSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(o)
}

func (s *sessions) release(o *openSession) {
	at := s.places[o.key]
	at.held = slices.DeleteFunc(at.held, func(other *openSession) bool { return other == o })
}

// ended takes a session off the count and reports whether the way it ended freezes the wallet's sessions.
func (s *sessions) ended(o *openSession, now time.Time, signed bool, err error) (frozen bool) {
	s.mu.Lock()
	s.all--
	s.places[o.key].running--
	s.release(o)
	s.forget(o.key, now)
	s.mu.Unlock()
	if !signed && err == nil { // it was never needed
		return false
	}
	return s.strikes[o.wallet].Note(now, err)
}

// promised lets sessions of the key off the grid: one that is being prepared already, and those that follow.
func (s *sessions) promised(promise *abi.Armed, until, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := placeOf(promise.Wallet, promise.Path)
	at := s.places[key]
	if at == nil {
		if len(s.places) >= placesMax {
			for other := range s.places {
				s.forget(other, now)
			}
		}
		if len(s.places) >= placesMax {
			return
		}
		at = new(place)
		s.places[key] = at
	}
	if len(at.promises) >= promisesKeyMax {
		at.promises = slices.Delete(at.promises, 0, 1)
	}
	at.promises = append(at.promises, hurries{payment: promise.Payment, until: until, left: hurriesMax})
	if len(at.held) > 0 && at.spend(now) {
		close(at.held[0].hurry)
		at.held = slices.Delete(at.held, 0, 1)
	}
}

// kept says that a promise is signed: it lets no more sessions off the grid.
func (s *sessions) kept(promise *abi.Armed, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := placeOf(promise.Wallet, promise.Path)
	if at := s.places[key]; at != nil {
		at.promises = slices.DeleteFunc(at.promises, func(h hurries) bool { return h.payment == promise.Payment })
		s.forget(key, now)
	}
}

// spend uses up one hurry of the key's promises, the oldest first.
func (at *place) spend(now time.Time) bool {
	if at == nil {
		return false
	}
	for i := range at.promises {
		if h := &at.promises[i]; h.left > 0 && now.Before(h.until) {
			h.left--
			return true
		}
	}
	return false
}

func (s *sessions) forget(key string, now time.Time) {
	at := s.places[key]
	at.promises = slices.DeleteFunc(at.promises, func(h hurries) bool { return !now.Before(h.until) })
	if at.running == 0 && len(at.promises) == 0 {
		delete(s.places, key)
	}
}

// offer is how many sessions of one key the runtime may have wait.
func (s *sessions) offer() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all > sessionsRoomy {
		return 0
	}
	return s.readyMax
}

// drop ends every session that has no digest yet: what they are bound to ended. Those that have one go on.
func (s *sessions) drop(life context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.waiting, s.stop = context.WithCancel(life)
}

func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func placeOf(wallet, path string) string { return wallet + "\x00" + path }
