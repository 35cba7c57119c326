package main

import (
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

func TestAReasonNamesWhoGaveItOnce(t *testing.T) {
	for _, c := range []struct{ source, rule, paid, told string }{
		{"my-ceiling", "my-ceiling", "\n  trap (my-ceiling): text", "\n         my-ceiling: trap text"},
		{"my-ceiling", "", "\n  trap (my-ceiling): text", "\n         my-ceiling: trap text"},
		{"rules", "all.max", "\n  trap (rules all.max): text", "\n         rules: trap (all.max) text"},
	} {
		view := api.View{State: string(runtime.Denied), Reasons: []api.ReasonView{
			{Source: c.source, Outcome: abi.Deny.String(), Code: "trap", Rule: c.rule, Text: "text"},
		}}
		if got := (&console{}).describe(view); !strings.HasSuffix(got, c.paid) {
			t.Errorf("pay says %q, want %q", got, c.paid)
		}
		decision := &abi.Decision{Outcome: abi.Deny, Verdicts: []abi.Verdict{
			{Source: c.source, Outcome: abi.Deny, Reasons: []abi.Reason{{Code: "trap", Rule: c.rule, Text: "text"}}},
		}}
		if got := because(decision); got != c.told {
			t.Errorf("the transcript says %q, want %q", got, c.told)
		}
	}
}
