package rules

import (
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

// clear decides a hold: enough distinct approvers allow it, else it stays held with a reason for each approval that
// does not count. The host verified the signatures; what an approval covers is checked here, on both sides.
func (p *Policy) clear(request *abi.DecideRequest, quorum int) (abi.Outcome, []abi.Reason) {
	name := p.Name() + ".approvals"
	people, refused := p.approvals(request)
	if quorum > 0 && len(people) >= quorum {
		return abi.Allow, []abi.Reason{{
			Code: ReasonApproved, Rule: name, Observed: clip(strings.Join(people, ", ")),
			Limit: fmt.Sprint(quorum), Text: "enough people approved",
		}}
	}
	var reasons []abi.Reason
	for _, why := range refused[:min(len(refused), abi.ApprovalsMax)] {
		reasons = append(reasons, abi.Reason{Code: abi.ReasonApprovalInvalid, Rule: name, Observed: clip(why), Text: "an approval does not count"})
	}
	return abi.Hold, append(reasons, abi.Reason{
		Code: abi.ReasonApprovalRequired, Rule: name, Observed: fmt.Sprint(len(people)),
		Limit: fmt.Sprint(quorum), WouldPass: fmt.Sprint(quorum), Text: "approvals that count, and how many are needed",
	})
}

// approvals returns the distinct people whose approval covers the payment now, and why the others do not count.
func (p *Policy) approvals(request *abi.DecideRequest) (people, refused []string) {
	seen := map[string]bool{}
	for _, a := range request.Approvals {
		switch {
		case !p.approvers[a.Approver]:
			refused = append(refused, a.Approver+" is no approver of this policy")
		case a.Approver == request.Intent.Agent:
			refused = append(refused, a.Approver+" asked for this payment")
		case a.ExpiresUnixS <= request.NowUnixS:
			refused = append(refused, a.Approver+"'s approval expired")
		case request.Intent.Amount.Cmp(a.AmountMax) > 0:
			refused = append(refused, a.Approver+" approved a smaller amount")
		case !seen[a.Approver]:
			seen[a.Approver] = true
			people = append(people, a.Approver)
		}
	}
	return people, refused
}
