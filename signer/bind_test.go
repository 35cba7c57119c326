package signer

import (
	"crypto/rand"
	"testing"

	"github.com/purserhq/purser/abi"
)

// bound is a co-signer's session and the frame that an honest runtime binds it with.
func bound(t testing.TB) (Session, Frame, *pairing, *abi.Armed) {
	t.Helper()
	p := newPairing(t)
	parties := Parties{Runtime: Opening{1}, CoSigner: Opening{2}, RuntimeKey: p.ours.Public(), CoSignerKey: p.theirs.Public()}
	ours, err := NewSession(p.pair.config.Wallet, RoleRuntime, parties)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := NewSession(p.pair.config.Wallet, RoleCoSigner, parties)
	if err != nil {
		t.Fatal(err)
	}
	armed := p.armed(t)
	frame, err := BindFrame(ours, armed)
	if err != nil {
		t.Fatal(err)
	}
	return theirs, frame, p, armed
}

// accepts is what a co-signer does with a frame before it looks into its ledger.
func accepts(p *pairing, session Session, frame Frame) error {
	armed, _, err := ReadBind(session, frame)
	if err != nil {
		return err
	}
	if err := VerifyArmed(armed, RoleCoSigner, p.theirs.Public()); err != nil {
		return err
	}
	return VerifyArmed(armed, RoleRuntime, p.ours.Public())
}

func TestASessionIsBoundByItsOwnFrameWithARecordForItsKeyOnly(t *testing.T) {
	session, frame, p, _ := bound(t)
	if err := accepts(p, session, frame); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Session, *Frame){
		"of another session":       func(_ *Session, f *Frame) { f.Session[3] ^= 1 },
		"from another role":        func(_ *Session, f *Frame) { f.From = RoleRecovery },
		"reflected":                func(_ *Session, f *Frame) { f.From, f.To = f.To, f.From },
		"not the first":            func(_ *Session, f *Frame) { f.Seq = 1 },
		"of a protocol message":    func(_ *Session, f *Frame) { f.Type = "sign4-opening" },
		"without the hash":         func(_ *Session, f *Frame) { f.Armed = [32]byte{} },
		"with another hash":        func(_ *Session, f *Frame) { f.Armed[0] ^= 1 },
		"with no record":           func(_ *Session, f *Frame) { f.Body = []byte{0xff} },
		"for another wallet":       func(s *Session, f *Frame) { s.Wallet = "treasury"; f.Session = s.Binding() },
		"for another epoch":        func(s *Session, f *Frame) { s.Epoch++; f.Session = s.Binding() },
		"for a sibling's key":      func(s *Session, f *Frame) { s.Derivation.Path = "m/1/2"; f.Session = s.Binding() },
		"for another session's id": func(s *Session, _ *Frame) { s.ID[0] ^= 1 },
	} {
		s, f := session, frame
		edit(&s, &f)
		if err := accepts(p, s, f); abi.CodeOf(err) != CodeFrameInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzABentArmedFrameBindsNothing flips one bit of the encoded frame that carries the record.
func FuzzABentArmedFrameBindsNothing(f *testing.F) {
	session, frame, p, _ := bound(f)
	good, err := frame.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	for at := range len(good) {
		f.Add(uint32(at), uint8(at)) //nolint:gosec // a few hundred
	}
	f.Fuzz(func(t *testing.T, offset uint32, bit uint8) {
		bent := append([]byte(nil), good...)
		bent[int(offset)%len(bent)] ^= 1 << (bit % 8)
		var frame Frame
		if frame.UnmarshalBinary(bent) == nil && accepts(p, session, frame) == nil {
			t.Errorf("a session was bound by a frame with bit %d of byte %d flipped", bit%8, int(offset)%len(bent))
		}
	})
}

func TestASessionsIdHoldsBothOpeningsAndBothIdentities(t *testing.T) {
	identity := func() Identity {
		i, err := NewIdentity(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	good := Parties{Runtime: Opening{1}, CoSigner: Opening{2}, RuntimeKey: identity().Public(), CoSignerKey: identity().Public()}
	wallet := Wallet{ID: "main"}
	seen := map[[32]byte]string{}
	for name, parties := range map[string]Parties{
		"as it is":                  good,
		"another runtime's opening": {Opening{3}, good.CoSigner, good.RuntimeKey, good.CoSignerKey},
		"another of the co-signer":  {good.Runtime, Opening{3}, good.RuntimeKey, good.CoSignerKey},
		"exchanged openings":        {good.CoSigner, good.Runtime, good.RuntimeKey, good.CoSignerKey},
		"another runtime":           {good.Runtime, good.CoSigner, identity().Public(), good.CoSignerKey},
		"another co-signer":         {good.Runtime, good.CoSigner, good.RuntimeKey, identity().Public()},
		"exchanged identities":      {good.Runtime, good.CoSigner, good.CoSignerKey, good.RuntimeKey},
	} {
		session, err := NewSession(wallet, RoleRuntime, parties)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[session.ID]; taken {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[session.ID] = name
	}
	for name, parties := range map[string]Parties{
		"no opening of the runtime":   {CoSigner: good.CoSigner, RuntimeKey: good.RuntimeKey, CoSignerKey: good.CoSignerKey},
		"no opening of the co-signer": {Runtime: good.Runtime, RuntimeKey: good.RuntimeKey, CoSignerKey: good.CoSignerKey},
	} {
		if _, err := NewSession(wallet, RoleRuntime, parties); err == nil {
			t.Error(name)
		}
	}
	if _, err := NewSession(wallet, RoleRecovery, good); err == nil {
		t.Error("the recovery role opened a signing session")
	}
}
