package facilitator

import (
	"context"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
)

// Codes of a Journal. Every other error means the journal could not be read or
// written, and then nothing may be broadcast.
const (
	// CodeJournalUnknown: no claim with this key exists.
	CodeJournalUnknown = "journal_claim_unknown"
	// CodeJournalConflict: the record contradicts what is already durable, such as a
	// second result, or a relayer nonce that another open claim holds.
	CodeJournalConflict = "journal_conflict"
)

// ClaimKey names one EIP-3009 authorization on one chain: the asset carries the
// network. A token lets one transfer happen per key, so we start one settlement
// per key.
type ClaimKey struct {
	// Asset is the canonical CAIP-19 id of the token.
	Asset abi.Asset
	// Payer is the authorization's "from".
	Payer evm.Address
	// Nonce is the authorization's nonce.
	Nonce evm.Hash
}

// Claim is everything needed to finish a settlement after a crash without the
// request that started it.
type Claim struct {
	Key ClaimKey
	// Fingerprint is the SHA-256 of signature and authorization. The same claim with
	// another fingerprint is another payload, and is told that the nonce is used.
	Fingerprint [32]byte
	// Payee and Amount are what the Transfer log must show.
	Payee  evm.Address
	Amount abi.Amount
	// ValidBefore is the Unix second at which the authorization dies.
	ValidBefore uint64
	// Relayer is the account that sends the transaction.
	Relayer evm.Address
	// CallData is the call of the token, for replacements with a higher fee.
	CallData []byte
	// FromBlock is a block before which the authorization was unused: the lower bound
	// when its log is searched.
	FromBlock uint64
	// At is when the claim was made, by the facilitator's clock, to the millisecond.
	At time.Time
}

// Attempt is one signed relayer transaction, durable before it is broadcast.
type Attempt struct {
	// RelayerNonce is the relayer account's transaction nonce. Replacements of one
	// settlement share it, so at most one of them can ever be mined.
	RelayerNonce uint64
	// Raw is the signed transaction as eth_sendRawTransaction takes it.
	Raw []byte
	// TxHash is its hash.
	TxHash evm.Hash
	// MaxFeeWei and TipWei are its fees per gas (EIP-1559).
	MaxFeeWei, TipWei abi.Amount
	// At is when it was signed, to the millisecond.
	At time.Time
}

// Result is how a settlement ended. It is recorded once and never changes.
type Result struct {
	// Success says that our transaction moved the amount from payer to payee.
	Success bool
	// Reason is the x402 error reason when Success is false.
	Reason string
	// TxHash is the transaction that used the authorization. On failure it may be
	// somebody else's; zero means none.
	TxHash evm.Hash
	// Block and BlockHash are where TxHash was mined.
	Block     uint64
	BlockHash evm.Hash
	// GasUsed is in gas units and FeeWei what the relayer paid.
	GasUsed uint64
	FeeWei  abi.Amount
	// At is when the result was seen, to the millisecond.
	At time.Time
}

// Settlement is a claim and all that happened to it.
type Settlement struct {
	Claim
	// Attempts are in the order they were recorded.
	Attempts []Attempt
	// Result is nil while the settlement is open.
	Result *Result
	// Delivered says that one caller has been told of success. A success is told
	// once: a second "success" would unlock a second resource for one payment.
	Delivered bool
}

// Journal is the durable memory of the relayer. Every method returns only after
// its effect would survive a crash. All methods may be called concurrently, and
// each is atomic. Implementations copy byte slices in and out. The conformance
// suite is settle/facilitator/journaltest.
type Journal interface {
	// Claim records the claim if its key is new and reports created; else it returns
	// the existing settlement unchanged. Two racing calls cannot both create.
	Claim(ctx context.Context, c Claim) (s Settlement, created bool, err error)
	// Find returns the settlement of a key, or found false.
	Find(ctx context.Context, key ClaimKey) (s Settlement, found bool, err error)
	// RecordAttempt appends a signed transaction to an open claim. Repeating the same
	// TxHash changes nothing. Code journal_claim_unknown, or journal_conflict when the
	// claim has a result or another open claim of the same relayer on the same network
	// holds RelayerNonce.
	RecordAttempt(ctx context.Context, key ClaimKey, a Attempt) error
	// RecordResult ends a claim. Repeating an equal result (At aside) changes nothing;
	// a different one is journal_conflict.
	RecordResult(ctx context.Context, key ClaimKey, r Result) error
	// Deliver marks a successful settlement as told and reports whether this call was
	// the first. Code journal_conflict when there is no successful result.
	Deliver(ctx context.Context, key ClaimKey) (first bool, err error)
	// Release forgets a claim for which nothing was ever signed, so that the payment
	// can be presented again. Code journal_conflict when it has an attempt or result.
	Release(ctx context.Context, key ClaimKey) error
	// ListOpen returns the claims of a relayer on a network that have no result,
	// ordered by the relayer nonce of their first attempt, those without any last.
	ListOpen(ctx context.Context, network abi.Network, relayer evm.Address) ([]Settlement, error)
}
