package mpc

import (
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/common"
	"github.com/bnb-chain/tss-lib/v2/crypto/commitments"
	eckeygen "github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	ecresharing "github.com/bnb-chain/tss-lib/v2/ecdsa/resharing"
	"github.com/bnb-chain/tss-lib/v2/eddsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/eddsa/signing"
	"github.com/bnb-chain/tss-lib/v2/tss"
)

// These tests run attacks on Ed25519 and on resharing against the library without the guard, like those of
// library_alone_test.go on signing: they must succeed, or the library has changed.

const recordingVariable = "PURSER_TEST_RECORDING"

// recorded is what the runtime received in a ceremony, in order: what a child process replays.
type recorded []Frame

// ceremonyAttack ends the process of a runtime without a guard.
type ceremonyAttack struct {
	record func(t *testing.T) recorded
	change func(t *testing.T, frames recorded)
	run    func(t *testing.T, frames recorded)
	// refused says whether the guard refuses one of the frames.
	refused func(t *testing.T, frames recorded) bool
}

var ceremonyAttacks = map[string]ceremonyAttack{
	"an opened polynomial of no points": {recordedEdKeygen, withoutPoints, feedEdKeygen, edKeygenRefused},
	"an even Paillier modulus in a resharing": {recordedResharing, func(t *testing.T, frames recorded) {
		f := frames.of(t, CoSigner, "reshare2-new-new-moduli")
		m := unpack(t, f.Body).Interface().(*ecresharing.DGRound2Message1)
		m.PaillierN[len(m.PaillierN)-1] &^= 1
		f.Body = pack(t, m.ProtoReflect())
	}, feedResharing, resharingRefused},
}

func TestTheLibraryAloneDiesOfHostileCeremonies(t *testing.T) {
	if name := os.Getenv(attackVariable); name != "" {
		data, err := os.ReadFile(os.Getenv(recordingVariable))
		if err != nil {
			t.Fatal(err)
		}
		var frames recorded
		if err := json.Unmarshal(data, &frames); err != nil {
			t.Fatal(err)
		}
		ceremonyAttacks[name].run(t, frames)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, attack := range ceremonyAttacks {
		t.Run(name, func(t *testing.T) {
			frames := attack.record(t)
			if attack.refused(t, frames) {
				t.Fatal("the guard refuses the honest ceremony")
			}
			attack.change(t, frames)
			if !attack.refused(t, frames) {
				t.Error("the guard lets the attack through")
			}
			data, err := json.Marshal(frames)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "frames")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			child := exec.CommandContext(t.Context(), self, "-test.run=^TestTheLibraryAloneDiesOfHostileCeremonies$")
			child.Env = append(os.Environ(), attackVariable+"="+name, recordingVariable+"="+file)
			output, err := child.CombinedOutput()
			if err == nil || !strings.Contains(string(output), "panic:") || !strings.Contains(string(output), "created by github.com/bnb-chain/tss-lib") {
				t.Errorf("the process survived (%v):\n%s", err, output)
			}
		})
	}
}

func (r recorded) of(t *testing.T, from Role, frameType string) *Frame {
	t.Helper()
	for i := range r {
		if r[i].From == from && r[i].Type == frameType {
			return &r[i]
		}
	}
	t.Fatalf("no %s from the %s was recorded", frameType, from)
	return nil
}

func recordedEdKeygen(t *testing.T) recorded {
	t.Helper()
	edShares(t)
	return append(recorded(nil), edWallet.tape.frames[Runtime]...)
}

func recordedResharing(t *testing.T) recorded {
	t.Helper()
	_, rec := reshared(t)
	return append(recorded(nil), rec.frames[Runtime]...)
}

// withoutPoints replaces the co-signer's polynomial by an empty one, and its commitment so that they fit.
func withoutPoints(t *testing.T, frames recorded) {
	t.Helper()
	both := commitments.NewHashCommitmentWithRandomness(big.NewInt(1 << 40))
	first := frames.of(t, CoSigner, "edkeygen1-commitment")
	first.Body = pack(t, (&keygen.KGRound1Message{Commitment: both.C.Bytes()}).ProtoReflect())
	second := frames.of(t, CoSigner, "edkeygen2-opening")
	m := unpack(t, second.Body).Interface().(*keygen.KGRound2Message2)
	m.DeCommitment = common.BigIntsToBytes(both.D)
	second.Body = pack(t, m.ProtoReflect())
}

