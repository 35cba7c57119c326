package replay

import (
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// permits are the kinds of entry by which a side permits a payment. An entry of these without the decision that allows
// it is a permission that nobody gave.
var permits = map[string]bool{"payment.allowed": true, "cosigner.allow": true, "cosigner.armed": true}

// decisionIn returns this side's decision in an entry, nil if there is none.
func decisionIn(entry *abi.Entry) (*abi.Decision, error) {
	if len(entry.Body) == 0 {
		return nil, nil //nolint:nilnil // most entries hold no decision
	}
	var body struct {
		Decision *abi.Decision `json:"decision"`
	}
	if err := json.Unmarshal(entry.Body, &body); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	return body.Decision, nil
}

// belongs refuses a decision that was made for another entry than the one it stands in: it would replay there as well.
func belongs(entry *abi.Entry, decision *abi.Decision, side string) error {
	switch {
	case permits[entry.Kind] && (decision == nil || decision.Outcome != abi.Allow):
		return differs("the entry %s holds no decision that allows", entry.Kind)
	case decision == nil:
		return nil
	case len(decision.PolicySHA256) != 32:
		return differs("the decision names no policy")
	case side != "" && decision.Side != side:
		return differs("the decision was made by the side %.40q, and this is the log of %s", decision.Side, side)
	case len(decision.Request) == 0:
		return belongsUnasked(entry, decision)
	}
	var request abi.DecideRequest
	if err := request.Unmarshal(decision.Request); err != nil || request.Intent == nil {
		return differs("the recorded request cannot be read: %v", err)
	}
	if i := request.Intent; i.Payment != entry.Payment || i.Agent != entry.Agent || i.Tenant != entry.Tenant {
		return differs("the decision is about payment %.80q of agent %.80q of tenant %.80q", i.Payment, i.Agent, i.Tenant)
	}
	return nil
}

// belongsUnasked is for a decision that was made without a request: the agent is named only where no policy names it.
func belongsUnasked(entry *abi.Entry, decision *abi.Decision) error {
	for _, verdict := range decision.Verdicts {
		for _, reason := range verdict.Reasons {
			if reason.Code == abi.ReasonNoPolicy && reason.Observed != entry.Agent {
				return differs("the decision is about agent %.80q", reason.Observed)
			}
		}
	}
	return nil
}
