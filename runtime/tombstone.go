package runtime

import (
	"context"
	"sync"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// signTriesMax is how many sessions may fail for an armed payment before its money is asked back: seven seconds of pauses,
// in which a co-signer that only restarts is back.
const signTriesMax = 5

// disclaim asks the co-signer for its word that it never signs an armed payment, and returns nil where that would not
// be safe or is not given. Without it the payment waits for the chain, as if nobody had asked.
//
// Why a tombstone may free money. A signature needs the last message of both parties. The co-signer's leaves only after
// its row has gone from armed to spent; the tombstone exists only after the row has gone from armed to dead. Both are
// changes of one row at one version, so one of them happens, for ever and across restarts. With a tombstone, then, the
// co-signer's last message has not left and never will, and nobody but the co-signer itself can finish the signature,
// whatever we sent.
//
// Why that is not enough. A co-signer in an attacker's hands may sign a tombstone and finish the signature from our last
// message, if it has it: our budget would be free again and again while money moves. So we ask only for a payment whose
// last message has not left here, and that is known only of payments that this process armed and that nobody touched
// since: what an earlier or another process did with its share is not in the ledger. Those wait for the chain.
func (r *Runtime) disclaim(ctx context.Context, p Payment) Event {
	if !r.unsent.holds(p) || !r.expired(p) && !r.hopeless(p) {
		return nil
	}
	tombstone, err := r.config.CoSigner.Disclaim(ctx, p.Armed)
	if err == nil && tombstone == nil {
		err = &abi.Error{Code: "tombstone_invalid", Where: p.ID, Message: "the co-signer answered without a tombstone"}
	}
	if err == nil {
		err = signer.VerifyTombstone(tombstone, p.Armed, r.config.CoSignerKey)
	}
	if err != nil {
		r.config.Log.WarnContext(ctx, "the co-signer does not take its promise back; the chain will tell", "payment", p.ID, "code", abi.CodeOf(err), "error", err.Error())
		return nil
	}
	return Disclaimed{Tombstone: *tombstone}
}

// hopeless reports whether signing an armed payment that still lives is not worth another try. A co-signer that says
// "later", because it is busy or frozen, is tried as long as a signature would be of use.
func (r *Runtime) hopeless(p Payment) bool {
	later := p.Failure != nil && p.Failure.Retry == abi.RetryLater
	return p.Failures >= signTriesMax && !later || uint64(r.config.Now().Unix())+validityMin > p.Prepared.Authorization.ValidBefore //nolint:gosec // after 1970
}

// unsentMax bounds what unsentBook keeps. A ledger that other processes share can leave entries behind.
const unsentMax = 1 << 16

// unsentBook knows the armed payments of which our last message has certainly not left, by the version of their row: a
// version it does not know was made by somebody else, who may have signed. It is memory only, so a restart knows
// nothing, which is safe. Safe for concurrent use.
type unsentBook struct {
	mu sync.Mutex
	at map[string]uint64
}

// moved follows a change that this process made: arming begins the knowledge, another change of an armed payment keeps it.
func (b *unsentBook) moved(before Payment, event Event, after Payment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.at[before.ID]
	_, arming := event.(ArmedNow)
	switch {
	case arming:
		if b.at == nil || len(b.at) >= unsentMax {
			b.at = make(map[string]uint64) // to forget is safe
		}
		b.at[after.ID] = after.Version
	case ok && known == before.Version && after.State == Armed:
		b.at[after.ID] = after.Version
	default:
		delete(b.at, before.ID)
	}
}

// taken follows a deferral that this process made.
func (b *unsentBook) taken(before, after Payment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.at[before.ID]; ok && known == before.Version {
		b.at[before.ID] = after.Version
	}
}

func (b *unsentBook) holds(p Payment) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.at[p.ID]
	return ok && known == p.Version && p.State == Armed
}

// forget is for a payment of which our last message may have left.
func (b *unsentBook) forget(payment string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.at, payment)
}