// feedRecorded gives the stations of the runtime everything that was recorded, unguarded.
func feedRecorded(t *testing.T, run *ceremony, frames recorded) {
	t.Helper()
	if failure := run.stations[newCommittee].party.Start(); failure != nil {
		t.Fatal(failure)
	}
	for _, r := range run.rules {
		for _, f := range frames {
			if f.Type != r.name {
				continue
			}
			message, err := tss.ParseWireMessage(f.Body, run.guard.peers[f.From].id, r.broadcast)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range run.deliveries(r, f.From, message) {
				if _, failure := d.to.party.Update(d.message); failure != nil {
					return // survived: the parent wants a panic
				}
			}
		}
	}
}

func feedEdKeygen(t *testing.T, frames recorded) {
	t.Helper()
	session := KeygenSession{ID: freshID(), Wallet: "ed", Self: Runtime}
	run, _, params := newKeygen(edGroup{}, session, session.BindingEdDSA(), nil, edKeygenRules, edKeygenEchoes, newEngine(t).random)
	s := run.stations[newCommittee]
	s.party = keygen.NewLocalParty(params, s.produced, make(chan *keygen.LocalPartySaveData, 1))
	run.admitBy(&facts{self: Runtime})
	feedRecorded(t, run, frames)
}

func feedResharing(t *testing.T, frames recorded) {
	t.Helper()
	feedRecorded(t, newcomer(t, freshID()), frames)
}

