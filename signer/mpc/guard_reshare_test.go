package mpc

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/resharing"
)

// reshareGuards makes guards of the runtime in a resharing whose share it has lost, in which the co-signer has shown its
// moduli before the third round.
func reshareGuards(t testing.TB) func(testing.TB, []rule, int) *guard {
	t.Helper()
	_, rec := reshared(t)
	state := reshareState(t)
	first := unpack(t, rec.from(t, Runtime, CoSigner, reshareFirstType)).Interface().(*resharing.DGRound1Message)
	state.ssid = first.GetSsid()
	theirs := testPreParams(t, CoSigner).secret.numbers
	own := testPreParams(t, Runtime)
	return func(t testing.TB, rules []rule, round int) *guard {
		t.Helper()
		f := own.facts(Runtime)
		if round > 2 {
			f.paillier[CoSigner], f.ring[CoSigner] = theirs.PaillierSK.N, theirs.NTildei
		}
		mine := state.rules()
		for i := range mine {
			mine[i].bodyBytesMax = rules[i].bodyBytesMax
		}
		return guardAt(t, mine, f, round)
	}
}

func reshareState(t testing.TB) *resharingFacts {
	t.Helper()
	session, _ := demoReshare(t, [32]byte{1}, Runtime, CoSigner, Recovery)
	state := &resharingFacts{group: secpGroup{}, session: session, key: demoShare(t, Runtime).secret.key}
	for _, p := range demoShare(t, Runtime).secret.parties {
		state.retired = append(state.retired, p.paillier, p.ring)
	}
	return state
}

func reshareLayouts(t testing.TB) map[string]layout {
	t.Helper()
	peer, own := testPreParams(t, CoSigner).secret.numbers, testPreParams(t, Runtime).secret.numbers
	n, ring := peer.PaillierSK.N, own.NTildei
	peerUnit, peerRing := unitKind(n), unitKind(peer.NTildei)
	peerUnit.prime, peerRing.prime = peer.PaillierSK.P, safePrime(peer.P)
	h, xy := hashKind(), pointKind()
	return map[string]layout{
		reshareFirstType:           {"ecdsa_pub_x": {xy}, "ecdsa_pub_y": {xy}, "v_commitment": {h}, "ssid": {h}},
		"reshare2-new-old-ready":   {},
		"reshare2-new-new-moduli":  moduliLayout(peerUnit, peerRing),
		"reshare3-old-new-share":   {"share": {scalarKind()}},
		"reshare3-old-new-opening": {"v_decommitment": {h, xy, xy, xy, xy}},
		"reshare4-new-new-factors": {"facProof": facLayout(n, ring)},
		"reshare4-new-all-done":    {},
	}
}

func TestTheGuardRefusesEveryHostileResharingMessage(t *testing.T) {
	_, rec := reshared(t)
	rules := reshareState(t).rules()
	guardTable(t, rules, bodiesOf(t, rec, rules), reshareLayouts(t), reshareGuards(t))
}

func TestAResharingRefusesAnotherKeyAnotherCommitteeAndOldModuli(t *testing.T) {
	_, rec := reshared(t)
	guards, rules := reshareGuards(t), reshareState(t).rules()
	other := demoShare(t, Runtime).secret.parties[0]
	admit := func(frameType string, body []byte) error {
		_, _, err := guards(t, rules, ruleNamed(t, rules, frameType).round).admit(CoSigner, frameFor(frameType, body))
		return err
	}
	first := func(change func(*resharing.DGRound1Message)) error {
		m := unpack(t, rec.from(t, Runtime, CoSigner, reshareFirstType)).Interface().(*resharing.DGRound1Message)
		change(m)
		return admit(reshareFirstType, pack(t, m.ProtoReflect()))
	}
	moduli := func(change func(*resharing.DGRound2Message1)) error {
		m := unpack(t, rec.from(t, Runtime, CoSigner, "reshare2-new-new-moduli")).Interface().(*resharing.DGRound2Message1)
		change(m)
		return admit("reshare2-new-new-moduli", pack(t, m.ProtoReflect()))
	}
	own := testPreParams(t, Runtime).secret.numbers
	short := new(big.Int).Rsh(own.NTildei, 1024)
	tests := map[string]struct{ got, want error }{
		"another key": {first(func(m *resharing.DGRound1Message) {
			m.EcdsaPubX, m.EcdsaPubY = other.share.x.Bytes(), other.share.y.Bytes()
		}), errOtherKey},
		"another committee":      {first(func(m *resharing.DGRound1Message) { m.Ssid[0] ^= 1 }), errOtherSSID},
		"no view of a committee": {first(func(m *resharing.DGRound1Message) { m.Ssid = nil }), errMissingFields},
		"our modulus":            {moduli(func(m *resharing.DGRound2Message1) { m.PaillierN = own.PaillierSK.N.Bytes() }), errSameModulus},
		"our ring":               {moduli(func(m *resharing.DGRound2Message1) { m.NTilde = own.NTildei.Bytes() }), errSameModulus},
		"one modulus for both":   {moduli(func(m *resharing.DGRound2Message1) { m.NTilde = m.PaillierN }), errSameModulus},
		"a short modulus":        {moduli(func(m *resharing.DGRound2Message1) { m.PaillierN = short.Bytes() }), errModulus},
		"a short ring":           {moduli(func(m *resharing.DGRound2Message1) { m.NTilde = short.Bytes() }), errModulus},
		"an even modulus":        {moduli(func(m *resharing.DGRound2Message1) { m.PaillierN[255] &^= 1 }), errModulus},
		"equal bases":            {moduli(func(m *resharing.DGRound2Message1) { m.H2 = m.H1 }), errTrivial},
	}
	for name, test := range tests {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: got %v, want %v", name, test.got, test.want)
		}
	}
	state := reshareState(t)
	f := testPreParams(t, Runtime).facts(Runtime)
	m := unpack(t, rec.from(t, Runtime, CoSigner, "reshare2-new-new-moduli")).Interface().(*resharing.DGRound2Message1)
	state.retired = append(state.retired, testPreParams(t, CoSigner).secret.numbers.NTildei)
	if err := state.checkModuli(f, CoSigner, m); !errors.Is(err, errRetired) {
		t.Errorf("a modulus of the old epoch: %v", err)
	}
}

