package mpc

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"google.golang.org/protobuf/proto"

	"github.com/purserhq/purser/signer"
)

// The guard looks at shapes and groups and leaves the proofs to the library, so messages of random members of the
// right groups stand for honest ones here. That real ones pass too is shown by the opt-in test at the end, and by
// the demo wallet, whose keyshares came through this guard.

func randomBelow(t *testing.T, limit *big.Int) []byte {
	t.Helper()
	for {
		x, err := rand.Int(rand.Reader, limit)
		if err != nil {
			t.Fatal(err)
		}
		if x.Cmp(bigOne) > 0 {
			return x.Bytes()
		}
	}
}

func randomParts(t *testing.T, limits ...*big.Int) [][]byte {
	t.Helper()
	var parts [][]byte
	for _, limit := range limits {
		parts = append(parts, randomBelow(t, limit))
	}
	return parts
}

func repeatLimit(n *big.Int, count int) []*big.Int { return slices.Repeat([]*big.Int{n}, count) }

// keygenFacts is what the runtime knows in a key generation after the given round's first messages.
func keygenFacts(t *testing.T, round int) *facts {
	t.Helper()
	s := demoShare(t, Runtime).secret
	own := s.parties[0]
	f := &facts{
		self: Runtime, paillier: map[Role]*big.Int{Runtime: own.paillier}, ring: map[Role]*big.Int{Runtime: own.ring},
		bases: []*big.Int{own.h1, own.h2},
	}
	if round > 1 {
		f.paillier[CoSigner], f.ring[CoSigner] = s.parties[1].paillier, s.parties[1].ring
	}
	return f
}

func keygenMessages(t *testing.T) map[string]proto.Message {
	t.Helper()
	s := demoShare(t, Runtime).secret
	peer, own := s.parties[1], s.parties[0]
	dln := func() [][]byte {
		parts := append([][]byte{{dlnIterations}}, randomParts(t, repeatLimit(peer.ring, dlnIterations)...)...)
		return append(append(parts, []byte{dlnIterations}), randomParts(t, repeatLimit(peer.ring, dlnIterations)...)...)
	}
	xy := func(p curvePoint) [][]byte { return [][]byte{p.x.Bytes(), p.y.Bytes()} }
	bits := func() []byte { return new(big.Int).SetBit(big.NewInt(12345), modIterations, 1).Bytes() }
	product := new(big.Int).Mul(peer.paillier, own.ring)
	root := new(big.Int).Mul(orderCubed, new(big.Int).Sqrt(peer.paillier))
	facLimits := append(repeatLimit(own.ring, 5),
		new(big.Int).Mul(curveOrder, product), root, root, responseMax(own.ring), responseMax(own.ring), responseMax(product))
	modProof := randomParts(t, repeatLimit(peer.paillier, 1+modIterations)...)
	modProof = append(append(modProof, bits(), bits()), randomParts(t, repeatLimit(peer.paillier, modIterations)...)...)
	opened := slices.Concat([][]byte{randomBelow(t, curveOrder)}, xy(s.key), xy(peer.share))
	return map[string]proto.Message{
		"keygen1-moduli": &keygen.KGRound1Message{
			Commitment: randomBelow(t, curveOrder), PaillierN: peer.paillier.Bytes(), NTilde: peer.ring.Bytes(),
			H1: peer.h1.Bytes(), H2: peer.h2.Bytes(), Dlnproof_1: dln(), Dlnproof_2: dln(),
		},
		"keygen2-share":   &keygen.KGRound2Message1{Share: randomBelow(t, curveOrder), FacProof: randomParts(t, facLimits...)},
		"keygen2-opening": &keygen.KGRound2Message2{DeCommitment: opened, ModProof: modProof},
		"keygen3-proof":   &keygen.KGRound3Message{PaillierProof: randomParts(t, repeatLimit(peer.paillier, paillierParts)...)},
	}
}

