package mpc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/purserhq/purser/signer"
)

// EpochTest names the proof that the shares of a new epoch sign for the wallet: one test signature by each of the three
// pairs of roles. All three hold equal tests but for Self.
type EpochTest struct {
	// ID is single use and unpredictable, as in [Session].
	ID     [32]byte
	Wallet string
	// Epoch is the new one.
	Epoch uint32
	// PublicKey is the wallet's key of our own record, as in [ReshareSession].
	PublicKey []byte
	Self      Role
}

// Digest is what is signed: a hash under a name of its own, so that the signature authorizes nothing anywhere.
//
//	SHA-256("purser.epoch-test.v1" | length(4) wallet | epoch(4) | length(4) public key)
func (t EpochTest) Digest() [32]byte {
	data := []byte("purser.epoch-test.v1")
	data = binary.BigEndian.AppendUint32(data, uint32(len(t.Wallet))) // #nosec G115 -- at most signer.WalletBytesMax
	data = append(data, t.Wallet...)
	data = binary.BigEndian.AppendUint32(data, t.Epoch)
	data = binary.BigEndian.AppendUint32(data, uint32(len(t.PublicKey))) // #nosec G115 -- 65 or 32
	data = append(data, t.PublicKey...)
	return sha256.Sum256(data)
}

// epochPairs are the pairs, in the order in which they sign: every role knows when it is its turn.
var epochPairs = [...][2]Role{{Runtime, CoSigner}, {Runtime, Recovery}, {CoSigner, Recovery}}

// pairs are the sessions of the two pairs Self is in, each over the link to the other role.
func (t EpochTest) pairs() []Session {
	var sessions []Session
	for _, pair := range epochPairs {
		data := append([]byte("purser.epoch-test.session.v1"), t.ID[:]...)
		session := Session{ID: sha256.Sum256(append(data, byte(pair[0]), byte(pair[1]))), Wallet: t.Wallet, Epoch: t.Epoch, Self: t.Self}
		if i := slices.Index(pair[:], t.Self); i >= 0 {
			session.Peer = pair[1-i]
			sessions = append(sessions, session)
		}
	}
	return sessions
}

func (t EpochTest) check(held Role, heldKey []byte, links map[Role]Transport) error {
	if err := signer.CheckSessionName(t.ID, t.Wallet); err != nil {
		return err
	}
	if err := checkLinks(t.Self, links); err != nil {
		return err
	}
	if held != t.Self || !bytes.Equal(heldKey, t.PublicKey) {
		return inputError("keyshare", "the keyshare belongs to another role, or to another key than the wallet's")
	}
	return nil
}

// ProveEpoch runs this party's side of the two test signatures it takes part in. When it has returned nil at all three
// roles, every pair of new shares signs under the wallet's key, and the epoch can be committed to.
func (e *Engine) ProveEpoch(ctx context.Context, test EpochTest, share Keyshare, links map[Role]Transport) error {
	heldKey := share.PublicKey().Uncompressed()
	if err := test.check(share.Role(), heldKey[:], links); err != nil {
		return err
	}
	digest := test.Digest()
	for _, session := range test.pairs() {
		prepared, err := e.Prepare(ctx, session, share, links[session.Peer])
		if err != nil {
			return err
		}
		// The test is its own record: there is no spend that could be made durable.
		signature, err := prepared.Sign(ctx, digest, digest, nothingToRecord)
		if err != nil {
			return err
		}
		if err := signature.Verify(test.PublicKey, digest); err != nil {
			return signatureError()
		}
	}
	return nil
}

// ProveEpochEdDSA is [Engine.ProveEpoch] for an Ed25519 wallet; the message is the digest's 32 bytes.
func (e *Engine) ProveEpochEdDSA(ctx context.Context, test EpochTest, share EdKeyshare, links map[Role]Transport) error {
	heldKey := share.PublicKey()
	if err := test.check(share.Role(), heldKey[:], links); err != nil {
		return err
	}
	digest := test.Digest()
	for _, session := range test.pairs() {
		// The result has been verified under the share's key, which is the wallet's.
		if _, err := e.SignEdDSA(ctx, session, share, digest[:], digest, links[session.Peer], nothingToRecord); err != nil {
			return err
		}
	}
	return nil
}

func nothingToRecord() error { return nil }
