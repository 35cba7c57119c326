package runtime

import (
	"bytes"
	"context"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/signer"
)

const (
	// presentationsMax bounds how often the same bytes go to one server.
	presentationsMax = 5
	// fateLooksMax and fatePause bound the wait for a claimed settlement to show on the chain.
	fateLooksMax = 8
	fatePause    = 250 * time.Millisecond
)

// sign runs the signing session over the armed digest and encodes the payment. Repeating it signs the same digest;
// once the authorization has expired only the chain can say what became of it, or a tombstone before anything left.
func (r *Runtime) sign(ctx context.Context, rules *Rules, p Payment) (Event, error) {
	if event := r.disclaim(ctx, p); event != nil {
		return event, nil
	}
	if r.expired(p) {
		return r.look(ctx, p)
	}
	// A frozen payment stays armed until the chain or a tombstone ends it; thawed in time, it is signed after all.
	if err := r.frozen(ctx, p); err != nil {
		return nil, err
	}
	if err := r.PeerStopped(ctx); err != nil {
		return nil, err
	}
	account, err := r.account(ctx, p)
	if err != nil {
		return nil, err
	}
	signature, err := account.Signer.Sign(ctx, p.Agent, p.Armed)
	if !signer.NothingLeft(err) { // a success included
		r.unsent.forget(p.ID)
	}
	if err != nil {
		return nil, err
	}
	// A freeze that only this side knows yet did not stop the co-signer: what came of the session goes nowhere.
	if err := r.frozen(ctx, p); err != nil {
		return nil, err
	}
	payload, err := r.assemble(ctx, rules, p, account, signature)
	if err != nil {
		return nil, err
	}
	header, err := r.config.Protocol.Payment(p.ID, *p.Offer, payload)
	if err != nil {
		return nil, err
	}
	return SignedNow{Header: header}, nil
}

// assemble has the chain adapter turn the signature into the payment. Its state is opaque, so another adapter than the
// one that prepared the payment, or one with another configuration, builds again: what it builds must be the same bytes
// that were signed. A run keeps its adapter until here; another one is what a run finds that takes a payment over.
func (r *Runtime) assemble(ctx context.Context, rules *Rules, p Payment, account Account, signature signer.Signature) ([]byte, error) {
	quote := p.Offer.Quote
	adapter, err := rules.adapterFor(abi.Network(quote.Network), quote.Scheme)
	if err != nil {
		return nil, err
	}
	id, state := p.Prepared.SigningID, p.Prepared.AdapterState
	if adapter.Module != p.Prepared.Adapter || adapter.Config != p.Prepared.AdapterConfig {
		intent, nonce := p.intent(), p.Prepared.Authorization.Nonce
		signing, rebuilt, err := adapter.build(ctx, r.chain(p), &abi.BuildRequest{
			Intent: &intent, Quote: &quote, Payer: account.Wallet.Address, Nonce: nonce[:],
			NowUnixS: uint64(r.config.Now().Unix()), ValidBeforeUnixS: p.Prepared.Authorization.ValidBefore, //nolint:gosec // after 1970
		})
		if err != nil {
			return nil, err
		}
		if signing.Kind != p.Prepared.Kind || !bytes.Equal(signing.Preimage, p.Prepared.Preimage) {
			return nil, &abi.Error{
				Code: "adapter_mismatch", Where: p.ID, Message: "the chain adapter that was swapped in builds other bytes than were signed",
				Fix: "load the earlier adapter until the payment is done",
			}
		}
		id, state = signing.ID, rebuilt
	}
	return adapter.assemble(ctx, &abi.AssembleRequest{State: state, Signatures: []abi.Signed{{ID: id, Signature: signature.Bytes()}}})
}

// present sends the stored bytes to the server and asks the chain what happened. Whatever the server says, the
// authorization is out from here on.
func (r *Runtime) present(ctx context.Context, _ *Rules, p Payment) (Event, error) {
	if p.Ask.HandOut {
		return HandedOut{}, nil
	}
	if r.expired(p) {
		return r.look(ctx, p)
	}
	presented, err := r.config.Protocol.Present(ctx, p.Ask.Resource, p.Header)
	if err != nil {
		if r.life.Err() != nil {
			return nil, err
		}
		presented = settle.Presented{Refusal: abi.CodeOf(err)}
	}
	return PresentedNow{Presented: presented, Fate: r.fate(ctx, p, presented.Claimed)}, nil
}

// fate asks the chain, a few times when the server claims that it shows there. No answer is "live": the money stays
// reserved, and reconciliation asks again.
func (r *Runtime) fate(ctx context.Context, p Payment, claimed bool) settle.Fate {
	looks := 1
	if claimed {
		looks = fateLooksMax
	}
	for range looks {
		fate, err := r.chain(p).Fate(ctx, p.Prepared.Authorization)
		if err == nil && fate.Life != abi.LifeLive {
			return fate
		}
		if err != nil {
			r.config.Log.WarnContext(ctx, "chain does not answer", "payment", p.ID, "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return settle.Fate{}
		case <-time.After(fatePause):
		}
	}
	return settle.Fate{}
}

// look is reconciliation where a failing chain is an error to retry.
func (r *Runtime) look(ctx context.Context, p Payment) (Event, error) {
	fate, err := r.chain(p).Fate(ctx, p.Prepared.Authorization)
	if err != nil {
		return nil, err
	}
	return Reconciled{Fate: fate}, nil
}

// reconcile is the work of an unknown payment. While the authorization lives, the same bytes are offered again: the
// first presentation may never have arrived.
func (r *Runtime) reconcile(ctx context.Context, rules *Rules, p Payment) (Event, error) {
	event, err := r.look(ctx, p)
	if err != nil {
		return nil, err
	}
	found, _ := event.(Reconciled)
	if found.Fate.Life != abi.LifeLive || p.Ask.HandOut || p.Response != nil || r.expired(p) || p.Presentations >= presentationsMax {
		return event, nil
	}
	return r.present(ctx, rules, p)
}

// deliver is the work of a settled payment: record that the agent has its answer, or ask the server for it once more
// with the same bytes. A server that keeps claims answers a known payment from its record.
func (r *Runtime) deliver(ctx context.Context, _ *Rules, p Payment) (Event, error) {
	if p.Response != nil || p.Ask.HandOut {
		return DeliveredNow{}, nil
	}
	presented, err := r.config.Protocol.Present(ctx, p.Ask.Resource, p.Header)
	if err != nil {
		if r.life.Err() != nil {
			return nil, err
		}
		return Undelivered{Presented: settle.Presented{Refusal: abi.CodeOf(err)}}, nil
	}
	if !delivers(presented) {
		return Undelivered{Presented: presented}, nil
	}
	return DeliveredNow{Response: &presented.Response}, nil
}

func (r *Runtime) expired(p Payment) bool {
	return uint64(r.config.Now().Unix()) >= p.Prepared.Authorization.ValidBefore //nolint:gosec // after 1970
}

func (r *Runtime) chain(p Payment) settle.Chain {
	return r.config.Chains[p.Prepared.Authorization.Asset.Network()]
}