// moduliLayout is how a party introduces its moduli in a resharing; a key generation sends the proof later.
func moduliLayout(peerUnit, peerRing kind) layout {
	length := kind{name: "length", limit: big.NewInt(dlnIterations + 1), low: big.NewInt(dlnIterations)}
	modulus := kind{name: "modulus", limit: new(big.Int).Lsh(bigOne, modulusBits), low: new(big.Int).Lsh(bigOne, modulusBits-1)}
	bits := kind{name: "bits", limit: new(big.Int).Lsh(bigOne, modIterations+1), low: new(big.Int).Lsh(bigOne, modIterations)}
	dln := slices.Concat([]kind{length}, repeatKind(peerRing, dlnIterations), []kind{length},
		repeatKind(belowKind(peerRing.limit), dlnIterations))
	return layout{
		"paillier_n": {modulus}, "n_tilde": {modulus}, "h1": {peerRing}, "h2": {peerRing}, "dlnproof_1": dln, "dlnproof_2": dln,
		"modProof": slices.Concat(repeatKind(peerUnit, 1+modIterations), []kind{bits, bits}, repeatKind(peerUnit, modIterations)),
	}
}

// facLayout is the proof of the owner of n for the owner of ring.
func facLayout(n, ring *big.Int) []kind {
	product := new(big.Int).Mul(n, ring)
	root := new(big.Int).Mul(orderCubed, new(big.Int).Sqrt(n))
	blinded := belowKind(responseMax(ring))
	return append(repeatKind(unitKind(ring), 5), belowKind(new(big.Int).Mul(curveOrder, product)),
		belowKind(root), belowKind(root), blinded, blinded, belowKind(responseMax(product)))
}

func keygenLayouts(t *testing.T) map[string]layout {
	t.Helper()
	s := demoShare(t, Runtime).secret
	peer, own := s.parties[1], s.parties[0]
	peerUnit := unitKind(peer.paillier)
	peerUnit.prime = demoShare(t, CoSigner).secret.p
	moduli := moduliLayout(peerUnit, unitKind(peer.ring))
	h, xy := hashKind(), pointKind()
	opened := layout{"de_commitment": {h, xy, xy, xy, xy}, "modProof": moduli["modProof"]}
	delete(moduli, "modProof")
	moduli["commitment"] = []kind{h}
	return map[string]layout{
		"keygen1-moduli":  moduli,
		"keygen2-share":   {"share": {scalarKind()}, "facProof": facLayout(peer.paillier, own.ring)},
		"keygen2-opening": opened,
		"keygen3-proof":   {"paillier_proof": repeatKind(peerUnit, paillierParts)},
	}
}

func TestTheGuardRefusesEveryHostileKeygenMessage(t *testing.T) {
	bodies := make(map[string][]byte)
	for name, m := range keygenMessages(t) {
		bodies[name] = pack(t, m.ProtoReflect())
	}
	guardTable(t, keygenRules, bodies, keygenLayouts(t), func(_ testing.TB, rules []rule, round int) *guard {
		return guardAt(t, rules, keygenFacts(t, round), round)
	})
}

