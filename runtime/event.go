package runtime

import (
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
)

// Event is something that happened to a payment: what a step's work found out. step turns it into the next state.
type Event interface {
	// kind names the log entry, without the "payment." in front.
	kind() string
}

type (
	// Quoted: the server stated its terms and one offer was chosen.
	Quoted struct {
		Origin string
		Offer  settle.Offer
	}
	// ServedFree: the server asked for no payment.
	ServedFree struct {
		Origin   string
		Response settle.Response
	}
	// Decided: this side's policy has spoken. Reserve is set when it allows.
	Decided struct {
		Decision abi.Decision
		Reserve  []store.Reservation
		// Validity is how long an authorization may live.
		Validity time.Duration
	}
	// Failed: the payment cannot go on, for a reason that no policy gave; nothing is armed.
	Failed struct{ Reason abi.Reason }
	// Approved: an approver signed for exactly this payment.
	Approved struct{ Statement abi.ApprovalStatement }
	// Rejected: an approver said no, or the hold expired.
	Rejected struct {
		Statement *abi.ApprovalStatement
		Reason    abi.Reason
	}
	// CoSignerRefused: the co-signer denied or held; it has armed nothing.
	CoSignerRefused struct{ Decision abi.Decision }
	// PreparedNow: nonce, expiry and preimage exist.
	PreparedNow struct {
		CoDecision  abi.Decision
		Preparation Preparation
	}
	// ArmedNow: both sides signed the promise.
	ArmedNow struct{ Armed abi.Armed }
	// SignedNow: the signature verified and the payment is encoded.
	SignedNow struct{ Header string }
	// Disclaimed: the co-signer never signs what was armed, and nothing of ours left either.
	Disclaimed struct{ Tombstone abi.Tombstone }
	// HandedOut: the agent has the signed payment and presents it itself.
	HandedOut struct{}
	// PresentedNow: the server answered, and the chain was asked.
	PresentedNow struct {
		Presented settle.Presented
		Fate      settle.Fate
	}
	// Reconciled: the chain was asked again.
	Reconciled struct{ Fate settle.Fate }
	// DeliveredNow: the agent's answer is recorded.
	DeliveredNow struct{ Response *settle.Response }
	// Undelivered: paid, and the server still does not deliver.
	Undelivered struct{ Presented settle.Presented }
	// Delayed: the step could not be done now. It stays due.
	Delayed struct{ Error *abi.Error }
)

func (Quoted) kind() string          { return "quoted" }
func (ServedFree) kind() string      { return "served_free" }
func (Decided) kind() string         { return "decided" }
func (Failed) kind() string          { return "failed" }
func (Approved) kind() string        { return "approved" }
func (Rejected) kind() string        { return "rejected" }
func (CoSignerRefused) kind() string { return "cosigner_refused" }
func (PreparedNow) kind() string     { return "prepared" }
func (ArmedNow) kind() string        { return "armed" }
func (SignedNow) kind() string       { return "signed" }
func (Disclaimed) kind() string      { return "disclaimed" }
func (HandedOut) kind() string       { return "handed_out" }
func (PresentedNow) kind() string    { return "presented" }
func (Reconciled) kind() string      { return "reconciled" }
func (DeliveredNow) kind() string    { return "delivered" }
func (Undelivered) kind() string     { return "undelivered" }
func (Delayed) kind() string         { return "delayed" }
