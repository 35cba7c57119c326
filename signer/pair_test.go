package signer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/purserhq/purser/abi"
)

// stub is an engine with the whole key, or with another one, whose result a test may bend. It exchanges one frame each
// way before the digest and two after.
type stub struct {
	claims, holds *secp256k1.PrivateKey
	bend          func(*Signature)
	// prepareErr and signErr break a session in either part.
	prepareErr, signErr error
	prepares, signs     atomic.Int64
	// gate, when set, holds every Prepare until it can receive.
	gate chan struct{}
}

func (s *stub) PublicKey() []byte { return s.claims.PubKey().SerializeUncompressed() }

func (s *stub) Prepare(ctx context.Context, session Session, transport Transport) (Prepared, error) {
	s.prepares.Add(1)
	if s.prepareErr != nil {
		return nil, s.prepareErr
	}
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p := &stubPrepared{engine: s, session: session, transport: transport}
	return p, p.exchange(ctx, Frame{Type: "stub1", Body: []byte{1}})
}

type stubPrepared struct {
	engine    *stub
	session   Session
	transport Transport
}

func (p *stubPrepared) exchange(ctx context.Context, frame Frame) error {
	frame.Session, frame.From, frame.To = p.session.Binding(), p.session.Self, p.session.Peer
	if err := p.transport.Send(ctx, frame); err != nil {
		return err
	}
	got, err := p.transport.Receive(ctx)
	if err == nil && (got.Type != frame.Type || got.Session != frame.Session || got.Armed != frame.Armed) {
		err = errors.New("the other side runs another session")
	}
	return err
}

func (p *stubPrepared) Sign(ctx context.Context, digest, armed [32]byte, beforeLast func() error) (Signature, error) {
	p.engine.signs.Add(1)
	if p.engine.signErr != nil {
		return Signature{}, p.engine.signErr
	}
	if err := p.exchange(ctx, Frame{Type: "stub2", Body: []byte{2}, Seq: 1, Armed: armed}); err != nil {
		return Signature{}, err
	}
	if err := beforeLast(); err != nil {
		return Signature{}, err
	}
	if err := p.exchange(ctx, Frame{Type: "stub3", Body: []byte{3}, Seq: 2, Armed: armed}); err != nil {
		return Signature{}, err
	}
	compact := ecdsa.SignCompact(p.engine.holds, digest[:], false)
	signature := Signature{R: [32]byte(compact[1:33]), S: [32]byte(compact[33:65]), V: compact[0] - 27}
	if p.engine.bend != nil {
		p.engine.bend(&signature)
	}
	return signature, nil
}

// joiner is a co-signer that opens every session and signs whatever it is asked to.
type joiner struct {
	wallet       Wallet
	engine       *stub
	ours, theirs Identity
	life         context.Context

	mu    sync.Mutex
	err   error
	joins int
	agent []string
	// answer bends what Join says, atBind what happens to a session that is given its digest.
	answer func(*abi.SessionAnswer)
	atBind func(Transport) error
	// live counts sessions that have not ended.
	live atomic.Int64
}

func (j *joiner) Consult(context.Context, *abi.ConsultRequest) (*abi.Decision, error) {
	return nil, j.err
}
func (j *joiner) Arm(context.Context, *abi.ArmRequest) (*abi.Armed, error)     { return nil, j.err }
func (j *joiner) Disclaim(context.Context, *abi.Armed) (*abi.Tombstone, error) { return nil, j.err }

func (j *joiner) Join(_ context.Context, request *abi.SessionRequest, transport Transport) (*abi.SessionAnswer, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.joins++
	j.agent = append(j.agent, request.Agent)
	if j.err != nil {
		return nil, j.err
	}
	var opening Opening
	_, _ = rand.Read(opening[:]) // never fails, see crypto/rand
	wallet := j.wallet
	if wallet.ChainCode.set {
		derived, err := wallet.At(AgentPath("default", request.Agent))
		if err != nil {
			return nil, err
		}
		wallet = derived
	}
	session, err := NewSession(wallet, RoleCoSigner, Parties{
		Runtime: Opening(request.Opening), CoSigner: opening, RuntimeKey: j.ours.Public(), CoSignerKey: j.theirs.Public(),
	})
	if err != nil {
		return nil, err
	}
	atBind := j.atBind
	j.live.Add(1)
	go func() {
		defer j.live.Add(-1)
		defer func() { _ = transport.Close() }() // never fails
		_ = j.run(session, transport, atBind)    // the runtime's side is what is tested
	}()
	answer := &abi.SessionAnswer{Opening: opening[:], Path: wallet.Derivation.Path, Epoch: uint64(wallet.Epoch), ReadyMax: 2}
	if j.answer != nil {
		j.answer(answer)
	}
	return answer, nil
}

