package main

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
)

// rogueFullEnv, when set, has every field of a record altered and every message flipped many times: minutes of arithmetic.
const rogueFullEnv = "PURSER_SOAK_ROGUE"

// alwaysAltered are the fields that are altered in every run.
var alwaysAltered = []string{"Digest", "Payment", "ExpiresUnixS", "CosignerSignature"}

// sessionAttempts use signing sessions for what they are not for.
var sessionAttempts = []attempt{
	{"has another digest signed than the promised one", func(t *testing.T, r *rogue) []string {
		p := r.seat(t)
		_, promise := r.armed(t, p, 10_000)
		s := r.ready(t, p)
		other := [32]byte(promise.Digest)
		other[31] ^= 1
		if err := s.sign(t, promise, other); err == nil {
			t.Error("another digest than the promised one was signed")
		}
		return []string{"wallet=" + p.root + " path=" + p.wallet.Derivation.Path}
	}},
	{"alters a promise in each field", alteredPromises},
	{"replays a whole session", replayedSession},
	{"signs after a freeze that the co-signer took", func(t *testing.T, r *rogue) []string {
		p := r.seat(t)
		_, promise := r.armed(t, p, 10_000)
		waiting := r.ready(t, p)
		freeze, err := order.NewFreeze(defaultTenant, "agent/"+p.name, "the runtime was taken over", time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		must(t, order.Sign(freeze, "ann", r.hosts.ann))
		must(t, r.operator.Accept(t.Context(), freeze))
		if err := waiting.sign(t, promise, [32]byte(promise.Digest)); err == nil {
			t.Error("a frozen promise was signed")
		}
		x := r.plan(t, p, 10_000)
		_, err = r.arm(t.Context(), x)
		wantDecision(t, err, abi.Deny, abi.ReasonFrozen)
		return []string{x.logged(abi.Deny), "reason=freeze", r.bindInVain(t, p, promise, "frozen")}
	}},
	{"signs what the co-signer has disclaimed", func(t *testing.T, r *rogue) []string {
		p := r.seat(t)
		x, promise := r.armed(t, p, 10_000)
		waiting := r.ready(t, p)
		if _, err := r.link.Disclaim(t.Context(), promise); err != nil {
			t.Fatal(err)
		}
		if err := waiting.sign(t, promise, [32]byte(promise.Digest)); err == nil {
			t.Error("a disclaimed promise was signed")
		}
		if again, err := r.arm(t.Context(), x); err == nil && !signer.SameArmed(again, promise) {
			t.Error("a disclaimed payment has another promise")
		}
		x.refresh(t)
		_, err := r.arm(t.Context(), x)
		wantRefusal(t, err, "other_digest_armed")
		return []string{"cosigner.disclaimed " + promise.Payment, waiting.ended("claim_invalid"), x.refusedFor()}
	}},
	{"takes back what is spent", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "regret", Wallet: demoWalletID})
		_, promise := r.armed(t, p, 10_000)
		r.pay(t, p, promise)
		tombstone, err := r.link.Disclaim(t.Context(), promise)
		if abi.CodeOf(err) != "spent" || tombstone != nil {
			t.Errorf("a spent promise was taken back: %+v, %v", tombstone, err)
		}
		forged := *promise
		forged.Digest = bytes.Repeat([]byte{9}, 32)
		must(t, errors.Join(signer.SignArmed(&forged, signer.RoleCoSigner, r.ours), signer.SignArmed(&forged, signer.RoleRuntime, r.ours)))
		tombstone, err = r.link.Disclaim(t.Context(), &forged)
		if abi.CodeOf(err) != "armed_invalid" || tombstone != nil {
			t.Errorf("a promise that nobody made was taken back: %+v, %v", tombstone, err)
		}
		return []string{"cosigner.spent " + promise.Payment, `"asked":"disclaim"`}
	}},
	{"sends frames before the record", func(t *testing.T, r *rogue) []string {
		p := r.seat(t)
		_, promise := r.armed(t, p, 10_000)
		s := r.ready(t, p)
		early := s.wire.sent[len(s.wire.sent)-1]
		early.Seq++
		must(t, s.wire.Transport.Send(t.Context(), early))
		if err := s.sign(t, promise, [32]byte(promise.Digest)); err == nil {
			t.Error("a record was taken after another frame")
		}
		junk := r.ready(t, p)
		bind, err := signer.BindFrame(junk.session, promise)
		if err != nil {
			t.Fatal(err)
		}
		bind.Body = bytes.Repeat([]byte{0xff}, 100)
		must(t, junk.wire.Transport.Send(t.Context(), bind))
		return []string{s.ended(signer.CodeFrameInvalid), junk.ended(signer.CodeFrameInvalid)}
	}},
	{"sends frames after the end", func(t *testing.T, r *rogue) []string {
		p := r.seat(t)
		_, promise := r.armed(t, p, 10_000)
		r.allowed(promise.Payment)
		s := r.ready(t, p)
		if err := s.sign(t, promise, [32]byte(promise.Digest)); err != nil {
			t.Fatal(err)
		}
		_, other := r.armed(t, p, 10_000)
		bind, err := signer.BindFrame(s.session, other)
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range append(slices.Clone(s.wire.sent), bind) { // the session is over: nobody reads them, and so nobody logs them
			if s.wire.Transport.Send(t.Context(), frame) != nil {
				break
			}
		}
		return []string{"cosigner.spent " + promise.Payment}
	}},
	{"breaks three sessions in a row", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "striker", Wallet: walletAt(rogueWallets() - 1)})
		for range 3 {
			s, err := r.open(t, p.name, p.root)
			if err != nil {
				t.Fatal(err)
			}
			s.wire.bend = func(_ *wire, frame signer.Frame) []signer.Frame { frame.Type = "unknown"; return []signer.Frame{frame} }
			if err := s.prepare(t); err == nil {
				t.Error("a session of unknown messages was prepared")
			}
			<-s.wire.Done()
		}
		for deadline := time.Now().Add(loggedWait); ; time.Sleep(20 * time.Millisecond) {
			s, err := r.open(t, p.name, p.root)
			if err == nil { // the third is not counted yet
				_ = s.wire.Close()
			}
			if abi.CodeOf(err) == signer.CodeWalletCooling {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the wallet's sessions are not frozen: %v", err)
			}
		}
		return []string{"ALARM", "wallet=" + p.root}
	}},
	{"floods it with sessions", func(t *testing.T, r *rogue) []string {
		const asked, keyMax = 160, 128 // the bound of one key
		p := r.enrol(t, abi.Enrolment{Agent: "flood", Wallet: walletAt(rogueWallets() - 2)})
		var mu sync.Mutex
		var open []*rogueSession
		codes := map[string]int{}
		var asking sync.WaitGroup
		for range asked {
			asking.Go(func() {
				s, err := r.open(t, p.name, p.root)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					open = append(open, s)
				}
				codes[abi.CodeOf(err)]++
			})
		}
		asking.Wait()
		if len(open) == 0 || len(open) > keyMax || codes["busy"] != asked-len(open) {
			t.Errorf("of %d sessions of one key %d are open: %v", asked, len(open), codes)
		}
		q := r.enrol(t, abi.Enrolment{Agent: "bystander", Wallet: demoWalletID})
		_, promise := r.armed(t, q, 10_000)
		r.pay(t, q, promise) // everybody else is served meanwhile
		for _, s := range open {
			_ = s.wire.Close() // never fails
		}
		return []string{"cosigner.spent " + promise.Payment, "wallet=" + p.root} // a busy answer is a "later", not a refusal: it is not logged
	}},
}

