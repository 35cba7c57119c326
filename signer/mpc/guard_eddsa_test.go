package mpc

import (
	"bytes"
	"math/big"
	"testing"

	"filippo.io/edwards25519"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/bnb-chain/tss-lib/v2/eddsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/eddsa/signing"
)

func edScalarKind() kind { return kind{name: "scalar", limit: edOrder} }
func edPointKind() kind  { return kind{name: "coordinate", limit: edField, point: true} }

// guardTable puts every hostile variant of every message of a protocol before a guard that is in that message's round.
// The sizes of whole messages are let through, so that the checks of their parts are what is tested.
func guardTable(
	t *testing.T, rules []rule, bodies map[string][]byte, layouts map[string]layout, newGuard func(t testing.TB, rules []rule, round int) *guard,
) {
	t.Helper()
	if len(layouts) != len(rules) {
		t.Fatalf("%d layouts for %d rules", len(layouts), len(rules))
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			body := bodies[r.name]
			if _, _, err := newGuard(t, rules, r.round).admit(CoSigner, frameFor(r.name, body)); err != nil {
				t.Fatalf("the honest message was refused: %v", err)
			}
			all := variants(t, body, layouts[r.name])
			for _, v := range all {
				_, _, err := newGuard(t, generousRules(rules), r.round).admit(CoSigner, frameFor(r.name, v.body))
				if err == nil {
					t.Errorf("%s was admitted", v.name)
					continue
				}
				wantCode(t, err, CodeMessageRefused)
			}
			long := append(bytes.Clone(body), make([]byte, r.bodyBytesMax)...)
			if _, _, err := newGuard(t, rules, r.round).admit(CoSigner, frameFor(r.name, long)); err == nil {
				t.Error("a message beyond the limit of its type was admitted")
			}
			t.Logf("%d hostile variants", len(all))
		})
	}
}

func edGuard(t testing.TB, rules []rule, round int) *guard {
	t.Helper()
	return guardAt(t, rules, &facts{self: Runtime}, round)
}

// bodiesOf are what the runtime received from the co-signer in a recorded ceremony.
func bodiesOf(t testing.TB, rec *tape, rules []rule) map[string][]byte {
	t.Helper()
	bodies := make(map[string][]byte)
	for _, r := range rules {
		bodies[r.name] = rec.from(t, Runtime, CoSigner, r.name)
	}
	return bodies
}

// edSession is what the co-signer sent in one honest signing session.
func edSession(t testing.TB) map[string][]byte {
	t.Helper()
	bodies := make(map[string][]byte)
	a, b := edPair(t, Runtime, CoSigner, []byte("recorded"))
	b.transport = meddler{Transport: b.transport, sent: func(f Frame) error { bodies[f.Type] = f.Body; return nil }}
	if oa, ob := edSignBoth(t, newEngine(t), a, b); oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	return bodies
}

func TestTheGuardRefusesEveryHostileEd25519KeygenMessage(t *testing.T) {
	edShares(t)
	h, s, xy := hashKind(), edScalarKind(), edPointKind()
	guardTable(t, edKeygenRules, bodiesOf(t, edWallet.tape, edKeygenRules), map[string]layout{
		"edkeygen1-commitment": {"commitment": {h}},
		"edkeygen2-share":      {"share": {s}},
		"edkeygen2-opening": {
			"de_commitment": {h, xy, xy, xy, xy}, "proof_alpha_x": {xy}, "proof_alpha_y": {xy}, "proof_t": {s},
		},
	}, edGuard)
}

func TestTheGuardRefusesEveryHostileEd25519SigningMessage(t *testing.T) {
	h, s, xy := hashKind(), edScalarKind(), edPointKind()
	guardTable(t, edSigningRules, edSession(t), map[string]layout{
		"edsign1-commitment": {"commitment": {h}},
		"edsign2-opening": {
			"de_commitment": {h, xy, xy}, "proof_alpha_x": {xy}, "proof_alpha_y": {xy}, "proof_t": {s},
		},
		edLastType: {"s": {s}},
	}, edGuard)
}

