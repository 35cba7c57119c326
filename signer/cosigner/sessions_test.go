package cosigner

import (
	"slices"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// counted are sessions of one wallet under a clock of the test's.
type counted struct {
	*sessions
	now time.Time
}

func countedSessions(t testing.TB) *counted {
	t.Helper()
	return &counted{newSessions(t.Context(), readyMaxDefault, map[string]Key{"main": {}}), time.Unix(1_800_000_000, 0)}
}

// begin opens a session of a key and tells whether it keeps to the reply grid.
func (c *counted) begin(t testing.TB, path string) (open *openSession, gridded bool) {
	t.Helper()
	open, err := c.sessions.begin(signer.Session{Wallet: "main", Derivation: signer.Derivation{Path: path}}, c.now, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if open.hurry == nil {
		return open, false
	}
	select {
	case <-open.hurry:
		return open, false
	default:
		return open, true
	}
}

func promiseFor(payment, path string) *abi.Armed {
	return &abi.Armed{Payment: payment, Wallet: "main", Path: path}
}

// The runtime's word that somebody waits is worth nothing: what takes a session off the grid is a promise of this
// ledger, which costs budget, and only a few times.
func TestARuntimeCannotTalkASessionOffTheReplyGrid(t *testing.T) {
	c := countedSessions(t)
	wantGrid := func(what, path string, want bool) {
		t.Helper()
		open, gridded := c.begin(t, path)
		if gridded != want {
			t.Errorf("%s: on the grid %v, want %v", what, gridded, want)
		}
		c.ended(open, c.now, false, nil)
	}
	wantGrid("without a promise", "m/1", true)
	c.promised(promiseFor("pay_1", "m/1"), c.now.Add(time.Minute), c.now)
	wantGrid("of another key", "m/2", true)
	for range hurriesMax {
		wantGrid("of the promise", "m/1", false)
	}
	wantGrid("after the promise's share of hurries", "m/1", true)
	c.promised(promiseFor("pay_2", "m/1"), c.now.Add(time.Minute), c.now)
	c.kept(promiseFor("pay_2", "m/1"), c.now)
	wantGrid("after the promise is signed", "m/1", true)
	c.promised(promiseFor("pay_3", "m/1"), c.now.Add(time.Minute), c.now)
	c.now = c.now.Add(time.Minute)
	wantGrid("after the promise's time", "m/1", true)
	if len(c.places) != 0 || c.all != 0 {
		t.Errorf("%d places, %d sessions are remembered for nothing", len(c.places), c.all)
	}
}

func TestAPromiseHurriesTheSessionThatIsBeingPreparedForIt(t *testing.T) {
	c := countedSessions(t)
	first, _ := c.begin(t, "m/1")
	second, _ := c.begin(t, "m/1")
	ready, _ := c.begin(t, "m/1")
	c.prepared(ready)
	other, _ := c.begin(t, "m/2")
	c.promised(promiseFor("pay_1", "m/1"), c.now.Add(time.Minute), c.now)
	for name, o := range map[string]struct {
		open *openSession
		want bool
	}{"the oldest": {first, true}, "the next": {second, false}, "one that waits": {ready, false}, "another key's": {other, false}} {
		got := false
		select {
		case <-o.open.hurry:
			got = true
		default:
		}
		if got != o.want {
			t.Errorf("%s hurries: %v", name, got)
		}
	}
}

func TestPromisesThatAreRememberedAreBounded(t *testing.T) {
	c := countedSessions(t)
	for n := range 3 * promisesKeyMax {
		c.promised(promiseFor("pay_"+string(rune('a'+n)), "m/1"), c.now.Add(time.Minute), c.now)
	}
	if got := len(c.places["main\x00m/1"].promises); got != promisesKeyMax {
		t.Errorf("%d promises of a key", got)
	}
	for n := range 2 * placesMax {
		c.promised(promiseFor("pay", "m/"+string(rune(0x4e00+n))), c.now.Add(time.Minute), c.now)
	}
	if got := len(c.places); got != placesMax {
		t.Errorf("%d keys", got)
	}
	c.now = c.now.Add(time.Hour) // old ones make room
	c.promised(promiseFor("pay", "m/new"), c.now.Add(time.Minute), c.now)
	if got := len(c.places); got != 1 {
		t.Errorf("%d keys after their time", got)
	}
}

// Sessions prepared ahead never take the last places: a payment always finds one.
func TestSessionsAheadLeaveRoomForThoseOfAPromise(t *testing.T) {
	c := countedSessions(t)
	open := func(n int) error {
		_, err := c.sessions.begin(signer.Session{Wallet: "main", Derivation: signer.Derivation{Path: "m/" + string(rune(0x4e00+n))}}, c.now, func() {})
		return err
	}
	if c.offer() != readyMaxDefault {
		t.Errorf("offers %d while there is room", c.offer())
	}
	for n := range sessionsAheadMax {
		if err := open(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(sessionsMax); abi.CodeOf(err) != "busy" {
		t.Errorf("one more ahead: %v", err)
	}
	if c.offer() != 0 {
		t.Errorf("offers %d while there is none", c.offer())
	}
	for n := sessionsAheadMax; n < sessionsMax; n++ {
		path := "m/" + string(rune(0x4e00+n))
		c.promised(promiseFor("pay", path), c.now.Add(time.Minute), c.now)
		if err := open(n); err != nil {
			t.Fatal(err)
		}
	}
	c.promised(promiseFor("pay", "m/last"), c.now.Add(time.Minute), c.now)
	_, err := c.sessions.begin(signer.Session{Wallet: "main", Derivation: signer.Derivation{Path: "m/last"}}, c.now, func() {})
	if abi.CodeOf(err) != "busy" {
		t.Errorf("beyond the bound: %v", err)
	}
}

func TestThreeSessionsThatTheRuntimeBreaksFreezeTheWalletWithAnAlarm(t *testing.T) {
	p := openParty(t, shopPolicy)
	promise := p.armed(t, p.plan(t, 1_000_000))
	waiting, err := p.rogue(t)
	if err != nil {
		t.Fatal(err)
	}
	p.log.take()
	for range 3 {
		session, err := p.rogue(t)
		if err != nil {
			t.Fatal(err)
		}
		bent := *promise
		bent.RuntimeSignature = nil
		if _, err := session.sign(t.Context(), &bent); err == nil {
			t.Fatal("a record with one signature was signed")
		}
		<-session.transport.Done()
	}
	if _, err := p.rogue(t); abi.CodeOf(err) != signer.CodeWalletCooling {
		t.Errorf("a fourth session: %v", err)
	}
	if _, err := waiting.sign(t.Context(), promise); err == nil {
		t.Error("a session that waited through the freeze was signed")
	}
	<-waiting.transport.Done()
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("the payment is %s", row.State)
	}
	if alarms := p.log.alarmed(); !slices.Equal(alarms, []string{"sessions_aborted"}) {
		t.Errorf("alarms %q", alarms)
	}
	p.clock.add(59 * time.Second)
	if _, err := p.rogue(t); abi.CodeOf(err) != signer.CodeWalletCooling {
		t.Errorf("before the minute is over: %v", err)
	}
	p.clock.add(time.Second)
	if _, err := p.sign(t, p.armed(t, p.plan(t, 1_000_000))); err != nil {
		t.Errorf("after the freeze: %v", err)
	}
}

func TestASessionTakesOneRecordAndNoFrameBeforeIt(t *testing.T) {
	p := openParty(t, shopPolicy)
	promise := p.armed(t, p.plan(t, 1_000_000))
	t.Run("a protocol message before the record", func(t *testing.T) {
		p.log.take()
		session, err := p.rogue(t)
		if err != nil {
			t.Fatal(err)
		}
		early := signer.Frame{Session: session.session.Binding(), From: signer.RoleRuntime, To: signer.RoleCoSigner, Type: "whole2", Seq: 1, Body: promise.Digest}
		if err := session.transport.Send(t.Context(), early); err != nil {
			t.Fatal(err)
		}
		<-session.transport.Done()
		if got := p.log.take(); !slices.Equal(got, []string{signer.CodeFrameInvalid}) {
			t.Errorf("the session ended with %q", got)
		}
	})
	t.Run("the record twice", func(t *testing.T) {
		session, err := p.rogue(t)
		if err != nil {
			t.Fatal(err)
		}
		bind, err := signer.BindFrame(session.session, promise)
		if err != nil {
			t.Fatal(err)
		}
		if err := session.transport.Send(t.Context(), bind); err != nil {
			t.Fatal(err)
		}
		if _, err := session.sign(t.Context(), promise); err == nil {
			t.Error("a session was bound twice")
		}
		<-session.transport.Done()
	})
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("the payment is %s", row.State)
	}
}

func TestDroppedSessionsEndAndLaterOnesDoNot(t *testing.T) {
	p := openParty(t, shopPolicy)
	session, err := p.rogue(t)
	if err != nil {
		t.Fatal(err)
	}
	p.DropSessions("freeze")
	<-session.transport.Done()
	if got := p.log.take(); len(got) != 0 {
		t.Errorf("the log says %q: nobody broke anything", got)
	}
	if _, err := p.sign(t, p.armed(t, p.plan(t, 1_000_000))); err != nil {
		t.Error(err)
	}
}

// Sessions that a runtime opens and leaves cost a bounded number of goroutines, and none once they end.
func TestHalfOpenSessionsAreBoundedAndEnd(t *testing.T) {
	p := openParty(t, shopPolicy)
	opened := 0
	var err error
	for err == nil && opened <= sessionsMax {
		here, there := signer.Pipe()
		t.Cleanup(func() { _ = here.Close() }) // never fails
		_, err = p.Join(t.Context(), &abi.SessionRequest{Wallet: p.wallet.ID, Agent: "shopper", Opening: []byte("0123456789abcdef")}, there)
		opened++
	}
	if abi.CodeOf(err) != "busy" || opened != readyMaxDefault+sessionsKeySpare+1 {
		t.Errorf("%d sessions: %v", opened, err)
	}
	p.DropSessions("test")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		p.sessions.mu.Lock()
		left := p.sessions.all
		p.sessions.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions never ended", left)
		}
	}
}
