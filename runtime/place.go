package runtime

import (
	"context"

	"github.com/purserhq/purser/abi"
)

// signingPerProcessor is how many payments for each processor may be between consult and signature at once. A signing
// session costs most of a second of a processor and must end within seconds: hundreds at once would all time out, and
// none would be signed.
const signingPerProcessor = 4

// placeWaitShare is the part of a step's time that may be spent waiting in line. The rest is for its work: a co-signer
// that was asked too late would look like one that does not answer.
const placeWaitShare = 2

// signingPlace is one run's place among the payments that are being prepared, armed and signed. It is taken before
// the authorization's validity begins, so that waiting costs none of it.
type signingPlace struct {
	places chan struct{}
	taken  bool
}

// enter takes a place when the state's work needs one and gives it back when it does not. It waits in line, first come
// first served, for its share of the step's time.
func (s *signingPlace) enter(ctx context.Context, state State) error {
	if state != Allowed && state != Prepared && state != Armed {
		s.leave()
		return nil
	}
	if s.taken {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience[state]/placeWaitShare)
	defer cancel()
	select {
	case s.places <- struct{}{}:
		s.taken = true
		return nil
	case <-ctx.Done():
		return &abi.Error{
			Code: "busy", Message: "too many payments are being signed", Retry: abi.RetrySameKey, Cause: ctx.Err(),
			Fix: "the runtime retries by itself",
		}
	}
}

func (s *signingPlace) leave() {
	if s.taken {
		<-s.places
		s.taken = false
	}
}
