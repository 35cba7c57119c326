package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const (
	logSpanBlocksMax   = 2_000   // blocks of one search: what public nodes accept
	logSearchBlocksMax = 100_000 // blocks of all searches of one question
	logSearchDefault   = 20_000  // how far back without FromBlock
)

// Life is what an authorization can still do.
type Life uint8

const (
	// LifeUnknown: the chain could not be read well enough. It is the zero value, and
	// must be treated as live.
	LifeUnknown Life = iota
	// LifeLive: it can still move value, now or after a reorganisation.
	LifeLive
	// LifeUsed: it has moved value in the transaction named.
	LifeUsed
	// LifeDead: it can never move value: a finalized block is past its window and it
	// is unused, or its cancellation is finalized.
	LifeDead
)

var lifeNames = [...]string{LifeUnknown: "unknown", LifeLive: "live", LifeUsed: "used", LifeDead: "dead"}

// String returns "unknown", "live", "used" or "dead".
func (l Life) String() string {
	if int(l) < len(lifeNames) {
		return lifeNames[l]
	}
	return lifeNames[LifeUnknown]
}

// Authorization names an EIP-3009 authorization to ask about.
type Authorization struct {
	Asset abi.Asset
	Payer Address
	Nonce Hash
	// ValidBefore is the Unix second, by the chain's clock, from which it is refused.
	ValidBefore uint64
	// FromBlock is a block at which it was not used yet, such as the head before it was
	// signed: where a search for its use may begin. Zero searches the last 20,000.
	FromBlock uint64
}

// Liveness is the answer, with the evidence.
type Liveness struct {
	Life Life
	// TxHash and Block are where it was used or cancelled; zero otherwise.
	TxHash Hash
	Block  uint64
	// Final says that a used authorization was used at or below the finalized block.
	Final bool
	// Finalized is the finalized header the answer rests on.
	Finalized Header
}

// Liveness says whether an authorization can still move value. "Dead" is a promise
// that budget may be returned, so it needs a finalized block past the window by the
// chain's own clock, never ours, and never what a merchant says: anybody may submit
// the authorization until then. An answer of unknown comes with the error.
func (r *RPC) Liveness(ctx context.Context, a Authorization) (Liveness, error) {
	final, err := r.HeaderAt(ctx, Finalized)
	if err != nil {
		return Liveness{}, fmt.Errorf("read finalized block: %w", err)
	}
	head, err := r.HeaderAt(ctx, Latest)
	if err != nil {
		return Liveness{}, fmt.Errorf("read newest block: %w", err)
	}
	// A node that lags behind the one that answered before would show an old "unused".
	if head.Number < final.Number || head.Number == final.Number && head.Hash != final.Hash {
		return Liveness{}, badAnswer("eth_getBlockByNumber", errors.New("the newest block is not above the finalized one"))
	}
	answer := Liveness{Finalized: final}
	// Used never becomes unused on one branch, so unused at the head is unused at every
	// ancestor; nodes keep the head's state but often not the finalized block's.
	used, err := r.AuthorizationState(ctx, a.Asset, a.Payer, a.Nonce, AtBlock(head.Hash))
	if err != nil {
		return answer, fmt.Errorf("at the newest block: %w", err)
	}
	if !used {
		answer.Life = LifeLive
		if final.TimeUnixS >= a.ValidBefore {
			answer.Life = LifeDead
		}
		return answer, nil
	}
	use, err := r.findUse(ctx, a, head)
	if err != nil {
		return answer, fmt.Errorf("search for the use of nonce %s: %w", a.Nonce, err)
	}
	answer.TxHash, answer.Block, answer.Final = use.tx, use.block, use.block <= final.Number
	switch {
	case !use.cancelled:
		answer.Life = LifeUsed
	case answer.Final:
		answer.Life = LifeDead
	default:
		answer.Life = LifeLive // a cancellation that may be undone stops nothing yet
	}
	return answer, nil
}

type use struct {
	tx        Hash
	block     uint64
	cancelled bool
}

// FindUse returns the transaction that used an authorization. Codes: not_found when
// the searched blocks hold neither use nor cancellation, authorization_cancelled.
func (r *RPC) FindUse(ctx context.Context, a Authorization) (tx Hash, block uint64, err error) {
	head, err := r.HeaderAt(ctx, Latest)
	if err != nil {
		return Hash{}, 0, fmt.Errorf("read newest block: %w", err)
	}
	found, err := r.findUse(ctx, a, head)
	if err == nil && found.cancelled {
		err = &abi.Error{Code: "authorization_cancelled", Message: fmt.Sprintf("the authorization was cancelled in transaction %s", found.tx)}
	}
	if err != nil {
		return Hash{}, 0, err
	}
	return found.tx, found.block, nil
}

// findUse reads the token's log up to head, newest blocks first.
func (r *RPC) findUse(ctx context.Context, a Authorization, head Header) (use, error) {
	token, err := r.Contract(a.Asset)
	if err != nil {
		return use{}, err
	}
	from := a.FromBlock
	if from == 0 && head.Number > logSearchDefault {
		from = head.Number - logSearchDefault
	}
	if head.Number > logSearchBlocksMax {
		from = max(from, head.Number-logSearchBlocksMax)
	}
	for end := head.Number + 1; end > from; { // end is exclusive, so that block 0 needs no special case
		start := from
		if end-from > logSpanBlocksMax {
			start = end - logSpanBlocksMax
		}
		found, ok, err := r.useBetween(ctx, token, a, start, end-1)
		if err != nil || ok {
			return found, err
		}
		end = start
	}
	return use{}, &abi.Error{
		Code: "not_found", Message: fmt.Sprintf("blocks %d to %d hold no use of the nonce", from, head.Number),
		Retry: abi.RetryLater,
	}
}

func (r *RPC) useBetween(ctx context.Context, token Address, a Authorization, from, to uint64) (use, bool, error) {
	const method = "eth_getLogs"
	payer := Hash(addressWord(a.Payer))
	answer, err := r.call(ctx, method, map[string]any{
		"address": token.String(), "fromBlock": quantity(from), "toBlock": quantity(to),
		"topics": []any{[]string{topicAuthorizationUsed, topicAuthorizationCanceled}, payer.String(), a.Nonce.String()},
	})
	if err != nil {
		return use{}, false, err
	}
	var logs []logEntry
	if err := json.Unmarshal(answer, &logs); err != nil {
		return use{}, false, badAnswer(method, err)
	}
	for _, l := range logs {
		if l.Removed {
			continue
		}
		cancelled := l.is(topicAuthorizationCanceled, payer, a.Nonce)
		if l.Address != token || !cancelled && !l.is(topicAuthorizationUsed, payer, a.Nonce) {
			return use{}, false, badAnswer(method, errors.New("a log nobody asked for"))
		}
		block, err := uint64Of(l.Block)
		if err != nil || block < from || block > to {
			return use{}, false, badAnswer(method, errors.New("a log outside the range"))
		}
		return use{tx: l.TxHash, block: block, cancelled: cancelled}, true, nil
	}
	return use{}, false, nil
}
