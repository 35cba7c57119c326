package ceremony

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/purserhq/purser/signer"
)

// run is one ceremony at one seat.
type run struct {
	*Seat
	plan Plan
	// session is the hash of the description: the three hellos, with everything that anybody said at the start.
	session [32]byte
	wallet  string
	terms   Terms
	states  [3]Status
	verdict verdict
}

// agree tells the others what we were asked for, know and have, and ends when all three have signed the same.
func (r *run) agree(ctx context.Context) error {
	own, err := r.ownHello(ctx)
	if err != nil {
		return err
	}
	r.begin()
	r.session = helloSession
	heard, err := r.exchange(ctx, messageHello, own.encode(), helloBytesMax)
	if err != nil {
		return err
	}
	var all [3]hello
	all[r.config.Self.Index()] = own
	for _, other := range r.others {
		h, ok := decodeHello(heard[other])
		if !ok {
			return refused(other, "its first message cannot be read")
		}
		all[other.Index()] = h
	}
	agreed, err := compare(all)
	if err != nil {
		return err
	}
	if err := r.adopt(all, agreed); err != nil {
		return err
	}
	return r.sign(ctx, describe(all))
}

func (r *run) ownHello(ctx context.Context) (hello, error) {
	var status Status
	var err error
	terms, known := r.plan.terms()
	if r.plan.Wallet != "" {
		if status, err = r.config.Shares.Status(r.plan.Wallet); err != nil {
			return hello{}, err
		}
		if r.plan.Operation != OperationKeygen {
			if terms, known, err = r.config.Shares.Terms(ctx, r.plan.Wallet); err != nil {
				return hello{}, err
			}
		}
	}
	nonce := make([]byte, nonceBytes)
	if _, err := io.ReadFull(r.config.Random, nonce); err != nil {
		return hello{}, fmt.Errorf("make nonce: %w", err)
	}
	own := newHello(r.plan, r.config.Keys, terms, known, status, nonce)
	if size := len(own.encode()); size > helloBytesMax {
		return hello{}, inputError("networks", "the description of this ceremony has more than %d bytes", helloBytesMax)
	}
	return own, nil
}

// adopt reads the states, and takes over what a seat without knowledge has to believe, if two others say it.
func (r *run) adopt(all [3]hello, agreed hello) error {
	for i, h := range all {
		status, ok := h.status()
		if !ok {
			return refused(signer.Role(i+1), "its state cannot be read")
		}
		r.states[i] = status
	}
	anybody := false
	for _, status := range r.states {
		anybody = anybody || status.Active != nil
	}
	if r.plan.Operation != OperationKeygen && !anybody {
		return nil // there is no wallet, and nothing to know about it
	}
	known := []int{fieldScheme, fieldNetworks, fieldPublicKey}
	if r.plan.Operation == OperationKeygen {
		known = known[:2]
	}
	for _, field := range known {
		if !vouched(all, field) {
			return differs(fieldNames[field], "only one seat knows it, and one is not enough to believe")
		}
	}
	terms, err := agreed.terms()
	r.terms = terms
	return err
}

// describe hashes the three hellos, by role. Each holds a fresh nonce, so the hash is fresh for whoever made one.
func describe(all [3]hello) [32]byte {
	data := []byte("purser.ceremony.v1")
	for _, h := range all {
		text := h.encode()
		data = binary.BigEndian.AppendUint32(data, uint32(len(text))) // #nosec G115 -- at most helloBytesMax
		data = append(data, text...)
	}
	return sha256.Sum256(data)
}

// sign exchanges signatures over the description, each for one receiver and one connection.
func (r *run) sign(ctx context.Context, description [32]byte) error {
	self := r.config.Self
	for _, other := range r.others {
		message := agreement(description, self, other, r.config.Links[other].Channel)
		if err := r.tell(ctx, other, messageAgreed, append(description[:], ed25519.Sign(r.key, message)...)); err != nil {
			return err
		}
	}
	for _, other := range r.others {
		body, err := r.hear(ctx, other, messageAgreed, sha256.Size+ed25519.SignatureSize)
		if err != nil {
			return err
		}
		if len(body) != sha256.Size+ed25519.SignatureSize {
			return refused(other, "its signature has the wrong length")
		}
		if string(body[:sha256.Size]) != string(description[:]) {
			return refused(other, "it describes another ceremony: one seat told the two others different things")
		}
		if !ed25519.Verify(r.config.Keys[other], agreement(description, other, self, r.config.Links[other].Channel), body[sha256.Size:]) {
			return refused(other, "it cannot sign with the key that this host's configuration names for it")
		}
	}
	r.begin()
	r.session = description
	if r.wallet = r.plan.Wallet; r.wallet == "" {
		r.wallet = "pool-" + hex.EncodeToString(description[:12])
	}
	return nil
}

func agreement(description [32]byte, from, to signer.Role, channel [32]byte) []byte {
	message := append([]byte("purser.ceremony.agreed.v1"), description[:]...)
	message = append(message, byte(from), byte(to))
	return append(message, channel[:]...)
}
