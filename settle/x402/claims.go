package x402

import (
	"context"
	"net/http"
	"time"

	"github.com/purserhq/purser/abi"
)

// The codes of a Claims. Every other error means that the store could not be read
// or written, and then no handler may run and nothing may be settled.
const (
	// CodeClaimUnknown: no claim with this key exists.
	CodeClaimUnknown = "claim_unknown"
	// CodeClaimConflict: the change contradicts what is already durable.
	CodeClaimConflict = "claim_conflict"
)

// ClaimKey names one authorization: a token lets it be used once, and a merchant
// runs one handler for it, once.
type ClaimKey struct {
	// Asset is the canonical CAIP-19 id of the token; it carries the network.
	Asset abi.Asset
	// Payer is the authorization's "from" in lower case.
	Payer string
	// Nonce is the authorization's nonce.
	Nonce [32]byte
}

// Claim ties a payment to the one request it buys.
type Claim struct {
	Key ClaimKey
	// Request is the SHA-256 of method, URL and body. The same payment with another
	// request is refused.
	Request [32]byte
	// Payment is the SHA-256 of the payment's JSON text as it was received. Knowing
	// what the chain shows of a payment is not enough to ask for its answer again.
	Payment [32]byte
	// ValidBefore is the Unix second at which the authorization dies.
	ValidBefore uint64
	// At is when the claim was made, to the millisecond.
	At time.Time
}

// ClaimState is how far a claimed payment has come.
type ClaimState uint8

const (
	// ClaimRunning: the handler may have run, wholly or in part. A crash leaves the
	// claim here and nothing ever runs it again.
	ClaimRunning ClaimState = iota + 1
	// ClaimAnswered: the handler's answer is kept, the settlement is outstanding.
	ClaimAnswered
	// ClaimFinished: the final answer is kept.
	ClaimFinished
)

// Answer is a response as it will be sent, or sent again.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// ClaimRecord is a claim and what became of it.
type ClaimRecord struct {
	Claim
	State ClaimState
	// Answer is nil while running, and after its body was pruned.
	Answer *Answer
	// LeaseUntil is when another process may take over the settlement.
	LeaseUntil time.Time
	// Attempts counts how often a settlement was started.
	Attempts int
}

// Claims is the durable memory of a merchant. Every method returns only after its
// effect would survive a crash, is atomic, and may be called concurrently, also by
// several processes on one store. Implementations copy what they take and give.
// The conformance suite is settle/x402/claimstest.
type Claims interface {
	// Claim records c as running if its key is new and reports created; else it
	// returns the existing record unchanged. Of any number of racing calls one creates.
	Claim(ctx context.Context, c Claim) (record ClaimRecord, created bool, err error)
	// Find returns the record of a key, or found false.
	Find(ctx context.Context, key ClaimKey) (record ClaimRecord, found bool, err error)
	// Answered keeps the handler's answer of a running claim, counts the first
	// settlement attempt and leases it to the caller. claim_unknown, or claim_conflict
	// in any other state.
	Answered(ctx context.Context, key ClaimKey, answer Answer, leaseUntil time.Time) error
	// Lease takes the settlement of an answered claim whose lease has ended by now,
	// and counts an attempt. taken is false when another caller holds it or the claim
	// is in another state. claim_unknown when there is none.
	Lease(ctx context.Context, key ClaimKey, now, until time.Time) (record ClaimRecord, taken bool, err error)
	// Unlease ends the lease of an answered claim at once. claim_unknown, or
	// claim_conflict in another state.
	Unlease(ctx context.Context, key ClaimKey) error
	// Finish keeps the final answer of a running or answered claim. claim_unknown, or
	// claim_conflict when it is finished already: the first final answer stays.
	Finish(ctx context.Context, key ClaimKey, answer Answer) error
}
