// Command adapter is the smallest chain adapter: it describes a network and
// refuses to build. The test beside it checks what its module imports.
package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
	"github.com/purserhq/purser/sdk/go/hostlog"
)

func init() {
	chain.Register(chain.Adapter{
		Describe: func() *abi.DescribeResult {
			return &abi.DescribeResult{Networks: []string{"eip155:1337"}, Schemes: []string{"exact"}}
		},
		Build: func(r *abi.BuildRequest) *abi.BuildResult {
			hostlog.Warn("asked to build for " + r.Intent.Network)
			return &abi.BuildResult{Rejection: chain.Reject("unsupported", "intent.network", "this adapter only describes")}
		},
		Assemble: func(*abi.AssembleRequest) *abi.AssembleResult {
			return &abi.AssembleResult{Rejection: chain.Reject("unsupported", "", "this adapter only describes")}
		},
	})
}

func main() {}
