// Package chain turns a few Go functions into a purser chain adapter: a plugin
// that knows how a network's payments are built, checked and followed. It
// refuses what an adapter does not implement, with a rejection, and it never
// holds a key, opens a connection or hashes what is to be signed: the host does.
//
// An adapter registers itself in init and has an empty main. The package
// compiles natively too: a unit test calls the functions of this package.
package chain

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/config"
	"github.com/purserhq/purser/sdk/go/internal/guest"
)

// Adapter is a chain adapter. What must survive from one call to the next
// travels through the host: memory written in one call is gone in the next.
type Adapter struct {
	// Configure reads the settings, once, before any other call. Settings it does
	// not read refuse the configuration. Optional.
	Configure func(c *config.Config)
	// Describe says what the adapter can do. Required.
	Describe func() *abi.DescribeResult
	// Needs lists the reads that an operation needs. Optional: none.
	Needs func(r *abi.NeedsRequest) *abi.NeedsResult
	// Build makes what is to be signed. Required.
	Build func(r *abi.BuildRequest) *abi.BuildResult
	// Assemble makes the wire payload and must verify each signature. Required.
	Assemble func(r *abi.AssembleRequest) *abi.AssembleResult
	// Verify checks somebody's payload: the facilitator's side. Optional.
	Verify func(r *abi.VerifyRequest) *abi.VerifyResult
	// Plan lists the transactions that settle a payload. Optional.
	Plan func(r *abi.PlanRequest) *abi.PlanResult
	// Facts reads from the answers what became of a payload. Optional.
	Facts func(r *abi.FactsRequest) *abi.FactsResult
}

var registered Adapter

// Register makes a the adapter of this module. Call it once, from init. It
// panics when a required function is missing or the module has a plugin already.
func Register(a Adapter) {
	if a.Describe == nil || a.Build == nil || a.Assemble == nil {
		panic("purser: an adapter needs Describe, Build and Assemble")
	}
	guest.Register(a.Configure)
	registered = a
}

// Reject makes a rejection: a stable snake_case code, the field at fault in the
// words of the request ("quote.payee"), a sentence for people.
func Reject(code, field, text string) *abi.Rejection {
	return &abi.Rejection{Code: code, Field: field, Text: text}
}

func unsupported(call string) *abi.Rejection {
	return Reject("unsupported", "", "this adapter does not implement "+call)
}

// Configure does natively what the host's configure call does.
func Configure(r *abi.ConfigureRequest) *abi.ConfigureResult { return guest.Configure(r) }

// Describe does natively what the host's describe call does.
func Describe(*abi.DescribeRequest) *abi.DescribeResult {
	if registered.Describe == nil {
		return &abi.DescribeResult{}
	}
	return registered.Describe()
}

// Needs does natively what the host's needs call does.
func Needs(r *abi.NeedsRequest) *abi.NeedsResult {
	if registered.Needs == nil {
		return &abi.NeedsResult{Ok: true}
	}
	return registered.Needs(r)
}

// Build does natively what the host's build call does.
func Build(r *abi.BuildRequest) *abi.BuildResult {
	if registered.Build == nil {
		return &abi.BuildResult{Rejection: unsupported("build")}
	}
	if r.Intent == nil || r.Quote == nil {
		return &abi.BuildResult{Rejection: Reject("request_incomplete", "intent", "no intent or no quote")}
	}
	return registered.Build(r)
}

// Assemble does natively what the host's assemble call does.
func Assemble(r *abi.AssembleRequest) *abi.AssembleResult {
	if registered.Assemble == nil {
		return &abi.AssembleResult{Rejection: unsupported("assemble")}
	}
	return registered.Assemble(r)
}

// Verify does natively what the host's verify call does.
func Verify(r *abi.VerifyRequest) *abi.VerifyResult {
	if registered.Verify == nil {
		return &abi.VerifyResult{Rejection: unsupported("verify")}
	}
	if r.Quote == nil {
		return &abi.VerifyResult{Rejection: Reject("request_incomplete", "quote", "no quote")}
	}
	return registered.Verify(r)
}

// Plan does natively what the host's plan call does.
func Plan(r *abi.PlanRequest) *abi.PlanResult {
	if registered.Plan == nil {
		return &abi.PlanResult{Rejection: unsupported("plan")}
	}
	if r.Quote == nil {
		return &abi.PlanResult{Rejection: Reject("request_incomplete", "quote", "no quote")}
	}
	return registered.Plan(r)
}

// Facts does natively what the host's facts call does.
func Facts(r *abi.FactsRequest) *abi.FactsResult {
	if registered.Facts == nil {
		return &abi.FactsResult{Rejection: unsupported("facts")}
	}
	return registered.Facts(r)
}
