package signer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/purserhq/purser/abi"
)

// stub is an engine with the whole key, or with another one, whose result a test may bend.
type stub struct {
	claims, holds *secp256k1.PrivateKey
	bend          func(*Signature)
	err           error
	runs          int
}

func (s *stub) PublicKey() []byte { return s.claims.PubKey().SerializeUncompressed() }

func (s *stub) Sign(_ context.Context, _ Session, digest [32]byte, _ Transport, beforeLast func() error) (Signature, error) {
	s.runs++
	if err := errors.Join(s.err, beforeLast()); err != nil {
		return Signature{}, err
	}
	compact := ecdsa.SignCompact(s.holds, digest[:], false)
	signature := Signature{R: [32]byte(compact[1:33]), S: [32]byte(compact[33:65]), V: compact[0] - 27}
	if s.bend != nil {
		s.bend(&signature)
	}
	return signature, nil
}

// joiner is a co-signer that opens every session.
type joiner struct {
	err   error
	joins int
}

func (j *joiner) Consult(context.Context, *abi.ConsultRequest) (*abi.Decision, error) {
	return nil, j.err
}
func (j *joiner) Arm(context.Context, *abi.ArmRequest) (*abi.Armed, error) { return nil, j.err }
func (j *joiner) Join(context.Context, *abi.Armed, Opening, Transport) (Opening, error) {
	j.joins++
	return Opening{2}, j.err
}

func keyOf(name string) *secp256k1.PrivateKey {
	seed := sha256.Sum256([]byte("signer tests: worthless " + name))
	return secp256k1.PrivKeyFromBytes(seed[:])
}

// pairing is a runtime's signer over stubs, and a record that both sides signed.
type pairing struct {
	pair         *Pair
	engine       *stub
	cosigner     *joiner
	ours, theirs Identity
}

func newPairing(t testing.TB) *pairing {
	t.Helper()
	p := &pairing{engine: &stub{claims: keyOf("wallet"), holds: keyOf("wallet")}, cosigner: &joiner{}}
	var err error
	for _, identity := range []*Identity{&p.ours, &p.theirs} {
		if *identity, err = NewIdentity(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	p.pair, err = NewPair(PairConfig{
		Wallet: Wallet{ID: "main", PublicKey: p.engine.PublicKey()}, Engine: p.engine, CoSigner: p.cosigner,
		Identity: p.ours, CoSignerKey: p.theirs.Public(), Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pairing) armed(t testing.TB) *abi.Armed {
	t.Helper()
	digest := sha256.Sum256([]byte("digest"))
	armed := &abi.Armed{Domain: armedDomain, Payment: "pay_1", Digest: digest[:], Wallet: "main", ExpiresUnixS: 1}
	if err := errors.Join(SignArmed(armed, RoleCoSigner, p.theirs), SignArmed(armed, RoleRuntime, p.ours)); err != nil {
		t.Fatal(err)
	}
	return armed
}

func TestARecordThatBothSidesSignedIsSigned(t *testing.T) {
	p := newPairing(t)
	armed := p.armed(t)
	signature, err := p.pair.Sign(t.Context(), armed)
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Verify(p.engine.PublicKey(), [32]byte(armed.Digest)); err != nil {
		t.Error(err)
	}
}

func TestARecordThatOneSideDidNotSignOpensNoSession(t *testing.T) {
	p := newPairing(t)
	for name, edit := range map[string]func(*abi.Armed){
		"the co-signer did not":       func(a *abi.Armed) { a.CosignerSignature = nil },
		"the runtime did not":         func(a *abi.Armed) { a.RuntimeSignature = nil },
		"each signed for the other":   func(a *abi.Armed) { a.RuntimeSignature, a.CosignerSignature = a.CosignerSignature, a.RuntimeSignature },
		"the digest changed":          func(a *abi.Armed) { a.Digest = make([]byte, 32) },
		"the digest is short":         func(a *abi.Armed) { a.Digest = a.Digest[:31] },
		"the payment changed":         func(a *abi.Armed) { a.Payment = "pay_2" },
		"the wallet changed":          func(a *abi.Armed) { a.Wallet = "treasury" },
		"the store of a side changed": func(a *abi.Armed) { a.CosignerStore = "backup" },
		"the end changed":             func(a *abi.Armed) { a.ExpiresUnixS++ },
	} {
		armed := p.armed(t)
		edit(armed)
		_, err := p.pair.Sign(t.Context(), armed)
		if code := abi.CodeOf(err); code != "armed_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p.cosigner.joins != 0 || p.engine.runs != 0 {
		t.Errorf("%d sessions, %d runs", p.cosigner.joins, p.engine.runs)
	}
}

// A session that a compromised co-signer bends gives no signature to anybody.
func TestASignatureThatIsNotTheWalletsIsRefused(t *testing.T) {
	for name, edit := range map[string]func(*stub){
		"by another key": func(s *stub) { s.holds = keyOf("thief") },
		"another number": func(s *stub) { s.bend = func(g *Signature) { g.R[31] ^= 1 } },
		"the other half": func(s *stub) { s.bend = high },
		"another parity": func(s *stub) { s.bend = func(g *Signature) { g.V ^= 1 } },
		"no parity":      func(s *stub) { s.bend = func(g *Signature) { g.V = 27 } },
		"zeros":          func(s *stub) { s.bend = func(g *Signature) { *g = Signature{} } },
		"all bits set":   func(s *stub) { s.bend = func(g *Signature) { g.S = [32]byte{0: 0xff, 31: 0xff} } },
	} {
		p := newPairing(t)
		edit(p.engine)
		signature, err := p.pair.Sign(t.Context(), p.armed(t))
		if abi.CodeOf(err) != "signature_invalid" || signature != (Signature{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// high is the same signature's twin with the high s, which some verifiers take for another one.
func high(g *Signature) {
	var s secp256k1.ModNScalar
	s.SetBytes(&g.S)
	g.S = s.Negate().Bytes()
	g.V ^= 1
}

func TestARefusalOrABrokenSessionGivesNoSignature(t *testing.T) {
	away := errors.New("away")
	for name, edit := range map[string]func(*pairing){
		"the co-signer does not join": func(p *pairing) { p.cosigner.err = away },
		"the session breaks":          func(p *pairing) { p.engine.err = away },
	} {
		p := newPairing(t)
		edit(p)
		if signature, err := p.pair.Sign(t.Context(), p.armed(t)); !errors.Is(err, away) || signature != (Signature{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASignerIsNotMadeOverAnotherWalletsShare(t *testing.T) {
	p := newPairing(t)
	config := p.pair.config
	config.Engine = &stub{claims: keyOf("another"), holds: keyOf("another")}
	if _, err := NewPair(config); err == nil {
		t.Error("a share of another key was taken")
	}
}
