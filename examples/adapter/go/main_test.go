package main

import (
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

func TestTheAdapterNamesItsNetwork(t *testing.T) {
	got := chain.Describe(&abi.DescribeRequest{})
	if len(got.Networks) != 1 || got.Networks[0] != network {
		t.Errorf("%+v", got)
	}
}

func TestWhatCannotBeBuiltIsRejected(t *testing.T) {
	for intended, want := range map[string]string{network: "unsupported", "eip155:1": "network_unknown"} {
		got := chain.Build(&abi.BuildRequest{Intent: &abi.Intent{Network: intended}, Quote: &abi.Quote{}})
		if got.Ok || got.Rejection == nil || got.Rejection.Code != want {
			t.Errorf("%s: %+v", intended, got)
		}
	}
	if got := chain.Assemble(&abi.AssembleRequest{}); got.Ok || got.Rejection == nil {
		t.Errorf("%+v", got)
	}
}