// newcomer is a runtime that has lost its share, in a resharing of the demo wallet.
func newcomer(t *testing.T, id [32]byte) *ceremony {
	t.Helper()
	session, _ := demoReshare(t, id, Runtime, CoSigner, Recovery)
	state := &resharingFacts{group: secpGroup{}, session: session, key: demoShare(t, Runtime).secret.key}
	pre := testPreParams(t, Runtime)
	run, _, err := state.prepare(session.Binding(), nil, nil, newEngine(t).random, seats{
		rules: state.rules(), echoes: reshareEchoes, routes: reshareRoutes, facts: pre.facts,
		newParty: func(params *tss.ReSharingParameters, out chan<- tss.Message) tss.Party {
			save := eckeygen.NewLocalPartySaveData(partyCount)
			save.LocalPreParams = pre.forLibrary()
			return ecresharing.NewLocalParty(params, save, out, make(chan *eckeygen.LocalPartySaveData, 1))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func edKeygenRefused(t *testing.T, frames recorded) bool {
	t.Helper()
	return anyRefused(t, edKeygenRules, frames, edGuard)
}

func resharingRefused(t *testing.T, frames recorded) bool {
	t.Helper()
	return anyRefused(t, reshareState(t).rules(), frames, reshareGuards(t))
}

func anyRefused(t *testing.T, rules []rule, frames recorded, newGuard func(testing.TB, []rule, int) *guard) bool {
	t.Helper()
	for _, r := range rules {
		body := frames.of(t, CoSigner, r.name).Body
		if _, _, err := newGuard(t, rules, r.round).admit(CoSigner, frameFor(r.name, body)); err != nil {
			return true
		}
	}
	return false
}

// The library compares the views of the old committee, but skips the member whose place is that of ours in the new one.
func TestTheLibraryAloneMissesADifferentViewOfTheOldCommittee(t *testing.T) {
	frames := recordedResharing(t)
	run := newcomer(t, freshID())
	for run.ids[newCommittee][Runtime.Index()].Index != 1 {
		run = newcomer(t, freshID())
	}
	if failure := run.stations[newCommittee].party.Start(); failure != nil {
		t.Fatal(failure)
	}
	for _, from := range []Role{CoSigner, Recovery} {
		f := frames.of(t, from, reshareFirstType)
		r := ruleNamed(t, run.rules, reshareFirstType)
		if run.ids[oldCommittee][from.Index()].Index == 1 {
			m := unpack(t, f.Body).Interface().(*ecresharing.DGRound1Message)
			m.Ssid[0] ^= 1
			f.Body = pack(t, m.ProtoReflect())
		}
		message, err := tss.ParseWireMessage(f.Body, run.guard.peers[from].id, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range run.deliveries(r, from, message) {
			if _, failure := d.to.party.Update(d.message); failure != nil {
				t.Errorf("the library noticed: %v", failure)
			}
		}
	}
	if !resharingViewRefused(t, frames) {
		t.Error("the guard lets two views of the old committee through")
	}
}

func resharingViewRefused(t *testing.T, frames recorded) bool {
	t.Helper()
	state := reshareState(t)
	refused := false
	for _, from := range []Role{CoSigner, Recovery} {
		m := unpack(t, frames.of(t, from, reshareFirstType).Body).Interface().(*ecresharing.DGRound1Message)
		refused = refused || state.checkCommitment(nil, from, m) != nil
	}
	return refused
}

// edUnguarded runs the runtime's side of a signing session without the guard, against an honest co-signer, and returns
// what the library made of it.
func edUnguarded(t *testing.T, turn func(f Frame) []Frame) (*common.SignatureData, error) {
	t.Helper()
	a, b := edPair(t, Runtime, CoSigner, []byte("alone"))
	engine := newEngine(t)
	peer := make(chan error, 1)
	go func() {
		_, err := b.sign(t.Context(), engine)
		peer <- err
	}()
	defer func() { <-peer }()
	defer func() { _ = a.transport.Close() }() // a pipe's Close never fails
	run, finished, err := newEdSigningRun(a.session, a.share, a.message, engine.random)
	if err != nil {
		t.Fatal(err)
	}
	run.armed, run.transport, run.beforeLast = a.armed, a.transport, a.beforeLast
	if failure := run.party.Start(); failure != nil {
		t.Fatal(failure)
	}
	for range edSigningMessages {
		if err := run.sendProduced(t.Context()); err != nil {
			t.Fatal(err)
		}
		received, err := run.transport.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range turn(received) {
			message, err := tss.ParseWireMessage(f.Body, run.guard.peers[CoSigner].id, true)
			if err != nil {
				t.Fatal(err)
			}
			err = libraryCall(func() *tss.Error {
				_, failure := run.party.Update(message)
				return failure
			})
			if err != nil {
				return nil, err
			}
		}
	}
	if err := run.sendProduced(t.Context()); err != nil {
		t.Fatal(err)
	}
	return <-finished, nil
}

func TestTheLibraryAloneTakesAnEd25519AnswerThatIsNotReduced(t *testing.T) {
	var body []byte
	result, err := edUnguarded(t, func(f Frame) []Frame {
		if f.Type == edLastType {
			m := unpack(t, f.Body).Interface().(*signing.SignRound3Message)
			s := new(big.Int).SetBytes(m.GetS())
			m.S = s.Add(s, edOrder).Bytes()
			f.Body = pack(t, m.ProtoReflect())
			body = f.Body
		}
		return []Frame{f}
	})
	if err != nil || len(result.GetSignature()) == 0 {
		t.Errorf("the library refused: %v", err)
	}
	if _, _, err := edGuard(t, edSigningRules, 3).admit(CoSigner, frameFor(edLastType, body)); err == nil {
		t.Error("the guard admits it")
	}
}

func TestTheLibraryAlonePanicsOnAnEd25519NonceOffTheCurve(t *testing.T) {
	both := commitments.NewHashCommitmentWithRandomness(big.NewInt(1<<40), big.NewInt(2), big.NewInt(3))
	var opening []byte
	_, err := edUnguarded(t, func(f Frame) []Frame {
		switch f.Type {
		case "edsign1-commitment":
			f.Body = pack(t, (&signing.SignRound1Message{Commitment: both.C.Bytes()}).ProtoReflect())
		case "edsign2-opening":
			m := unpack(t, f.Body).Interface().(*signing.SignRound2Message)
			m.DeCommitment = common.BigIntsToBytes(both.D)
			f.Body = pack(t, m.ProtoReflect())
			opening = f.Body
		}
		return []Frame{f}
	})
	if err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("the library did not panic: %v", err)
	}
	if _, _, err := edGuard(t, edSigningRules, 2).admit(CoSigner, frameFor("edsign2-opening", opening)); err == nil {
		t.Error("the guard admits it")
	}
}