func TestModuliAndBasesAreNeverSharedOrWeak(t *testing.T) {
	s := demoShare(t, Runtime).secret
	own, peer := s.parties[0], s.parties[1]
	tests := map[string]func(*keygen.KGRound1Message){
		"our Paillier modulus":         func(m *keygen.KGRound1Message) { m.PaillierN = own.paillier.Bytes() },
		"our ring as Paillier":         func(m *keygen.KGRound1Message) { m.PaillierN = own.ring.Bytes() },
		"our ring":                     func(m *keygen.KGRound1Message) { m.NTilde = own.ring.Bytes() },
		"one modulus for both":         func(m *keygen.KGRound1Message) { m.NTilde = m.PaillierN },
		"an even modulus":              func(m *keygen.KGRound1Message) { m.PaillierN = new(big.Int).Sub(peer.paillier, bigOne).Bytes() },
		"a modulus of 2047 bits":       func(m *keygen.KGRound1Message) { m.PaillierN = new(big.Int).Rsh(peer.paillier, 1).Bytes() },
		"a modulus divisible by 65521": func(m *keygen.KGRound1Message) { m.PaillierN = divisibleBy(peer.paillier, 65521) },
		"equal bases":                  func(m *keygen.KGRound1Message) { m.H2 = m.H1 },
		"a short list of first values": func(m *keygen.KGRound1Message) { m.Dlnproof_1[0] = []byte{127} },
		"a negative length": func(m *keygen.KGRound1Message) {
			m.Dlnproof_2[129] = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			m := keygenMessages(t)["keygen1-moduli"].(*keygen.KGRound1Message)
			change(m)
			g := guardAt(t, keygenRules, keygenFacts(t, 1), 1)
			_, _, err := g.admit(CoSigner, frameFor("keygen1-moduli", pack(t, m.ProtoReflect())))
			wantCode(t, err, CodeMessageRefused)
		})
	}
}

// divisibleBy returns an odd number of the same length that has the odd factor.
func divisibleBy(n *big.Int, factor int64) []byte {
	f := big.NewInt(factor)
	quotient := new(big.Int).Div(n, f)
	if quotient.Bit(0) == 0 {
		quotient.Sub(quotient, bigOne)
	}
	return quotient.Mul(quotient, f).Bytes()
}

func TestLaterKeygenMessagesNeedTheModuliFirst(t *testing.T) {
	messages := keygenMessages(t)
	for _, r := range keygenRules[1:] {
		g := guardAt(t, keygenRules, keygenFacts(t, 1), r.round)
		_, _, err := g.admit(CoSigner, frameFor(r.name, pack(t, messages[r.name].ProtoReflect())))
		if !errors.Is(err, errTooEarly) {
			t.Errorf("%s: got %v", r.name, err)
		}
	}
}

func TestASplitViewOfABroadcastEndsTheKeyGeneration(t *testing.T) {
	ours, theirs := broadcasts{echo: keygenEchoes[0]}, broadcasts{echo: keygenEchoes[0]}
	for _, role := range everyRole {
		ours.add(role, "x", []byte{byte(role)})
		theirs.add(role, "x", []byte{byte(role) &^ 2})
	}
	want, got := ours.digest([32]byte{1}), theirs.digest([32]byte{1})
	rules, echo := slices.Concat(keygenRules, keygenEchoes), keygenEchoes[0]
	newGuard := func() *guard { return guardAt(t, rules, keygenFacts(t, 1), 1) }
	if err := newGuard().admitEcho(CoSigner, frameFor("keygen1-echo", want[:]), echo, want); err != nil {
		t.Errorf("equal views: %v", err)
	}
	if err := newGuard().admitEcho(CoSigner, frameFor("keygen1-echo", got[:]), echo, want); !errors.Is(err, errSplitView) {
		t.Errorf("split views: %v", err)
	}
	if err := newGuard().admitEcho(CoSigner, frameFor("keygen2-echo", want[:]), echo, want); !errors.Is(err, errWrongRound) {
		t.Errorf("another round's echo: %v", err)
	}
	if err := newGuard().admitEcho(CoSigner, frameFor("keygen1-echo", want[:31]), echo, want); !errors.Is(err, errWrongSize) {
		t.Errorf("a short echo: %v", err)
	}
	if _, _, err := newGuard().admit(CoSigner, frameFor("keygen1-echo", want[:])); err == nil {
		t.Error("an echo was admitted as a message of the library")
	}
}

