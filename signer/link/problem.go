package link

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

// Codes of errors that arise on the way.
const (
	// CodeUnreachable: nobody answered in time. Whether the call was carried out is unknown; all calls may be repeated
	// unchanged.
	CodeUnreachable = "cosigner_unreachable"
	// CodeAnswerInvalid: what came back is not what the protocol allows.
	CodeAnswerInvalid = "cosigner_answer_invalid"
	// CodeUntrusted: one side's certificate is not good enough for the other.
	CodeUntrusted = pki.CodeUntrusted
	// CodeBusy: too much is under way, here or there.
	CodeBusy = "link_busy"
	// CodeClosed: this end was closed.
	CodeClosed = "link_closed"

	codeInternal = "internal"
)

type problemBody struct {
	Error *abi.Error `json:"error"`
}

// encodeProblem is how an error of the co-signer leaves: what its public part says, and nothing of an error that has
// none.
func encodeProblem(err error) (status int, contentType string, body []byte) {
	var refused *signer.Refused
	if errors.As(err, &refused) && refused.Decision != nil {
		if body, err := refused.Decision.Marshal(); err == nil && len(body) <= callBytesMax {
			return http.StatusForbidden, refusedType, body
		}
		err = nil // a refusal that cannot be shown is no refusal, and nothing is signed either way
	}
	var shown *abi.Error
	if !errors.As(err, &shown) {
		shown = &abi.Error{Code: codeInternal, Message: "the co-signer could not answer", Fix: "see the co-signer's log", Retry: abi.RetryLater}
	}
	body, err = json.Marshal(problemBody{shown})
	if err != nil || len(body) > problemBytesMax {
		body, _ = json.Marshal(problemBody{&abi.Error{Code: shown.Code, Message: "the error's text is too long", Retry: shown.Retry}}) // plain texts always encode
	}
	return statusOf(shown), jsonType, body
}

func statusOf(e *abi.Error) int {
	switch {
	case e.Code == codeInternal:
		return http.StatusInternalServerError
	case e.Retry == abi.RetryLater || e.Retry == abi.RetrySameKey:
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}

// decodeProblem reads an answer that is no success. What it says is a claim: it is cut to size and to printable text.
func decodeProblem(status int, contentType string, body []byte) error {
	if status == http.StatusForbidden && contentType == refusedType {
		decision := new(abi.Decision)
		if err := decision.Unmarshal(body); err != nil {
			return answerInvalid("the refusal cannot be read", err)
		}
		if decision.Outcome == abi.Allow {
			return answerInvalid("a refusal that allows", nil)
		}
		return &signer.Refused{Decision: decision}
	}
	var problem problemBody
	if len(body) > problemBytesMax || contentType != jsonType || json.Unmarshal(body, &problem) != nil || problem.Error == nil || !codeLike(problem.Error.Code) {
		return answerInvalid("the answer is no error of the protocol", nil)
	}
	e := problem.Error
	switch e.Retry {
	case abi.RetryNever, abi.RetryLater, abi.RetrySameKey, abi.RetryNewQuote:
	default:
		e.Retry = abi.RetryNever
	}
	return &abi.Error{Code: e.Code, Message: plain(e.Message), Where: plain(e.Where), Fix: plain(e.Fix), Retry: e.Retry}
}

const codeBytesMax = 64

func codeLike(code string) bool {
	return code != "" && len(code) <= codeBytesMax && !strings.ContainsFunc(code, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_'
	})
}

// plain keeps a peer's text from writing to terminals and from filling logs.
func plain(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0xfffd {
			return '?'
		}
		return c
	}, text[:min(len(text), problemTextMax)])
	return text
}

func answerInvalid(message string, cause error) error {
	return &abi.Error{Code: CodeAnswerInvalid, Message: message, Fix: "update both sides to the same version, or treat the co-signer as compromised", Retry: abi.RetryNever, Cause: cause}
}

// carriageError says why a call got no answer.
func carriageError(err error) error {
	var known *abi.Error
	if errors.As(err, &known) && known.Code == CodeUntrusted { // our own check of its certificate
		return known
	}
	var alert *net.OpError // what crypto/tls makes of the other side's alert; the alert's own type is its secret
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) || errors.As(err, &alert) && alert.Op == "remote error" {
		return &abi.Error{
			Code: CodeUntrusted, Message: "the two sides do not accept each other's certificates", Retry: abi.RetryLater,
			Fix: "check that each trusts the other's authority, that no certificate has expired, and that the co-signer's names the address that is dialled", Cause: err,
		}
	}
	message := "the co-signer did not answer"
	if errors.Is(err, context.DeadlineExceeded) {
		message = "the co-signer did not answer in time"
	}
	return &abi.Error{Code: CodeUnreachable, Message: message, Fix: "see whether it runs and can be reached; nothing is signed without it", Retry: abi.RetryLater, Cause: err}
}

func busy(message string) error {
	return &abi.Error{Code: CodeBusy, Message: message, Fix: "try again; see what asks this often", Retry: abi.RetryLater}
}
