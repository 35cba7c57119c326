package abi

// Reason codes are stable: a program may branch on them, so none is ever renamed
// or given another meaning. They are plain strings because plugins add their
// own; a plugin's own code should start with its name.

// What the native rules say.
const (
	// ReasonNoPolicy: no policy applies to this agent, and nothing is allowed by default.
	ReasonNoPolicy = "no_policy"
	// ReasonNoLimit: the policy sets no limit for this asset, and unlimited is never a default.
	ReasonNoLimit = "no_limit"
	// ReasonBudgetExceeded: the amount does not fit into what is left of a budget in its window.
	ReasonBudgetExceeded = "budget_exceeded"
	// ReasonRateExceeded: too many payments in the window.
	ReasonRateExceeded = "rate_exceeded"
	// ReasonOverMaxTransaction: the amount is above the ceiling for one payment.
	ReasonOverMaxTransaction = "over_max_transaction"
	// ReasonOverAgentMax: the amount is above the ceiling the agent itself named.
	ReasonOverAgentMax = "over_agent_max"
	// ReasonPayeeNotAllowed: the payee is not on the list of those that may be paid.
	ReasonPayeeNotAllowed = "payee_not_allowed"
	// ReasonPayeeDenied: the payee is on the list of those that must never be paid.
	ReasonPayeeDenied = "payee_denied"
	// ReasonOriginNotAllowed: the resource's origin is not on the list.
	ReasonOriginNotAllowed = "origin_not_allowed"
	// ReasonApprovalRequired: a person has to approve this payment.
	ReasonApprovalRequired = "approval_required"
	// ReasonApprovalInvalid: an approval is not signed by a known approver, expired, or for another payment.
	ReasonApprovalInvalid = "approval_invalid"
	// ReasonOutsideActiveHours: the time is outside the hours in which this agent may pay.
	ReasonOutsideActiveHours = "outside_active_hours"
	// ReasonAssetUnknown: the asset is not one the policy knows.
	ReasonAssetUnknown = "asset_unknown"
	// ReasonNetworkUnknown: the network is not one the policy knows.
	ReasonNetworkUnknown = "network_unknown"
	// ReasonSchemeUnknown: the payment scheme is not one this side can settle.
	ReasonSchemeUnknown = "scheme_unknown"
	// ReasonAgentUnknown: the agent is not known to this side.
	ReasonAgentUnknown = "agent_unknown"
	// ReasonRequestUnsigned: the policy wants the agent's own signature and the request has none.
	ReasonRequestUnsigned = "request_unsigned"
	// ReasonRequestInvalid: the agent's signature does not hold for this request.
	ReasonRequestInvalid = "request_invalid"
	// ReasonAllowed: every rule was satisfied.
	ReasonAllowed = "allowed"
)

// About the merchant's quote.
const (
	// ReasonQuoteWorse: the price is above what this side was quoted before for the same route.
	ReasonQuoteWorse = "quote_worse"
	// ReasonQuoteInvalid: the quote cannot be read, or does not match the intent.
	ReasonQuoteInvalid = "quote_invalid"
	// ReasonQuoteExpired: the quote is older than its own time-out.
	ReasonQuoteExpired = "quote_expired"
	// ReasonPayeeChanged: the merchant names another payee than before.
	ReasonPayeeChanged = "payee_changed"
	// ReasonEvidenceTooWeak: the payee's identity is not known well enough for this amount.
	ReasonEvidenceTooWeak = "evidence_too_weak"
)

// About plugins: each of them denies.
const (
	// ReasonTrap: the guest crashed, exited or lacks an export.
	ReasonTrap = "trap"
	// ReasonFuelExhausted: the guest used up its allowance of metered work.
	ReasonFuelExhausted = "fuel_exhausted"
	// ReasonBadResult: the guest's result is outside its memory, not canonical or not understood.
	ReasonBadResult = "bad_result"
	// ReasonInputTooLarge: the request is larger than the plugin may be handed.
	ReasonInputTooLarge = "input_too_large"
	// ReasonOutputTooLarge: the guest's result is larger than its limit.
	ReasonOutputTooLarge = "output_too_large"
	// ReasonConfigureFailed: the guest refused its configuration or failed while starting.
	ReasonConfigureFailed = "configure_failed"
	// ReasonInstallRefused: the module breaks a rule of the ABI or a grant is missing.
	ReasonInstallRefused = "install_refused"
	// ReasonDeadline: no instance was free, or the whole decision took too long.
	ReasonDeadline = "deadline"
	// ReasonHostCallLimit: the guest called the host, or asked for queries, too often.
	ReasonHostCallLimit = "host_call_limit"
	// ReasonPluginQuarantined: the plugin failed repeatedly and is not called until an operator clears it.
	ReasonPluginQuarantined = "plugin_quarantined"
	// ReasonPluginTooOld: the request has a critical field newer than the plugin understands.
	ReasonPluginTooOld = "plugin_too_old"
	// ReasonObligationUnknown: a verdict carries an obligation that this host cannot enforce.
	ReasonObligationUnknown = "obligation_unknown"
)