func TestKeygenRefusesUnusableInput(t *testing.T) {
	engine := newEngine(t)
	a, b := signer.Pipe()
	links := func() map[Role]Transport { return map[Role]Transport{CoSigner: a, Recovery: b} }
	session := KeygenSession{ID: freshID(), Wallet: "w", Self: Runtime}
	pre := PreParams{secret: &preParamsSecret{}}
	tests := map[string]func() (KeygenSession, PreParams, map[Role]Transport){
		"no id": func() (KeygenSession, PreParams, map[Role]Transport) {
			return KeygenSession{Wallet: "w", Self: Runtime}, pre, links()
		},
		"no wallet": func() (KeygenSession, PreParams, map[Role]Transport) {
			return KeygenSession{ID: session.ID, Self: Runtime}, pre, links()
		},
		"no role": func() (KeygenSession, PreParams, map[Role]Transport) {
			return KeygenSession{ID: session.ID, Wallet: "w"}, pre, links()
		},
		"no pre-parameters": func() (KeygenSession, PreParams, map[Role]Transport) { return session, PreParams{}, links() },
		"one link": func() (KeygenSession, PreParams, map[Role]Transport) {
			return session, pre, map[Role]Transport{CoSigner: a}
		},
		"a link to oneself": func() (KeygenSession, PreParams, map[Role]Transport) {
			return session, pre, map[Role]Transport{Runtime: a, Recovery: b}
		},
		"an empty link": func() (KeygenSession, PreParams, map[Role]Transport) {
			return session, pre, map[Role]Transport{CoSigner: a, Recovery: nil}
		},
	}
	for name, input := range tests {
		t.Run(name, func(t *testing.T) {
			session, pre, links := input()
			_, err := engine.Keygen(t.Context(), session, pre, links)
			wantCode(t, err, CodeInputInvalid)
		})
	}
	t.Run("empty pre-parameters", func(t *testing.T) {
		_, err := engine.Keygen(t.Context(), session, pre, links())
		wantCode(t, err, CodeProtocolFailed)
	})
}

func TestPreParamsGenerationEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := GeneratePreParams(ctx, nil)
	wantCode(t, err, CodeInterrupted)
}

// TestThreePartiesMakeAKey costs about a CPU-minute, so it runs on demand: PURSER_TEST_KEYGEN=1.
func TestThreePartiesMakeAKey(t *testing.T) {
	if os.Getenv("PURSER_TEST_KEYGEN") == "" {
		t.Skip("SKIPPED: a key generation costs minutes of CPU; set PURSER_TEST_KEYGEN=1 to run it")
	}
	engine := newEngine(t)
	id := freshID()
	links := map[Role]map[Role]Transport{Runtime: {}, CoSigner: {}, Recovery: {}}
	for _, ends := range [][2]Role{{Runtime, CoSigner}, {Runtime, Recovery}, {CoSigner, Recovery}} {
		links[ends[0]][ends[1]], links[ends[1]][ends[0]] = signer.Pipe()
	}
	var shares [partyCount]Keyshare
	var done sync.WaitGroup
	for i, role := range everyRole {
		done.Go(func() {
			pre, err := testPreParams(t, role), error(nil)
			if role == Runtime { // one of them finds its own primes, which is what costs minutes
				if pre, err = GeneratePreParams(t.Context(), nil); err != nil {
					t.Error(err)
					return
				}
			}
			shares[i], err = engine.Keygen(t.Context(), KeygenSession{ID: id, Wallet: "fresh", Self: role}, pre, links[role])
			if err != nil {
				t.Errorf("%s: %v", role, err)
			}
		})
	}
	done.Wait()
	if t.Failed() {
		return
	}
	if shares[0].PublicKey() != shares[1].PublicKey() || shares[1].PublicKey() != shares[2].PublicKey() {
		t.Error("the parties disagree about the public key")
	}
	a, b := pair(t, Runtime, Recovery, [32]byte{7})
	a.share, b.share = shares[0], shares[2]
	if oa, ob := signBoth(t, engine, a, b); oa.err != nil || ob.err != nil || !verifiedByTextbook(shares[1].PublicKey(), a.digest, oa.signature) {
		t.Errorf("the fresh key does not sign: %v; %v", oa.err, ob.err)
	}
}
