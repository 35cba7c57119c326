package rules

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Evidence ranks how well the payee of an intent is known: what the host says, raised to pinned when this bundle
// pins the payee for the origin or lists its account, and lowered to asserted where anybody on the network path
// could have written the quote.
func (p *Policy) Evidence(intent *abi.Intent, quote *abi.Quote) abi.Evidence {
	origin, err := ParseOrigin(intent.Origin)
	if err == nil && p.bundle.pins[origin].hasAccount(intent.Network, intent.Payee) ||
		p.recipients.hasAccount(intent.Network, intent.Payee) {
		return abi.EvidencePinned
	}
	rank := quote.Evidence
	if rank > abi.EvidencePinned || rank == abi.EvidenceFetched && (err != nil || !origin.Private()) {
		return abi.EvidenceAsserted
	}
	return rank
}

// checkRecipient applies the list of payees: the account itself, or the origin the host connected to. It never looks
// at the quote's resource URL, which the merchant writes.
func (e *evaluation) checkRecipient(name string) {
	if e.spec.AnyPayee || e.recipients.hasAccount(e.intent.Network, e.intent.Payee) {
		return
	}
	observed := e.intent.Payee + " at " + e.intent.Origin
	origin, err := ParseOrigin(e.intent.Origin)
	if err != nil || !e.recipients.origins[origin] {
		e.deny(abi.Reason{
			Code: abi.ReasonPayeeNotAllowed, Rule: name, Observed: observed,
			Limit: fmt.Sprintf("%d entries", len(e.spec.Recipients)), Text: "neither the payee nor the origin is on the list",
		})
		return
	}
	// A listed domain says nothing about an account that somebody merely claims belongs to it.
	if e.Evidence(e.intent, e.request.Quote) < abi.EvidenceFetched {
		e.hold(abi.Reason{
			Code: abi.ReasonEvidenceTooWeak, Rule: name, Observed: abi.EvidenceAsserted.String(),
			Limit: abi.EvidenceFetched.String(), Text: "the domain is on the list, but nothing shows that the payee belongs to it",
		})
	}
}

// checkPin denies another payee than the pinned ones at a pinned origin: that is what a taken-over merchant, or a
// proxy in front of it, looks like.
func (e *evaluation) checkPin(name string) {
	origin, err := ParseOrigin(e.intent.Origin)
	if err != nil {
		return // no pin can apply; checkRecipient and checkEvidence see an unknown origin
	}
	pin, pinned := e.bundle.pins[origin]
	if pinned && !pin.hasAccount(e.intent.Network, e.intent.Payee) {
		e.deny(abi.Reason{
			Code: abi.ReasonPayeeChanged, Rule: name, Observed: e.intent.Payee, Limit: string(origin),
			Text: "the operator pinned other payees for this origin",
		})
	}
}

func (e *evaluation) checkEvidence(name string) {
	if rank := e.Evidence(e.intent, e.request.Quote); rank < e.spec.Evidence {
		e.hold(abi.Reason{
			Code: abi.ReasonEvidenceTooWeak, Rule: name, Observed: rank.String(), Limit: e.spec.Evidence.String(),
			WouldPass: e.spec.Evidence.String(), Text: "the payee is not known well enough",
		})
	}
}
