package mpc

import (
	"context"
	"crypto/sha256"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"
	"github.com/bnb-chain/tss-lib/v2/tss"
)

// These tests run attacks against the library without the guard. They must succeed: when one of them stops
// succeeding, the library has changed and the guard can be looked at again. The same attacks against the guard are
// in the tables.

const attackVariable = "PURSER_TEST_ATTACK"

// attacks change the co-signer's honest messages. Each ends the process that has no guard.
var attacks = map[string]func(t *testing.T, bodies map[string][]byte){
	"a ciphertext of zero": func(t *testing.T, bodies map[string][]byte) {
		m := unpack(t, bodies["sign1-ciphertext"]).Interface().(*signing.SignRound1Message1)
		m.C = []byte{0}
		bodies["sign1-ciphertext"] = pack(t, m.ProtoReflect())
	},
	"an answer equal to the group order": func(t *testing.T, bodies map[string][]byte) {
		m := unpack(t, bodies["sign2-conversion"]).Interface().(*signing.SignRound2Message)
		m.ProofBobWc[6] = curveOrder.Bytes()
		bodies["sign2-conversion"] = pack(t, m.ProtoReflect())
	},
}

func TestTheLibraryAloneDiesOfHostileMessages(t *testing.T) {
	if name := os.Getenv(attackVariable); name != "" {
		runAttack(t, attacks[name])
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range attacks {
		t.Run(name, func(t *testing.T) {
			child := exec.CommandContext(t.Context(), self, "-test.run=^TestTheLibraryAloneDiesOfHostileMessages$")
			child.Env = append(os.Environ(), attackVariable+"="+name)
			output, err := child.CombinedOutput()
			if err == nil || !strings.Contains(string(output), "panic:") || !strings.Contains(string(output), "created by github.com/bnb-chain/tss-lib") {
				t.Errorf("the process survived (%v):\n%s", err, output)
			}
			bodies := copiedBodies(honestSession(t))
			change(t, bodies)
			if !guardRefusesOneOf(t, bodies) {
				t.Error("the guard lets the attack through")
			}
		})
	}
}

// runAttack feeds a runtime party with a recorded session of other nonces. That is enough to get into round 3: the
// range proof of round 1 knows no session.
func runAttack(t *testing.T, change func(*testing.T, map[string][]byte)) {
	t.Helper()
	bodies := copiedBodies(honestSession(t))
	change(t, bodies)
	a, _ := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("attack")))
	run, err := newEngine(t).newSigningRun(a.session, a.share, a.transport)
	if err != nil {
		t.Fatal(err)
	}
	if failure := run.party.Start(); failure != nil {
		t.Fatal(failure)
	}
	for _, name := range []string{"sign1-ciphertext", "sign1-commitment", "sign2-conversion"} {
		if err := feedUnguarded(t, run, name, bodies[name]); err != nil {
			return // survived: the parent wants a panic
		}
	}
}

func copiedBodies(h *honest) map[string][]byte {
	bodies := make(map[string][]byte)
	for name, body := range h.bodies {
		bodies[name] = append([]byte(nil), body...)
	}
	return bodies
}

func guardRefusesOneOf(t *testing.T, bodies map[string][]byte) bool {
	t.Helper()
	for _, r := range signingRules {
		g := guardAt(t, signingRules, signingFactsOf(t, honestSession(t)), r.round)
		if _, _, err := g.admit(CoSigner, frameFor(r.name, bodies[r.name])); err != nil {
			return true
		}
	}
	return false
}

func feedUnguarded(t *testing.T, run *signingRun, name string, body []byte) error {
	t.Helper()
	message, err := tss.ParseWireMessage(body, run.guard.peers[run.peer].id, ruleNamed(t, signingRules, name).broadcast)
	if err != nil {
		t.Fatal(err)
	}
	if _, failure := run.party.Update(message); failure != nil {
		return failure
	}
	return nil
}

// The library takes a commitment that arrives after its opening has been seen, and makes a signature.
func TestTheLibraryAloneLetsACommitmentBeReplaced(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	engine := newEngine(t)
	peer := make(chan error, 1)
	go func() {
		_, err := b.sign(t.Context(), engine)
		peer <- err
	}()
	run, err := engine.newSigningRun(a.session, a.share, a.transport)
	if err != nil {
		t.Fatal(err)
	}
	run.beforeLast = a.beforeLast
	if failure := run.party.Start(); failure != nil {
		t.Fatal(failure)
	}
	junk := pack(t, (&signing.SignRound1Message2{Commitment: []byte("bound to nothing")}).ProtoReflect())
	var commitment []byte
	for range signingMessages {
		frame := exchange(t, run)
		feed := [][]byte{frame.Body}
		names := []string{frame.Type}
		switch frame.Type {
		case signThetaType: // the digest is set before the library sees it, and what leaves from now on is bound
			run.digest.Set(digestNumber(a.digest))
			run.armed = a.armed
		case "sign1-commitment":
			commitment, feed = frame.Body, [][]byte{junk}
		case "sign4-opening":
			feed, names = [][]byte{commitment, frame.Body}, []string{"sign1-commitment", frame.Type}
		}
		for i, body := range feed {
			if err := feedUnguarded(t, run, names[i], body); err != nil {
				t.Fatalf("the library refused %s: %v", names[i], err)
			}
		}
	}
	if err := run.sendProduced(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-peer; err != nil {
		t.Fatal(err)
	}
	if _, err := signatureFrom(<-run.finished, run.key, a.digest); err != nil {
		t.Error(err)
	}
}

func exchange(t *testing.T, run *signingRun) Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sessionTimeMax)
	defer cancel()
	if err := run.sendProduced(ctx); err != nil {
		t.Fatal(err)
	}
	frame, err := run.transport.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestAnAnswerThatVanishesModuloTheOrderIsRefused(t *testing.T) {
	h := honestSession(t)
	for _, factor := range []int64{1, 2, 1 << 40} {
		m := unpack(t, h.bodies["sign2-conversion"]).Interface().(*signing.SignRound2Message)
		m.ProofBobWc[6] = new(big.Int).Mul(curveOrder, big.NewInt(factor)).Bytes()
		g := guardAt(t, signingRules, signingFactsOf(t, h), 2)
		_, _, err := g.admit(CoSigner, frameFor("sign2-conversion", pack(t, m.ProtoReflect())))
		wantCode(t, err, CodeMessageRefused)
	}
}

// The switches that turn the modulus and factor proofs off bring back CVE-2023-33241.
func TestTheLibrarysProofSwitchesAreNotUsed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	forbidden := "Set" + "NoProof"
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), forbidden) {
			t.Errorf("%s names %s", name, forbidden)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	h := honestSession(b)
	for b.Loop() {
		for _, r := range signingRules {
			g := guardAt(b, signingRules, signingFactsOf(b, h), r.round)
			if _, _, err := g.admit(CoSigner, frameFor(r.name, h.bodies[r.name])); err != nil {
				b.Fatal(err)
			}
		}
	}
}