func TestTheGuardRefusesEveryHostileEd25519ResharingMessage(t *testing.T) {
	shares, rec := edReshared(t)
	point := shares[0].secret.key
	state := &resharingFacts{group: edGroup{}, key: point}
	h, s, xy := hashKind(), edScalarKind(), edPointKind()
	rules := state.edRules()
	guardTable(t, rules, bodiesOf(t, rec, rules), map[string]layout{
		"edreshare1-old-new-commitment": {"eddsa_pub_x": {xy}, "eddsa_pub_y": {xy}, "v_commitment": {h}},
		"edreshare2-new-old-ready":      {},
		"edreshare3-old-new-share":      {"share": {s}},
		"edreshare3-old-new-opening":    {"v_decommitment": {h, xy, xy, xy, xy}},
		"edreshare4-new-all-done":       {},
	}, edGuard)
}

func TestReshareRefusesUnusableInput(t *testing.T) {
	engine := newEngine(t)
	tests := map[string]func(*ReshareSession, *Keyshare, *PreParams, map[Role]Transport){
		"no id":          func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.ID = [32]byte{} },
		"no wallet":      func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.Wallet = "" },
		"the same epoch": func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.To = s.From },
		"one old role":   func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.Old = []Role{Runtime} },
		"an old role twice": func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) {
			s.Old = []Role{Runtime, Runtime}
		},
		"old roles unsorted": func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) {
			s.Old = []Role{CoSigner, Runtime}
		},
		"an unknown old role":  func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.Old = []Role{Runtime, 4} },
		"the zero old role":    func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.Old = []Role{0, Runtime} },
		"no share to hand on":  func(_ *ReshareSession, k *Keyshare, _ *PreParams, _ map[Role]Transport) { *k = Keyshare{} },
		"another's share":      func(_ *ReshareSession, k *Keyshare, _ *PreParams, _ map[Role]Transport) { *k = demoShare(t, CoSigner) },
		"another key":          func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.PublicKey[64] ^= 1 },
		"no key":               func(s *ReshareSession, _ *Keyshare, _ *PreParams, _ map[Role]Transport) { s.PublicKey = nil },
		"no pre-parameters":    func(_ *ReshareSession, _ *Keyshare, p *PreParams, _ map[Role]Transport) { *p = PreParams{} },
		"spent pre-parameters": func(_ *ReshareSession, _ *Keyshare, p *PreParams, _ map[Role]Transport) { p.secret.spent.Store(true) },
		"one link":             func(_ *ReshareSession, _ *Keyshare, _ *PreParams, l map[Role]Transport) { delete(l, Recovery) },
		"the old epoch's primes": func(_ *ReshareSession, _ *Keyshare, p *PreParams, _ map[Role]Transport) {
			p.secret.numbers.NTildei = demoShare(t, Runtime).secret.parties[1].ring
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			session, share := demoReshare(t, freshID(), Runtime, everyRole[:]...)
			pre, own := testPreParams(t, Runtime), newTrio()[Runtime]
			session.Old = slices.Clone(session.Old)
			change(&session, &share, &pre, own)
			_, err := engine.Reshare(t.Context(), session, share, pre, own)
			wantCode(t, err, CodeInputInvalid)
		})
	}
	t.Run("a lost share and a key off the curve", func(t *testing.T) {
		session, _ := demoReshare(t, freshID(), Runtime, CoSigner, Recovery)
		session.PublicKey[64] ^= 1
		_, err := engine.Reshare(t.Context(), session, Keyshare{}, testPreParams(t, Runtime), newTrio()[Runtime])
		wantCode(t, err, CodeInputInvalid)
	})
}

func edReshare(
	t testing.TB, engine *Engine, links trio, old ...Role,
) ([partyCount]EdKeyshare, [partyCount]error) {
	t.Helper()
	shares, id := edShares(t), freshID()
	var fresh [partyCount]EdKeyshare
	failures := links.everywhere(t, func(ctx context.Context, role Role, own map[Role]Transport) (err error) {
		session, share := edReshareSession(shares, id, role, old...)
		fresh[role.Index()], err = engine.ReshareEdDSA(ctx, session, share, own)
		return err
	})
	return fresh, failures
}

func edReshareSession(shares [partyCount]EdKeyshare, id [32]byte, role Role, old ...Role) (ReshareSession, EdKeyshare) {
	key := shares[0].PublicKey()
	session := ReshareSession{ID: id, Wallet: "ed", From: 0, To: 1, Old: old, PublicKey: key[:], Self: role}
	if !session.isOld(role) {
		return session, EdKeyshare{}
	}
	return session, shares[role.Index()]
}

func edReshared(t testing.TB) ([partyCount]EdKeyshare, *tape) {
	t.Helper()
	links := newTrio()
	rec := links.record()
	shares, failures := edReshare(t, newEngine(t), links, CoSigner, Recovery)
	wantNoErrors(t, failures)
	return shares, rec
}
