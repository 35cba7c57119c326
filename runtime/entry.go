package runtime

import (
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// record is the body of a payment's log entry: what happened, enough to check it and to replay the decision.
type record struct {
	From       State                  `json:"from"`
	To         State                  `json:"to"`
	Event      string                 `json:"event"`
	URL        string                 `json:"url,omitempty"`
	Amount     string                 `json:"amount,omitempty"`
	Asset      string                 `json:"asset,omitempty"`
	Payee      string                 `json:"payee,omitempty"`
	Decision   *abi.Decision          `json:"decision,omitempty"`
	CoDecision *abi.Decision          `json:"co_decision,omitempty"`
	Reason     *abi.Reason            `json:"reason,omitempty"`
	Statement  *abi.ApprovalStatement `json:"statement,omitempty"`
	Digest     string                 `json:"digest,omitempty"`
	Armed      *abi.Armed             `json:"armed,omitempty"`
	Tombstone  *abi.Tombstone         `json:"tombstone,omitempty"`
	Receipt    any                    `json:"receipt,omitempty"`
	Status     int                    `json:"status,omitempty"`
	Refusal    string                 `json:"refusal,omitempty"`
	Error      *abi.Error             `json:"error,omitempty"`
}

// entryFor describes a transition for the log. The entry's kind is the new state when the state changed, else the
// event: "payment.allowed", "payment.quoted".
func entryFor(p, next Payment, event Event) (store.Entry, error) {
	rec := record{From: p.State, To: next.State, Event: event.kind()}
	if next.Offer != nil {
		quote := next.Offer.Quote
		rec.URL, rec.Amount, rec.Asset, rec.Payee = next.Ask.Resource.URL, quote.Amount.String(), quote.Asset, quote.Payee
	}
	switch e := event.(type) {
	case Decided:
		rec.Decision = &e.Decision
	case Failed:
		rec.Reason = &e.Reason
	case Approved:
		rec.Statement = &e.Statement
	case Rejected:
		rec.Statement, rec.Reason = e.Statement, &e.Reason
	case CoSignerRefused:
		rec.CoDecision = &e.Decision
	case PreparedNow:
		rec.CoDecision, rec.Digest = &e.CoDecision, fmt.Sprintf("%x", e.Preparation.Digest)
	case ArmedNow:
		rec.Armed = &e.Armed
	case Disclaimed:
		rec.Tombstone = &e.Tombstone
	case SignedNow, HandedOut:
		rec.Digest = fmt.Sprintf("%x", next.Prepared.Digest)
	case PresentedNow:
		rec.Status, rec.Refusal = e.Presented.Response.Status, e.Presented.Refusal
	case Undelivered:
		rec.Status, rec.Refusal = e.Presented.Response.Status, e.Presented.Refusal
	case Delayed:
		rec.Error = e.Error
	}
	if next.State == Settled && p.State != Settled {
		rec.Receipt = next.Receipt
	}
	kind := event.kind()
	if next.State != p.State {
		kind = string(next.State)
	}
	return newEntry("payment."+kind, p.ID, rec)
}

func newEntry(kind, payment string, body any) (store.Entry, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return store.Entry{}, fmt.Errorf("write log entry %s: %w", kind, err)
	}
	return store.Entry{Kind: kind, Payment: payment, Body: encoded}, nil
}
