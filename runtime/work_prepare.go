package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/signer"
)

// validityMin is the shortest authorization worth signing: facilitators refuse what ends within six seconds.
const validityMin = 10

// prepare asks the co-signer first, because an answer that takes long must not eat an authorization's validity, and
// then fixes nonce, expiry and preimage, once.
func (r *Runtime) prepare(ctx context.Context, rules *Rules, p Payment) (Event, error) {
	if agent, err := r.Agent(ctx, p.Agent); err != nil || agent.Revoked {
		return failedRevoked(err)
	}
	if event, err := r.denyFrozen(ctx, p); event != nil || err != nil {
		return event, err
	}
	if account, err := r.account(ctx, p); err == nil { // an error is build's to tell
		account.Signer.Expect(p.Agent) // its arithmetic overlaps with what the co-signer and the adapter do now
	}
	intent := p.intent()
	decision, err := r.consultFor(ctx, p.Agent, &abi.ConsultRequest{Intent: &intent, Quote: &p.Offer.Quote, Approvals: p.Approvals})
	if err != nil {
		return r.unanswered(p, err)
	}
	if decision.Outcome != abi.Allow {
		return CoSignerRefused{Decision: *decision}, nil
	}
	known, err := r.peer.Floor(ctx)
	if err != nil {
		return stopped(err)
	}
	preparation, err := r.build(ctx, rules, p)
	var refused *abi.Error
	if errors.As(err, &refused) && r.life.Err() == nil { // nothing is armed: an adapter that cannot build it denies it
		return failed(refused.Code, "prepare", refused.Message), nil
	}
	if err != nil {
		return nil, err
	}
	preparation.Peer = known
	return PreparedNow{CoDecision: *decision, Preparation: preparation}, nil
}

// build has the chain adapter make the preimage and takes its word for nothing: the host decodes the bytes and
// compares each field with the intent.
func (r *Runtime) build(ctx context.Context, rules *Rules, p Payment) (Preparation, error) {
	quote := p.Offer.Quote
	adapter, err := rules.adapterFor(abi.Network(quote.Network), quote.Scheme)
	if err != nil {
		return Preparation{}, err
	}
	account, err := r.account(ctx, p)
	if err != nil {
		return Preparation{}, err
	}
	head, err := r.headNow(ctx, abi.Network(quote.Network))
	if err != nil {
		return Preparation{}, err
	}
	entropy := make([]byte, preimage.EntropyBytes)
	if _, err := io.ReadFull(r.config.Random, entropy); err != nil {
		return Preparation{}, fmt.Errorf("read entropy: %w", err)
	}
	now := uint64(r.config.Now().Unix())                            //nolint:gosec // after 1970
	validity := min(quote.TimeoutS, uint64(p.Validity/time.Second)) //nolint:gosec // never negative
	if validity < validityMin {
		return Preparation{}, &abi.Error{Code: "quote_invalid", Where: "maxTimeoutSeconds", Message: fmt.Sprintf("the offer leaves %d s, less than the %d s a payment needs", validity, validityMin)}
	}
	intent := p.intent()
	nonce := preimage.Nonce(p.ID, entropy)
	signing, state, err := adapter.build(ctx, r.config.Chains[abi.Network(quote.Network)], &abi.BuildRequest{
		Intent: &intent, Quote: &quote, Payer: account.Wallet.Address, Nonce: nonce[:],
		NowUnixS: now, ValidBeforeUnixS: now + validity,
	})
	if err != nil {
		return Preparation{}, err
	}
	transfer, err := preimage.Decode(signing.Kind, signing.Preimage, rules.Judge.Tokens())
	if err != nil {
		return Preparation{}, err
	}
	if err := preimage.Matches(transfer, &intent, account.Wallet.Address, entropy, now, validity); err != nil {
		return Preparation{}, err
	}
	digest, err := preimage.Digest(signing.Kind, signing.Preimage)
	if err != nil {
		return Preparation{}, err
	}
	return Preparation{
		Kind: signing.Kind, Preimage: signing.Preimage, Digest: digest, Entropy: entropy,
		SigningID: signing.ID, AdapterState: state, Adapter: adapter.Module, AdapterConfig: adapter.Config,
		Authorization: settle.Authorization{
			Asset: transfer.Token.Asset, Payer: transfer.Payer, Payee: transfer.Payee,
			Amount: transfer.Amount, Nonce: transfer.Nonce, ValidBefore: transfer.ValidBefore, FromBlock: head.Number,
		},
	}, nil
}

// clockSkewMax is how far the clock may be from the chain's newest block: past it, windows and expiries mean nothing.
const clockSkewMax = 5 * time.Minute

