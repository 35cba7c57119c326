package abi

import "strconv"

// Kinds of Obligation. A host that meets any other kind denies: an obligation
// nobody enforces is a condition silently dropped.
const (
	// ObligationValidityMaxS: the authorization lives at most that many seconds,
	// a decimal number from 1 to ValiditySecondsMax.
	ObligationValidityMaxS = "validity_max_s"
	// ObligationEvidenceMin: the quote's evidence has at least that rank, one of
	// the names of Evidence.
	ObligationEvidenceMin = "evidence_min"
	// ObligationApprovalsMin: at least that many persons approve, a decimal
	// number from 1 to ApprovalsMax.
	ObligationApprovalsMin = "approvals_min"
)

// Limits of obligations.
const (
	// ValiditySecondsMax bounds ObligationValidityMaxS: one day.
	ValiditySecondsMax = 86_400
	// ApprovalsMax bounds ObligationApprovalsMin.
	ApprovalsMax = 16
)

// Known reports whether the host can enforce o: its kind is one of the
// constants and its value reads as that kind's.
func (o Obligation) Known() bool {
	switch o.Kind {
	case ObligationValidityMaxS:
		return isCount(o.Value, ValiditySecondsMax)
	case ObligationApprovalsMin:
		return isCount(o.Value, ApprovalsMax)
	case ObligationEvidenceMin:
		_, err := ParseEvidence(o.Value)
		return err == nil
	default:
		return false
	}
}

func isCount(s string, most uint64) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n >= 1 && n <= most && strconv.FormatUint(n, 10) == s
}

// Combine returns the outcome of all verdicts together: the strictest wins and
// their order never matters. No verdicts is a denial, because a runtime with no
// policy loaded must not be a runtime with no limits. A verdict with an outcome
// outside the three, or with an obligation that is not Known, denies.
func Combine(verdicts []Verdict) Outcome {
	if len(verdicts) == 0 {
		return Deny
	}
	strictest := Allow
	for _, v := range verdicts {
		strictest = min(strictest, v.effective())
	}
	return strictest
}

func (v Verdict) effective() Outcome {
	if v.Outcome > Allow {
		return Deny
	}
	for _, o := range v.Obligations {
		if !o.Known() {
			return Deny
		}
	}
	return v.Outcome
}