func (j *joiner) run(session Session, transport Transport, atBind func(Transport) error) error {
	prepared, err := j.engine.Prepare(j.life, session, transport)
	if err != nil {
		return err
	}
	frame, err := transport.Receive(j.life)
	if err != nil {
		return err
	}
	if atBind != nil {
		if err := atBind(transport); err != nil {
			return err
		}
	}
	armed, hash, err := ReadBind(session, frame)
	if err != nil {
		return err
	}
	_, err = prepared.Sign(j.life, [32]byte(armed.Digest), hash, func() error { return nil })
	return err
}

func (j *joiner) asked() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.agent...)
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
	clock        *testClock
}

func newPairing(t testing.TB) *pairing { return newPairingWith(t, nil) }

func newPairingWith(t testing.TB, edit func(*PairConfig)) *pairing {
	t.Helper()
	key := keyOf("wallet")
	p := &pairing{engine: &stub{claims: key, holds: key}, clock: &testClock{}}
	var err error
	for _, identity := range []*Identity{&p.ours, &p.theirs} {
		if *identity, err = NewIdentity(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	config := PairConfig{
		Wallet: Wallet{ID: "main", PublicKey: p.engine.PublicKey()}, Engine: p.engine,
		Identity: p.ours, CoSignerKey: p.theirs.Public(), Random: rand.Reader, Now: p.clock.now,
	}
	if edit != nil {
		edit(&config)
	}
	p.cosigner = &joiner{wallet: config.Wallet, engine: &stub{claims: key, holds: key}, ours: p.ours, theirs: p.theirs, life: t.Context()}
	config.CoSigner = p.cosigner
	if p.pair, err = NewPair(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.pair.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *pairing) armed(t testing.TB) *abi.Armed { return p.armedFor(t, "pay_1", "") }

func (p *pairing) armedFor(t testing.TB, payment, path string) *abi.Armed {
	t.Helper()
	digest := sha256.Sum256([]byte("digest of " + payment))
	armed := &abi.Armed{Domain: armedDomain, Payment: payment, Digest: digest[:], Wallet: "main", Path: path, ExpiresUnixS: 1}
	if err := errors.Join(SignArmed(armed, RoleCoSigner, p.theirs), SignArmed(armed, RoleRuntime, p.ours)); err != nil {
		t.Fatal(err)
	}
	return armed
}

func TestARecordThatBothSidesSignedIsSigned(t *testing.T) {
	p := newPairing(t)
	armed := p.armed(t)
	signature, err := p.pair.Sign(t.Context(), "shopper", armed)
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
		"the path changed":            func(a *abi.Armed) { a.Path = "m/1" },
		"the epoch changed":           func(a *abi.Armed) { a.Epoch++ },
		"the store of a side changed": func(a *abi.Armed) { a.CosignerStore = "backup" },
		"the end changed":             func(a *abi.Armed) { a.ExpiresUnixS++ },
	} {
		armed := p.armed(t)
		edit(armed)
		_, err := p.pair.Sign(t.Context(), "shopper", armed)
		if code := abi.CodeOf(err); code != "armed_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(p.cosigner.asked()) != 0 || p.engine.prepares.Load() != 0 {
		t.Errorf("%d sessions, %d prepared", len(p.cosigner.asked()), p.engine.prepares.Load())
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
		signature, err := p.pair.Sign(t.Context(), "shopper", p.armed(t))
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
		"the session breaks":          func(p *pairing) { p.engine.prepareErr = away },
		"it breaks when it is needed": func(p *pairing) { p.engine.signErr = away },
	} {
		p := newPairing(t)
		edit(p)
		if signature, err := p.pair.Sign(t.Context(), "shopper", p.armed(t)); !errors.Is(err, away) || signature != (Signature{}) {
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
