package abi

import "encoding/json"

// Message is what every generated message can do.
type Message interface {
	Marshal() ([]byte, error)
	Unmarshal(b []byte) error
	json.Marshaler
	json.Unmarshaler
}

// Call is one exported function of a plugin and what goes in and out of it.
type Call struct {
	// Name is the short name, as in a manifest's vectors: "decide".
	Name string
	// Export is the function's exported name.
	Export string
	// Request and Result are names for NewMessage.
	Request, Result string
}

var (
	configureCall = Call{"configure", ExportConfigure, "ConfigureRequest", "ConfigureResult"}
	policyCalls   = []Call{{"decide", ExportDecide, "DecideRequest", "DecideResult"}}
	chainCalls    = []Call{
		{"describe", ExportDescribe, "DescribeRequest", "DescribeResult"},
		{"needs", ExportNeeds, "NeedsRequest", "NeedsResult"},
		{"build", ExportBuild, "BuildRequest", "BuildResult"},
		{"assemble", ExportAssemble, "AssembleRequest", "AssembleResult"},
		{"verify", ExportVerify, "VerifyRequest", "VerifyResult"},
		{"plan", ExportPlan, "PlanRequest", "PlanResult"},
		{"facts", ExportFacts, "FactsRequest", "FactsResult"},
	}
)

// Kind is what a plugin is: a policy or a chain adapter, never both.
type Kind string

const (
	// KindPolicy judges payments.
	KindPolicy Kind = "policy"
	// KindChain builds, checks and follows payments on a network.
	KindChain Kind = "chain"
)

// Calls lists the functions from (i32, i32) to i64 that a plugin of this kind
// exports, configure first. It is nil for an unknown kind. The caller owns the
// copy.
func (k Kind) Calls() []Call {
	switch k {
	case KindPolicy:
		return append([]Call{configureCall}, policyCalls...)
	case KindChain:
		return append([]Call{configureCall}, chainCalls...)
	default:
		return nil
	}
}

// Call returns the call of that short name.
func (k Kind) Call(name string) (Call, bool) {
	for _, c := range k.Calls() {
		if c.Name == name {
			return c, true
		}
	}
	return Call{}, false
}
