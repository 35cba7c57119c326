package main

import (
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/policy"
)

func TestPaymentsAboveTheCeilingAreDenied(t *testing.T) {
	configured := policy.Configure(&abi.ConfigureRequest{Entries: []abi.JSONEntry{
		{Type: "object"}, {Pointer: "/ceiling", Type: "string", Text: "50000"},
	}})
	if !configured.Ok {
		t.Fatal(configured.Problems)
	}
	for amount, want := range map[uint64]abi.Outcome{49_999: abi.Allow, 50_000: abi.Allow, 50_001: abi.Deny} {
		got := policy.Decide(&abi.DecideRequest{
			Intent: &abi.Intent{Amount: abi.NewAmount(amount)}, Quote: &abi.Quote{}, Agent: &abi.Agent{},
		})
		if got.Outcome != want {
			t.Errorf("%d: %s, want %s", amount, got.Outcome, want)
		}
	}
}

func TestAMissingCeilingRefusesTheConfiguration(t *testing.T) {
	if got := policy.Configure(&abi.ConfigureRequest{Entries: []abi.JSONEntry{{Type: "object"}}}); got.Ok {
		t.Error("configured without a ceiling")
	}
}
