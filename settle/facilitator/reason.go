package facilitator

import (
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/x402"
)

// The reasons of the x402 protocol, spelled as the official packages of version
// 2.27 send them.
const (
	reasonVersion             = "invalid_x402_version"
	reasonPayload             = "invalid_payload"
	reasonRequirements        = "invalid_payment_requirements"
	reasonNetwork             = "invalid_network"
	reasonScheme              = "invalid_exact_evm_scheme"
	reasonMissingDomain       = "invalid_exact_evm_missing_eip712_domain"
	reasonNetworkMismatch     = "invalid_exact_evm_network_mismatch"
	reasonAssetWithoutCode    = "asset_not_deployed_contract"
	reasonFactory             = "eip6492_factory_not_allowed"
	reasonSignature           = "invalid_exact_evm_signature"
	reasonRecipient           = "invalid_exact_evm_recipient_mismatch"
	reasonValidBefore         = "invalid_exact_evm_payload_authorization_valid_before"
	reasonValidAfter          = "invalid_exact_evm_payload_authorization_valid_after"
	reasonValue               = "invalid_exact_evm_payload_authorization_value_mismatch"
	reasonNonceUsed           = "invalid_exact_evm_nonce_already_used"
	reasonBalance             = "invalid_exact_evm_insufficient_balance"
	reasonTokenName           = "invalid_exact_evm_token_name_mismatch"
	reasonTokenVersion        = "invalid_exact_evm_token_version_mismatch"
	reasonSimulation          = "invalid_exact_evm_transaction_simulation_failed"
	reasonTransactionFailed   = "invalid_exact_evm_transaction_failed"
	reasonTransferMismatch    = "invalid_exact_evm_transfer_event_mismatch"
	reasonPending             = "settlement_pending"
	reasonUnexpectedVerify    = "unexpected_verify_error"
	reasonUnexpectedSettle    = "unexpected_settle_error"
	reasonTransferMethod      = "unsupported_payload_type"
	messageAcceptedNetworkKey = "paymentPayload.accepted.network"
)

// refusal is a business "no": it is answered with status 200.
type refusal struct{ reason, message string }

func refuse(reason, format string, args ...any) *refusal {
	return &refusal{reason, fmt.Sprintf(format, args...)}
}

// shapeRefusal maps a codec's fault. ok is false when the body as a whole is not a
// facilitator request, which is a 400 and nobody's business outcome.
func shapeRefusal(err error) (r *refusal, ok bool) {
	fault := asFault(err)
	text := fault.Message
	if fault.Where != "" {
		text = fault.Where + ": " + text
	}
	switch fault.Code {
	case x402.CodeVersion:
		return refuse(reasonVersion, "%s", fault.Message), true
	case x402.CodeSignature:
		return refuse(reasonSignature, "%s", text), true
	case x402.CodeRequirements, x402.CodePayload:
		switch {
		case fault.Where == "":
			return nil, false
		case fault.Where == messageAcceptedNetworkKey:
			return refuse(reasonNetworkMismatch, "%s", text), true
		case strings.HasPrefix(fault.Where, "paymentRequirements"):
			return refuse(reasonRequirements, "%s", text), true
		default:
			return refuse(reasonPayload, "%s", text), true
		}
	default:
		return nil, false
	}
}

// asFault finds the public error, or stands in for one: foreign texts do not leave.
func asFault(err error) *abi.Error {
	if fault, ok := err.(*abi.Error); ok { //nolint:errorlint // the codecs return it bare; a wrapped one is not theirs
		return fault
	}
	return &abi.Error{Code: "internal", Message: "the request could not be read"}
}
