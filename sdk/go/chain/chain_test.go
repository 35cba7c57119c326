package chain

import (
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
)

func TestWhatAnAdapterDoesNotImplementIsRejected(t *testing.T) {
	quote, intent := &abi.Quote{}, &abi.Intent{}
	for name, rejection := range map[string]*abi.Rejection{
		"build":    Build(&abi.BuildRequest{Intent: intent, Quote: quote}).Rejection,
		"assemble": Assemble(&abi.AssembleRequest{}).Rejection,
		"verify":   Verify(&abi.VerifyRequest{Quote: quote}).Rejection,
		"plan":     Plan(&abi.PlanRequest{Quote: quote}).Rejection,
		"facts":    Facts(&abi.FactsRequest{Quote: quote}).Rejection,
	} {
		if rejection == nil || rejection.Code != "unsupported" {
			t.Errorf("%s: %+v", name, rejection)
		}
	}
	if got := Facts(&abi.FactsRequest{}); got.Ok || got.Life != abi.LifeLive {
		t.Errorf("unknown facts must read as an authorization that lives: %+v", got)
	}
	if got := Needs(&abi.NeedsRequest{}); !got.Ok || got.Queries != nil {
		t.Errorf("needs: %+v", got)
	}
}

func TestAnAdapterIsCalledWithWholeRequestsOnly(t *testing.T) {
	before := registered
	t.Cleanup(func() { registered = before })
	called := 0
	registered = Adapter{
		Describe: func() *abi.DescribeResult { return &abi.DescribeResult{Schemes: []string{"exact"}} },
		Build: func(r *abi.BuildRequest) *abi.BuildResult {
			called++
			return &abi.BuildResult{Ok: r.Intent.Network == r.Quote.Network}
		},
		Verify: func(r *abi.VerifyRequest) *abi.VerifyResult {
			called++
			return &abi.VerifyResult{Ok: r.Quote.Scheme == ""}
		},
	}
	if Describe(nil).Schemes[0] != "exact" {
		t.Error("describe")
	}
	if got := Build(&abi.BuildRequest{Quote: &abi.Quote{}}); got.Ok || got.Rejection.Code != "request_incomplete" || called != 0 {
		t.Errorf("build without intent: %+v", got)
	}
	if got := Verify(&abi.VerifyRequest{}); got.Ok || got.Rejection.Code != "request_incomplete" || called != 0 {
		t.Errorf("verify without quote: %+v", got)
	}
	if got := Build(&abi.BuildRequest{Intent: &abi.Intent{}, Quote: &abi.Quote{}}); !got.Ok || called != 1 {
		t.Errorf("build: %+v", got)
	}
}

func TestAnAdapterWithoutItsRequiredFunctionsCannotRegister(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("registered")
		}
	}()
	Register(Adapter{Describe: func() *abi.DescribeResult { return nil }})
}
