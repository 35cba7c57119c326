package judge

import (
	"context"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

// Bounds of a shadow run.
const (
	// shadowRequestsMax is how many recorded requests are decided again, newest first.
	shadowRequestsMax = 256
	// shadowRecordsMax is how far back in the log they are looked for, in entries.
	shadowRecordsMax = 8 * store.LogMax
	// shadowExamplesMax bounds the changed decisions that are shown in full.
	shadowExamplesMax = 16
	// shadowTimeMax ends a run early; what was compared until then is the report.
	shadowTimeMax = 30 * time.Second
)

// Shadow reports how a judge would have decided what another one was asked. Nothing of it is executed.
type Shadow struct {
	// Recorded is how many requests the log had, Compared how many both judges decided, and Skipped how many could not
	// be: the log does not hold what a rule of one side counts.
	Recorded int `json:"recorded"`
	Compared int `json:"compared"`
	Skipped  int `json:"skipped"`
	// Changed counts the decisions that differ, by "deny->allow"; absent when none does.
	Changed map[string]int `json:"changed,omitempty"`
	// Examples are the newest of them.
	Examples []ChangedDecision `json:"examples,omitempty"`
	// Unchanged says that both judges are the same code with the same configuration, so that nothing was compared.
	Unchanged bool `json:"unchanged,omitempty"`
	// Incomplete says that the time was over before all were compared.
	Incomplete bool `json:"incomplete,omitempty"`
}

// ChangedDecision is one request that would be decided otherwise now.
type ChangedDecision struct {
	Payment string   `json:"payment"`
	Agent   string   `json:"agent"`
	Old     string   `json:"old"`
	New     string   `json:"new"`
	Why     []string `json:"why"`
}

// Loosened counts the requests that were not allowed before and would be now.
func (s Shadow) Loosened() int {
	return s.Changed[change(abi.Deny, abi.Allow)] + s.Changed[change(abi.Hold, abi.Allow)]
}

func change(before, after abi.Outcome) string { return before.String() + "->" + after.String() }

// ShadowRun decides the tenant's newest recorded requests by both judges and reports where they differ. Both must stay
// open. The error is only ever the ledger's.
func ShadowRun(ctx context.Context, ledger store.Store, tenant string, before, after *Judge) (Shadow, error) {
	if before.same(after) {
		return Shadow{Unchanged: true}, nil
	}
	requests, unreadable, err := recorded(ctx, ledger, tenant)
	if err != nil {
		return Shadow{}, fmt.Errorf("read recorded requests: %w", err)
	}
	report := Shadow{Recorded: len(requests) + unreadable, Skipped: unreadable}
	bounded, cancel := context.WithTimeout(ctx, shadowTimeMax)
	defer cancel()
	for _, request := range requests {
		first, comparable := before.again(bounded, request)
		second, also := after.again(bounded, request)
		if bounded.Err() != nil { // what was just decided may be the clock's work
			report.Incomplete = true
			return report, ctx.Err()
		}
		if !comparable || !also {
			report.Skipped++
			continue
		}
		report.Compared++
		report.note(request, first, second)
	}
	return report, nil
}

func (s *Shadow) note(request *abi.DecideRequest, before, after abi.Decision) {
	if before.Outcome == after.Outcome {
		return
	}
	if s.Changed == nil {
		s.Changed = make(map[string]int)
	}
	s.Changed[change(before.Outcome, after.Outcome)]++
	if len(s.Examples) < shadowExamplesMax {
		s.Examples = append(s.Examples, ChangedDecision{
			Payment: request.Intent.Payment, Agent: request.Intent.Agent, Old: before.Outcome.String(), New: after.Outcome.String(),
			Why: append(reasonsOf("old", before), reasonsOf("new", after)...),
		})
	}
}

// reasonsOf names what stood in a decision's way.
func reasonsOf(side string, decision abi.Decision) []string {
	var all []string
	for _, verdict := range decision.Verdicts {
		for _, reason := range verdict.Reasons {
			if verdict.Outcome != abi.Allow {
				all = append(all, side+" "+verdict.Source+": "+reason.Code)
			}
		}
	}
	return all
}

// same reports whether two judges give equal answers because they are the same bundle and the same guests.
func (j *Judge) same(other *Judge) bool {
	if j.bundle.Hash() != other.bundle.Hash() {
		return false
	}
	for key, guest := range j.guests {
		if opposite := other.guests[key]; opposite == nil || !guest.plugin.same(opposite.plugin) {
			return false
		}
	}
	return true
}

// again decides a recorded request as this judge would. ok is false when the record lacks what this judge's budgets
// need: what was spent in another window then, nobody can say now.
func (j *Judge) again(ctx context.Context, request *abi.DecideRequest) (decision abi.Decision, ok bool) {
	policy, named := j.bundle.For(request.Intent.Agent)
	if !named {
		return j.denied(Case{Intent: *request.Intent}, abi.Reason{Code: abi.ReasonNoPolicy, Rule: "agents"}).Decision, true
	}
	asked := *request
	facts := *request.Facts
	asked.Facts, asked.PolicySHA256 = &facts, policy.PolicySHA256()
	agent, _ := j.bundle.Agent(request.Intent.Agent)
	if request.Agent != nil {
		agent.SignedRequest = request.Agent.SignedRequest
	}
	asked.Agent = agent
	if facts.Budgets, ok = levelsFor(policy, request); !ok {
		return abi.Decision{}, false
	}
	encoded, err := asked.Marshal()
	if err != nil {
		return abi.Decision{}, false
	}
	return j.Decide(ctx, policy, &asked, encoded), true
}

// levelsFor finds the level of each of the policy's budgets among the recorded ones: by name, unit and window. The limit
// may be another.
func levelsFor(policy *rules.Policy, request *abi.DecideRequest) ([]abi.BudgetLevel, bool) {
	budgets := policy.Budgets(request.Intent)
	levels := make([]abi.BudgetLevel, 0, len(budgets))
	for _, budget := range budgets {
		found := false
		for _, level := range request.Facts.Budgets {
			if level.Name == budget.Name && level.Unit == budget.Meter.Unit && level.Window == budget.Window.String() {
				level.Limit = budget.Max
				levels, found = append(levels, level), true
				break
			}
		}
		if !found {
			return nil, false
		}
	}
	return levels, true
}
