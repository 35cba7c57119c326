package runtime

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

// newPeer makes the memory of the co-signer's ledger.
func newPeer(config Config) *peer.Memory {
	return peer.New(peer.Config{
		Store: config.Store, Tenant: config.Tenant, Peer: "co-signer", Pinned: config.CoSignerStore, Read: readPromise,
		Open: []string{string(Armed), string(Signed), string(Unknown)}, Log: config.Log,
	})
}

// readPromise finds the promises in this side's log. The co-signer makes each durable before it answers, so it must know
// the head of ours in every one we hold.
func readPromise(kind string, body []byte) (peer.Seen, bool, error) {
	if kind != "payment."+string(Armed) {
		return peer.Seen{}, false, nil
	}
	var entry struct {
		Armed *abi.Armed `json:"armed"`
	}
	if err := json.Unmarshal(body, &entry); err != nil {
		return peer.Seen{}, false, fmt.Errorf("read promise: %w", err)
	}
	if entry.Armed == nil {
		return peer.Seen{}, false, nil
	}
	theirs, err := signer.ReadHead(entry.Armed.CosignerHead)
	if err != nil { // made before heads told what they witnessed
		return peer.Seen{}, false, nil //nolint:nilerr // it binds nobody
	}
	ours, err := signer.ReadHead(entry.Armed.RuntimeHead)
	return peer.Seen{Store: entry.Armed.CosignerStore, Head: theirs.Position, Bound: ours.Position}, err == nil, nil
}

// checkPeer compares the co-signer's head in a promise with what was known when the payment was prepared.
func (r *Runtime) checkPeer(ctx context.Context, p Payment, armed *abi.Armed) error {
	facts, err := r.config.Store.Facts(ctx, store.FactQuery{Tenant: p.Tenant})
	if err != nil {
		return err
	}
	return r.peer.Check(ctx, p.ID, p.Prepared.Peer, armed.CosignerStore, armed.CosignerHead, facts.Position)
}

// AcceptPeerStore is an operator's word that the co-signer's ledger is id and has come to head, and ends a stop. It fails
// with code peer_unreconciled while the chain has not decided every payment that was armed.
func (r *Runtime) AcceptPeerStore(ctx context.Context, id string, head uint64) error {
	if err := r.peer.Accept(ctx, id, head); err != nil {
		return err
	}
	r.tail.wake()
	return nil
}

// PeerStopped returns why nothing is signed, or nil: the co-signer's ledger is not what it was.
func (r *Runtime) PeerStopped(ctx context.Context) error {
	_, err := r.peer.Floor(ctx)
	if peer.Stopped(err) {
		return err
	}
	return nil
}

// stopped turns a stop into the end of a payment that is not armed; any other error is one.
func stopped(err error) (Event, error) {
	if peer.Stopped(err) {
		return failed(abi.CodeOf(err), "ledgers", publicError(err).Message), nil
	}
	return nil, err
}
