package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/purserhq/purser/abi"
)

// consultTimeMax bounds one question to the co-signer, so that one that hangs is asked again within a step's patience.
const consultTimeMax = 15 * time.Second

func (r *Runtime) consult(ctx context.Context, request *abi.ConsultRequest) (*abi.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, consultTimeMax)
	defer cancel()
	decision, err := r.config.CoSigner.Consult(ctx, request)
	if err == nil && decision == nil {
		err = &abi.Error{Code: "decision_missing", Message: "the co-signer answered without a decision", Retry: abi.RetryNever}
	}
	return decision, err
}

// unanswered says what becomes of a payment whose co-signer did not decide. A co-signer that says that the same question
// will never be answered ends it; one that is away, restarts or is busy is asked again, with growing pauses, at most
// failuresMax times and not after the merchant's terms have aged past their own time. Nothing is armed meanwhile, and the
// reservation returns with the denial.
func (r *Runtime) unanswered(p Payment, err error) (Event, error) {
	if r.life.Err() != nil {
		return nil, err
	}
	var answer *abi.Error
	if errors.As(err, &answer) && (answer.Retry == "" || answer.Retry == abi.RetryNever) {
		return failed(answer.Code, "consult", answer.Message), nil
	}
	quote := p.Offer.Quote
	if uint64(r.config.Now().Unix()) >= quote.ObservedUnixS+min(quote.TimeoutS, quoteWaitMaxS) { //nolint:gosec // after 1970
		return failed(abi.ReasonCosignerUnreachable, "consult", "the co-signer did not answer while the merchant's terms were good"), nil
	}
	return nil, &abi.Error{
		Code: abi.ReasonCosignerUnreachable, Where: "consult", Message: "the co-signer does not answer; it is asked again",
		Fix: "see that the co-signer runs and can be reached", Retry: abi.RetrySameKey, Cause: err,
	}
}

// quoteWaitMaxS caps how long terms are kept waiting for the co-signer, whatever the merchant allows: five minutes.
const quoteWaitMaxS = 300
