// Command adapter is a purser chain adapter that describes one network and says honestly what it cannot do yet.
package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

const network = "eip155:1337"

func init() {
	chain.Register(chain.Adapter{
		Describe: describe,
		Build:    build,
		Assemble: assemble,
		// Needs, Verify, Plan and Facts are optional: without them the adapter needs no reads and rejects the rest.
	})
}

func describe() *abi.DescribeResult {
	return &abi.DescribeResult{Networks: []string{network}, Schemes: []string{"exact"}}
}

// build makes what is to be signed. The host hashes it, decodes it again and compares it with the intent.
func build(r *abi.BuildRequest) *abi.BuildResult {
	if r.Intent.Network != network {
		return &abi.BuildResult{Rejection: chain.Reject("network_unknown", "intent.network", "this adapter knows "+network+" only")}
	}
	return &abi.BuildResult{Rejection: chain.Reject("unsupported", "intent.scheme", "this adapter cannot build payments yet")}
}

// assemble makes the wire payload of what was signed. It must verify every signature first.
func assemble(*abi.AssembleRequest) *abi.AssembleResult {
	return &abi.AssembleResult{Rejection: chain.Reject("unsupported", "", "this adapter cannot build payments yet")}
}

func main() {}
