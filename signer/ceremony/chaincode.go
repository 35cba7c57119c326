package ceremony

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/purserhq/purser/signer"
)

const contributionBytes = 32

// chainCode makes, carries over or hands over the chain code of a derived wallet, between the two signers. The recovery
// role never gets it. old is what this seat has.
func (r *run) chainCode(ctx context.Context, old signer.ChainCode) (signer.ChainCode, error) {
	self := r.config.Self
	if r.terms.Chain == chainNone || self == signer.RoleRecovery {
		return signer.ChainCode{}, nil
	}
	other := signer.RoleRuntime
	if self == other {
		other = signer.RoleCoSigner
	}
	switch {
	case r.plan.Operation == OperationKeygen:
		return r.makeChainCode(ctx, other)
	case r.plan.Lost == self:
		return r.takeChainCode(ctx, other)
	case r.plan.Lost == other:
		code, set := old.Reveal()
		if !set {
			return old, inconsistent("the wallet has derived keys and this seat has no chain code")
		}
		defer clear(code[:])
		return old, r.tell(ctx, other, messageChainCode, code[:])
	default:
		return old, nil
	}
}

// makeChainCode hashes a contribution of each signer. Both are committed to before either is shown: one of the two alone
// cannot choose the code, and with it the keys of agents.
func (r *run) makeChainCode(ctx context.Context, other signer.Role) (signer.ChainCode, error) {
	own := make([]byte, contributionBytes)
	if _, err := io.ReadFull(r.config.Random, own); err != nil {
		return signer.ChainCode{}, fmt.Errorf("make chain code: %w", err)
	}
	defer clear(own)
	commitment := r.chainCommitment(r.config.Self, own)
	if err := r.tell(ctx, other, messageChainCommit, commitment[:]); err != nil {
		return signer.ChainCode{}, err
	}
	theirs, err := r.hear(ctx, other, messageChainCommit, sha256.Size)
	if err != nil {
		return signer.ChainCode{}, err
	}
	if err := r.tell(ctx, other, messageChainReveal, own); err != nil {
		return signer.ChainCode{}, err
	}
	shown, err := r.hear(ctx, other, messageChainReveal, contributionBytes)
	if err != nil {
		return signer.ChainCode{}, err
	}
	defer clear(shown)
	promised := r.chainCommitment(other, shown)
	if len(shown) != contributionBytes || subtle.ConstantTimeCompare(promised[:], theirs) != 1 {
		return signer.ChainCode{}, refused(other, "its part of the chain code is not the one it committed to")
	}
	first, second := own, shown
	if r.config.Self == signer.RoleCoSigner {
		first, second = shown, own
	}
	data := append([]byte("purser.chain-code.v1"), r.session[:]...)
	data = append(append(data, first...), second...)
	defer clear(data)
	return signer.NewChainCode(sha256.Sum256(data)), nil
}

func (r *run) chainCommitment(role signer.Role, contribution []byte) [32]byte {
	data := append([]byte("purser.chain-code.commitment.v1"), r.session[:]...)
	data = append(append(data, byte(role)), contribution...)
	defer clear(data)
	return sha256.Sum256(data)
}

// takeChainCode gets the code from the other signer. Its tag is in the description; only that signer knew it.
func (r *run) takeChainCode(ctx context.Context, other signer.Role) (signer.ChainCode, error) {
	body, err := r.hear(ctx, other, messageChainCode, contributionBytes)
	if err != nil {
		return signer.ChainCode{}, err
	}
	defer clear(body)
	if len(body) != contributionBytes {
		return signer.ChainCode{}, refused(other, "the chain code has the wrong length")
	}
	code := signer.NewChainCode([32]byte(body))
	if ChainTag(code) != r.terms.Chain {
		return signer.ChainCode{}, refused(other, "the chain code is not the one it described")
	}
	return code, nil
}