// About building, signing and settling.
const (
	// ReasonAdapterRejected: the chain adapter cannot build this payment.
	ReasonAdapterRejected = "adapter_rejected"
	// ReasonAdapterMismatch: what the adapter built is not what was decided.
	ReasonAdapterMismatch = "adapter_mismatch"
	// ReasonRPCTimeout: an RPC endpoint did not answer in time.
	ReasonRPCTimeout = "rpc_timeout"
	// ReasonRPCDisagreement: RPC endpoints gave different answers.
	ReasonRPCDisagreement = "rpc_disagreement"
	// ReasonCosignerDenied: the co-signer's own policy refused.
	ReasonCosignerDenied = "cosigner_denied"
	// ReasonCosignerUnreachable: the co-signer did not answer; nothing was signed.
	ReasonCosignerUnreachable = "cosigner_unreachable"
	// ReasonHoldExpired: nobody approved in time.
	ReasonHoldExpired = "hold_expired"
	// ReasonRejected: an approver said no.
	ReasonRejected = "rejected"
	// ReasonFrozen: an operator froze this agent or wallet.
	ReasonFrozen = "frozen"
	// ReasonBreakerOpen: too many failures in a row stopped all new payments here.
	ReasonBreakerOpen = "breaker_open"
	// ReasonDuplicate: the same key was used for a different payment.
	ReasonDuplicate = "duplicate"
	// ReasonSettlementFailed: the facilitator or the network refused the payment.
	ReasonSettlementFailed = "settlement_failed"
	// ReasonSettlementUnknown: it is not known yet whether the payment settled; its money counts as spent.
	ReasonSettlementUnknown = "settlement_unknown"
	// ReasonAuthorizationExpired: the authorization can no longer move money and did not.
	ReasonAuthorizationExpired = "authorization_expired"
)

// ReasonMeaning is one row of the table of reason codes.
type ReasonMeaning struct {
	// Code is the stable code.
	Code string
	// Meaning is one sentence for a person, without a full stop.
	Meaning string
}

// Reasons returns the table of all codes the host itself uses, for documentation
// and for checking a code a person typed. The caller owns the copy.
func Reasons() []ReasonMeaning { return append([]ReasonMeaning(nil), reasonTable[:]...) }

var reasonTable = [...]ReasonMeaning{
	{ReasonNoPolicy, "no policy applies to this agent, and nothing is allowed by default"},
	{ReasonNoLimit, "the policy sets no limit for this asset, and unlimited is never a default"},
	{ReasonBudgetExceeded, "the amount does not fit into what is left of a budget in its window"},
	{ReasonRateExceeded, "too many payments in the window"},
	{ReasonOverMaxTransaction, "the amount is above the ceiling for one payment"},
	{ReasonOverAgentMax, "the amount is above the ceiling the agent itself named"},
	{ReasonPayeeNotAllowed, "the payee is not on the list of those that may be paid"},
	{ReasonPayeeDenied, "the payee is on the list of those that must never be paid"},
	{ReasonOriginNotAllowed, "the resource's origin is not on the list"},
	{ReasonApprovalRequired, "a person has to approve this payment"},
	{ReasonApprovalInvalid, "an approval is not signed by a known approver, expired, or for another payment"},
	{ReasonOutsideActiveHours, "the time is outside the hours in which this agent may pay"},
	{ReasonAssetUnknown, "the asset is not one the policy knows"},
	{ReasonNetworkUnknown, "the network is not one the policy knows"},
	{ReasonSchemeUnknown, "the payment scheme is not one this side can settle"},
	{ReasonAgentUnknown, "the agent is not known to this side"},
	{ReasonRequestUnsigned, "the policy wants the agent's own signature and the request has none"},
	{ReasonRequestInvalid, "the agent's signature does not hold for this request"},
	{ReasonAllowed, "every rule was satisfied"},
	{ReasonQuoteWorse, "the price is above what this side was quoted before for the same route"},
	{ReasonQuoteInvalid, "the quote cannot be read, or does not match the intent"},
	{ReasonQuoteExpired, "the quote is older than its own time-out"},
	{ReasonPayeeChanged, "the merchant names another payee than before"},
	{ReasonEvidenceTooWeak, "the payee's identity is not known well enough for this amount"},
	{ReasonTrap, "the guest crashed, exited or lacks an export"},
	{ReasonFuelExhausted, "the guest used up its allowance of metered work"},
	{ReasonBadResult, "the guest's result is outside its memory, not canonical or not understood"},
	{ReasonInputTooLarge, "the request is larger than the plugin may be handed"},
	{ReasonOutputTooLarge, "the guest's result is larger than its limit"},
	{ReasonConfigureFailed, "the guest refused its configuration or failed while starting"},
	{ReasonInstallRefused, "the module breaks a rule of the ABI or a grant is missing"},
	{ReasonDeadline, "no instance was free, or the whole decision took too long"},
	{ReasonHostCallLimit, "the guest called the host, or asked for queries, too often"},
	{ReasonPluginQuarantined, "the plugin failed repeatedly and is not called until an operator clears it"},
	{ReasonPluginTooOld, "the request has a critical field newer than the plugin understands"},
	{ReasonObligationUnknown, "a verdict carries an obligation that this host cannot enforce"},
	{ReasonAdapterRejected, "the chain adapter cannot build this payment"},
	{ReasonAdapterMismatch, "what the adapter built is not what was decided"},
	{ReasonRPCTimeout, "an RPC endpoint did not answer in time"},
	{ReasonRPCDisagreement, "RPC endpoints gave different answers"},
	{ReasonCosignerDenied, "the co-signer's own policy refused"},
	{ReasonCosignerUnreachable, "the co-signer did not answer; nothing was signed"},
	{ReasonHoldExpired, "nobody approved in time"},
	{ReasonRejected, "an approver said no"},
	{ReasonFrozen, "an operator froze this agent or wallet"},
	{ReasonBreakerOpen, "too many failures in a row stopped all new payments here"},
	{ReasonDuplicate, "the same key was used for a different payment"},
	{ReasonSettlementFailed, "the facilitator or the network refused the payment"},
	{ReasonSettlementUnknown, "it is not known yet whether the payment settled; its money counts as spent"},
	{ReasonAuthorizationExpired, "the authorization can no longer move money and did not"},
}
