package cosigner

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

const (
	// roomMissesMax bounds deciding again because a budget filled up meanwhile.
	roomMissesMax = 4
	// reconcileEvery is the pause between two looks at the chain for a promise whose time is over.
	reconcileEvery = 5 * time.Second
)

// Arm promises one digest for a payment. Decision, reservation and promise become durable together, before the answer
// leaves.
func (c *CoSigner) Arm(ctx context.Context, request *abi.ArmRequest) (_ *abi.Armed, err error) {
	defer func() { c.refused(ctx, askedFor("arm", request.Intent), err) }()
	claim := claimed{intent: request.Intent, quote: request.Quote, approvals: request.Approvals, wallet: request.Wallet}
	if err := c.check(claim); err != nil {
		return nil, err
	}
	digest, err := preimage.Digest(request.Kind, request.Preimage)
	if err != nil {
		return nil, err
	}
	// A promise that exists stands, whatever became of the agent or its request since: asked again, it is the same.
	if before, err := c.promiseOf(ctx, request, digest); before != nil || err != nil {
		return before, err
	}
	if claim.signed, err = c.verify(ctx, claim.intent); err != nil {
		return nil, err
	}
	wallet, err := c.armWallet(ctx, request)
	if err != nil {
		return nil, err
	}
	j, release := c.judge.Acquire()
	defer release()
	transfer, err := c.decode(j, request, wallet)
	if err != nil {
		return nil, err
	}
	for range roomMissesMax {
		promise, err := c.promise(ctx, j, claim, request, wallet, transfer, digest)
		var full *store.NoRoomError
		if errors.As(err, &full) || errors.Is(err, store.ErrConflict) {
			if before, err := c.promiseOf(ctx, request, digest); before != nil || err != nil {
				return before, err
			}
			continue // decide again on fresh levels
		}
		return promise, err
	}
	return nil, &abi.Error{Code: "budget_contended", Where: request.Intent.Payment, Message: "the budgets kept changing while the co-signer decided", Retry: abi.RetryLater}
}

// promiseOf returns the promise that exists for the payment, when it is for the same digest. Any other digest is
// refused for ever: one payment, one digest.
func (c *CoSigner) promiseOf(ctx context.Context, request *abi.ArmRequest, digest [32]byte) (*abi.Armed, error) {
	row, err := c.config.Store.Row(ctx, c.config.Tenant, request.Intent.Payment)
	if isNotFound(err) || err == nil && !promised(row.State) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := readRecord(row)
	if err != nil {
		return nil, err
	}
	if string(row.Digest) != string(digest[:]) {
		return nil, &abi.Error{
			Code: "other_digest_armed", Where: row.ID, Message: "another digest is promised for this payment",
			Fix: "nothing was signed; a payment has one digest for ever",
		}
	}
	return r.Armed, nil
}

// decode reads what would be signed, natively, and compares every field with the intent.
func (c *CoSigner) decode(j *judge.Judge, request *abi.ArmRequest, wallet signer.Wallet) (preimage.Transfer, error) {
	transfer, err := preimage.Decode(request.Kind, request.Preimage, j.Tokens())
	if err != nil {
		return preimage.Transfer{}, err
	}
	if err := wallet.MaySign(transfer.Token.Asset.Network()); err != nil {
		return preimage.Transfer{}, err
	}
	now := uint64(c.config.Now().Unix()) //nolint:gosec // after 1970
	return transfer, preimage.Matches(transfer, request.Intent, wallet.Address, request.Entropy, now, j.ValidityMax(request.Intent.Agent))
}

// promise judges once and, when allowed, reserves and promises in one transaction.
func (c *CoSigner) promise(ctx context.Context, j *judge.Judge, claim claimed, request *abi.ArmRequest, wallet signer.Wallet, transfer preimage.Transfer, digest [32]byte) (*abi.Armed, error) {
	ruling, err := c.rule(ctx, j, claim)
	if err != nil {
		return nil, err
	}
	if ruling.Decision.Outcome != abi.Allow {
		if _, err := c.note(ctx, claim, ruling); err != nil {
			return nil, err
		}
		// A promise that another request made meanwhile stands: its own reservation may be what filled the budget.
		if before, err := c.promiseOf(ctx, request, digest); before != nil || err != nil {
			return before, err
		}
		return nil, &signer.Refused{Decision: &ruling.Decision}
	}
	row, err := c.config.Store.Row(ctx, c.config.Tenant, claim.intent.Payment)
	if isNotFound(err) { // armed without a consult: the row is made first, so that there is one to guard
		row, err = c.note(ctx, claim, ruling)
	}
	if err != nil {
		return nil, err
	}
	if promised(row.State) {
		return nil, store.ErrConflict
	}
	if err := c.checkPeer(ctx, j, claim, row, request); err != nil {
		return nil, err
	}
	promise, err := c.signPromise(ctx, request, ruling.Decision, wallet, transfer, digest)
	if err != nil {
		return nil, err
	}
	r := record{Decision: ruling.Decision, Armed: promise, Transfer: transfer}
	next, err := change(row, armed, r, "cosigner.armed", map[string]any{"armed": promise, "decision": ruling.Decision})
	if err != nil {
		return nil, err
	}
	next.Digest, next.Reserve, next.Due = digest[:], ruling.Reserve, expiry(r).Add(reconcileEvery)
	if _, err := c.config.Store.Commit(ctx, next); err != nil {
		return nil, err
	}
	c.sessions.promised(promise, expiry(r), c.config.Now())
	return promise, nil
}

func (c *CoSigner) signPromise(ctx context.Context, request *abi.ArmRequest, decision abi.Decision, wallet signer.Wallet, transfer preimage.Transfer, digest [32]byte) (*abi.Armed, error) {
	promise, err := signer.Promise(request, digest, transfer.ValidBefore)
	if err != nil {
		return nil, err
	}
	decisionHash, err := judge.DecisionHash(&decision)
	if err != nil {
		return nil, err
	}
	facts, err := c.config.Store.Facts(ctx, store.FactQuery{Tenant: c.config.Tenant})
	if err != nil {
		return nil, err
	}
	head, err := c.peer.Head(ctx, facts.Position)
	if err != nil {
		return nil, err
	}
	promise.CosignerPolicySHA256, promise.CosignerDecisionSHA256 = decision.PolicySHA256, decisionHash[:]
	promise.CosignerStore, promise.CosignerHead = c.config.Store.ID(), head.Bytes()
	promise.Path, promise.Epoch = wallet.Derivation.Path, uint64(wallet.Epoch)
	return promise, signer.SignArmed(promise, signer.RoleCoSigner, c.config.Identity)
}

func lower(address string) string { return strings.ToLower(address) }