// outsideTheGroup are points of the curve that are not of prime order: the eight of small order, and a member of the
// group plus one of them.
func outsideTheGroup(t testing.TB) map[string]curvePoint {
	t.Helper()
	points := make(map[string]curvePoint)
	torsion, err := new(edwards25519.Point).SetBytes([]byte{ // a generator of the points of order 8
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	})
	if err != nil {
		t.Fatal(err)
	}
	multiple := edwards25519.NewIdentityPoint()
	for _, name := range []string{"0", "1", "2", "3", "4", "5", "6", "7"} {
		points["small order, multiple "+name] = edAffine(multiple)
		if name != "0" {
			points["the generator plus multiple "+name] = edAffine(new(edwards25519.Point).Add(edwards25519.NewGeneratorPoint(), multiple))
		}
		multiple = new(edwards25519.Point).Add(multiple, torsion)
	}
	if multiple.Equal(edwards25519.NewIdentityPoint()) != 1 {
		t.Fatal("the torsion point is not of order 8")
	}
	return points
}

func TestPointsOfSmallOrderNeverReachTheLibrary(t *testing.T) {
	edShares(t)
	opening := edWallet.tape.from(t, Runtime, CoSigner, "edkeygen2-opening")
	nonce := edSession(t)["edsign2-opening"]
	if !(edGroup{}).member(edGroup{}.baseTimes(bigOne)) {
		t.Fatal("the generator is not a member of its group")
	}
	for name, p := range outsideTheGroup(t) {
		x, y := p.x.Bytes(), p.y.Bytes()
		if (edGroup{}).member(p) {
			t.Errorf("%s counts as a member of the group", name)
		}
		for at := 1; at < 5; at += 2 {
			m := unpack(t, opening).Interface().(*keygen.KGRound2Message2)
			m.DeCommitment[at], m.DeCommitment[at+1] = x, y
			wantRefused(t, edKeygenRules, "edkeygen2-opening", m.ProtoReflect(), name)
		}
		m := unpack(t, opening).Interface().(*keygen.KGRound2Message2)
		m.ProofAlphaX, m.ProofAlphaY = x, y
		wantRefused(t, edKeygenRules, "edkeygen2-opening", m.ProtoReflect(), name)
		n := unpack(t, nonce).Interface().(*signing.SignRound2Message)
		n.DeCommitment[1], n.DeCommitment[2] = x, y
		wantRefused(t, edSigningRules, "edsign2-opening", n.ProtoReflect(), name)
	}
}

func wantRefused(t *testing.T, rules []rule, frameType string, m protoreflect.Message, name string) {
	t.Helper()
	_, _, err := edGuard(t, rules, ruleNamed(t, rules, frameType).round).admit(CoSigner, frameFor(frameType, pack(t, m)))
	if err == nil {
		t.Errorf("%s with %s was admitted", frameType, name)
	}
}

func TestOurEdwardsArithmeticAgreesWithTheLibrarys(t *testing.T) {
	for _, k := range []*big.Int{bigOne, big.NewInt(2), big.NewInt(8), new(big.Int).Sub(edOrder, bigOne), new(big.Int).Rsh(edOrder, 3)} {
		x, y := edCurve.ScalarBaseMult(k.Bytes())
		ours := edGroup{}.baseTimes(k)
		if !ours.equal(curvePoint{x, y}) || !ours.equal(edGroup{}.times(edGroup{}.baseTimes(bigOne), k)) {
			t.Errorf("%v times the generator differs", k)
		}
		decoded, err := edPublicPoint(edKeyBytes(ours))
		if err != nil || !decoded.equal(ours) {
			t.Errorf("%v times the generator does not survive its encoding: %v", k, err)
		}
	}
}