// headNow reads the newest block, and refuses to go on when the clock and the chain disagree about the time.
func (r *Runtime) headNow(ctx context.Context, network abi.Network) (settle.Head, error) {
	head, err := r.config.Chains[network].Head(ctx)
	if err != nil {
		return settle.Head{}, err
	}
	if skew := r.config.Now().Sub(head.Time).Abs(); skew > clockSkewMax {
		return settle.Head{}, &abi.Error{
			Code: "clock_skew", Where: string(network), Message: fmt.Sprintf("this machine's clock and the newest block differ by %s, more than %s", skew.Round(time.Second), clockSkewMax),
			Fix: "set the clock, or use an RPC endpoint that follows the chain", Retry: abi.RetryLater,
		}
	}
	return head, nil
}

// arm asks the co-signer to promise the digest. Until it answers, nobody knows whether it did; the same request is
// repeated until it says so or the authorization would have expired. Our own share signs nothing before the armed
// row is durable, so an expired preparation can be denied.
func (r *Runtime) arm(ctx context.Context, _ *Rules, p Payment) (Event, error) {
	if uint64(r.config.Now().Unix())+validityMin > p.Prepared.Authorization.ValidBefore { //nolint:gosec // after 1970
		return failed("arm_expired", "arm", "the co-signer did not arm the payment in time"), nil
	}
	if agent, err := r.Agent(ctx, p.Agent); err != nil || agent.Revoked {
		return failedRevoked(err)
	}
	if event, err := r.denyFrozen(ctx, p); event != nil || err != nil {
		return event, err
	}
	account, err := r.account(ctx, p)
	if err != nil {
		return nil, err
	}
	request, err := r.armRequest(ctx, p, account.Wallet)
	if err != nil {
		return stopped(err)
	}
	armed, err := r.config.CoSigner.Arm(ctx, request)
	var refused *signer.Refused
	if errors.As(err, &refused) {
		return CoSignerRefused{Decision: *refused.Decision}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := r.checkArmed(armed, request, p, account.Wallet); err != nil {
		return nil, err
	}
	if err := r.checkPeer(ctx, p, armed); err != nil { // the promise is never signed: our word is not on it
		return stopped(err)
	}
	if err := signer.SignArmed(armed, signer.RoleRuntime, r.config.Identity); err != nil {
		return nil, err
	}
	return ArmedNow{Armed: *armed}, nil
}

func (r *Runtime) armRequest(ctx context.Context, p Payment, wallet signer.Wallet) (*abi.ArmRequest, error) {
	facts, err := r.config.Store.Facts(ctx, store.FactQuery{Tenant: p.Tenant})
	if err != nil {
		return nil, err
	}
	decision, err := judge.DecisionHash(p.Decision)
	if err != nil {
		return nil, err
	}
	head, err := r.peer.Head(ctx, facts.Position)
	if err != nil {
		return nil, err
	}
	intent := p.intent()
	return &abi.ArmRequest{
		Intent: &intent, Quote: &p.Offer.Quote, Approvals: p.Approvals,
		Kind: p.Prepared.Kind, Preimage: p.Prepared.Preimage, Entropy: p.Prepared.Entropy, Wallet: wallet.ID,
		RuntimePolicySHA256: p.Decision.PolicySHA256, RuntimeDecisionSHA256: decision[:],
		RuntimeStore: r.config.Store.ID(), RuntimeHead: head.Bytes(),
	}, nil
}

// checkArmed compares the co-signer's promise with what was asked for, and its key with the one the agent pays from.
func (r *Runtime) checkArmed(armed *abi.Armed, request *abi.ArmRequest, p Payment, wallet signer.Wallet) error {
	if err := signer.VerifyArmed(armed, signer.RoleCoSigner, r.config.CoSignerKey); err != nil {
		return err
	}
	want, err := signer.Promise(request, p.Prepared.Digest, p.Prepared.Authorization.ValidBefore)
	if err != nil {
		return err
	}
	want.CosignerPolicySHA256, want.CosignerDecisionSHA256 = armed.CosignerPolicySHA256, armed.CosignerDecisionSHA256
	want.CosignerStore, want.CosignerHead = armed.CosignerStore, armed.CosignerHead
	// A repeated request may name a later head of ours; the promise keeps the first.
	want.RuntimeHead = armed.RuntimeHead
	want.Path, want.Epoch = wallet.Derivation.Path, uint64(wallet.Epoch)
	if !signer.SameArmed(want, armed) {
		return &abi.Error{
			Code: "armed_mismatch", Where: p.ID, Message: "the co-signer armed something else than it was asked for",
			Fix: "nothing was signed; treat the co-signer as compromised",
		}
	}
	return nil
}