// alteredPromises binds sessions to a promise of which one field is another, signed anew by the runtime: whatever it is,
// the co-signer's signature is not over it.
func alteredPromises(t *testing.T, r *rogue) []string {
	var logged []string
	kind := reflect.TypeFor[abi.Armed]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		if name == "RuntimeSignature" || name == "Wallet" || name == "Path" || name == "Epoch" { // the first is ours to make; the frame itself speaks of the others
			continue
		}
		if os.Getenv(rogueFullEnv) == "" && !slices.Contains(alwaysAltered, name) {
			continue
		}
		p := r.seat(t)
		_, promise := r.armed(t, p, 10_000)
		altered := *promise
		field := reflect.ValueOf(&altered).Elem().Field(i)
		switch field.Kind() { //nolint:exhaustive // the record has no others
		case reflect.String:
			field.SetString(field.String() + "x")
		case reflect.Uint64:
			field.SetUint(field.Uint() + 1)
		case reflect.Slice:
			bent := bytes.Clone(field.Bytes())
			bent[len(bent)-1] ^= 1
			field.SetBytes(bent)
		default:
			t.Fatalf("field %s is a %s", name, field.Kind())
		}
		must(t, signer.SignArmed(&altered, signer.RoleRuntime, r.ours))
		logged = append(logged, r.bindInVain(t, p, &altered, "armed_invalid"))
	}
	return logged
}

// replayedSession sends a recorded session's frames into new ones, as they were and with the new session's name on them.
func replayedSession(t *testing.T, r *rogue) []string {
	p := r.seat(t)
	_, promise := r.armed(t, p, 10_000)
	recorded := r.pay(t, p, promise).wire.sent
	var logged []string
	for _, rename := range []bool{false, true} {
		s, err := r.open(t, p.name, p.root)
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range recorded {
			if rename {
				frame.Session = s.session.Binding()
			}
			if s.wire.Transport.Send(t.Context(), frame) != nil {
				break
			}
		}
		for { // whatever the co-signer says until it ends the session
			frame, err := s.wire.Receive(t.Context())
			if err != nil {
				break
			}
			if frame.Type == lastFrame {
				t.Error("a replayed session reached the co-signer's last message")
			}
		}
		code := signer.CodeMessageRefused
		if rename {
			code = signer.CodeProtocolFailed // the proofs are of another session's numbers
		}
		logged = append(logged, s.ended(code))
	}
	return logged
}

// lastAttempts stop the co-signer from signing anything until its operator has looked.
var lastAttempts = []attempt{
	{"rolls its store back", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "rollback", Wallet: demoWalletID})
		_, before := r.armed(t, p, 10_000)
		x := r.plan(t, p, 10_000)
		if _, err := r.link.Consult(t.Context(), x.consult()); err != nil {
			t.Fatal(err)
		}
		x.head = signer.Head{Position: 1, Witnessed: 1}
		_, err := r.arm(t.Context(), x)
		wantDecision(t, err, abi.Deny, peer.CodeRolledBack)
		// From here on nothing is signed: neither what was promised before nor anything that looks whole again.
		next := r.plan(t, r.enrol(t, abi.Enrolment{Agent: "afterwards", Wallet: demoWalletID}), 10_000)
		_, err = r.arm(t.Context(), next)
		wantDecision(t, err, abi.Deny, peer.CodeRolledBack)
		stopped := r.bindInVain(t, p, before, peer.CodeRolledBack)
		if err := r.link.Ask(t.Context(), "POST", pathPeerStore, peerStore{Store: r.store, Head: 1}, new(done)); err == nil {
			t.Error("the runtime itself vouched for its ledger")
		}
		return []string{x.logged(abi.Deny), next.logged(abi.Deny), "SIGNING STOPPED", stopped}
	}},
}
