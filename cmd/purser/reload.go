package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
)

// drainWaitMax is how long a reload waits for the decisions that began before it. They finish whether or not it does.
const drainWaitMax = 2 * time.Second

// reloadReport says what a reload did.
type reloadReport struct {
	PolicySHA256         string `json:"policy_sha256,omitempty"`
	CosignerPolicySHA256 string `json:"cosigner_policy_sha256,omitempty"`
	// Steps are the stages in the order in which they were done.
	Steps []sideStep `json:"steps"`
	// Shadow is, for each side, how its recorded requests would be decided now.
	Shadow map[string]judge.Shadow `json:"shadow"`
	// Drained says that nothing uses what was replaced any more, and that it is freed.
	Drained bool `json:"drained"`
}

// reload reads the policies, plugins and adapter again, takes each through its stages and swaps all of them in. On error
// the old ones keep serving, and the error names the stage.
func (s *stack) reload(ctx context.Context) (reloadReport, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := s.load(ctx)
	if err != nil {
		return reloadReport{}, err
	}
	report := reloadReport{Steps: next.steps}
	for role, j := range next.judges() {
		hash := map[string]*string{roleRuntime: &report.PolicySHA256, roleCosigner: &report.CosignerPolicySHA256}[role]
		*hash = fmt.Sprintf("%x", j.Bundle().Hash())
	}
	err = s.shadow(ctx, next, &report)
	if err == nil {
		err = s.swap(ctx, next, &report)
	}
	if err != nil {
		return report, errors.Join(err, next.close(roleRuntime), next.close(roleCosigner))
	}
	return report, nil
}

// shadow decides recorded requests of both sides by the serving and by the next generation.
func (s *stack) shadow(ctx context.Context, next *generation, report *reloadReport) error {
	report.Shadow = map[string]judge.Shadow{}
	before, after := s.serving.judges(), next.judges()
	for _, role := range roles {
		if !s.plays(role) {
			continue
		}
		begin := time.Now()
		found, err := judge.ShadowRun(ctx, s.ledgers[role], defaultTenant, before[role], after[role])
		if err != nil {
			return &judge.StageError{Stage: judge.StageShadow, Err: err}
		}
		report.Shadow[role] = found
		report.note(role, judge.StageShadow, begin)
		if s.config.refuseLoosening && found.Loosened() > 0 {
			return &judge.StageError{Stage: judge.StageShadow, Err: &abi.Error{
				Code: "reload_loosens", Where: role, Message: fmt.Sprintf("of %d recorded requests, %d that were denied or held would be allowed", found.Compared, found.Loosened()),
				Fix: "review the change; set refuse_loosening: false to let it through",
			}}
		}
	}
	return nil
}

// swap puts the next generation in force and waits a while for the one before to drain. The co-signer comes first,
// because it may refuse a policy that operators have not released.
func (s *stack) swap(ctx context.Context, next *generation, report *reloadReport) error {
	begin := time.Now()
	if s.cosigner != nil {
		if err := s.cosigner.Reload(ctx, next.cosigner, s.drained(next, roleCosigner)); err != nil {
			return &judge.StageError{Stage: judge.StageSwap, Err: err}
		}
	}
	// The co-signer first: it may refuse a policy that no order released, and then nothing has changed.
	if s.cosigner != nil {
		if err := s.cosigner.Reload(ctx, next.cosigner, s.drained(next, roleCosigner)); err != nil {
			return &judge.StageError{Stage: judge.StageSwap, Err: err}
		}
	}
	if s.runtime != nil {
		if err := s.runtime.Reload(s.rules(next)); err != nil {
			return &judge.StageError{Stage: judge.StageSwap, Err: err}
		}
		s.allowed.replace(next.reachable)
	}
	replaced := s.serving
	s.serving = next
	report.note("", judge.StageSwap, begin)
	begin = time.Now()
	timer := time.NewTimer(drainWaitMax)
	defer timer.Stop()
	select {
	case <-replaced.left:
		report.Drained = true
		report.note("", judge.StageDrain, begin)
	case <-timer.C:
	}
	return nil
}

func (r *reloadReport) note(side string, stage judge.Stage, begin time.Time) {
	r.Steps = append(r.Steps, sideStep{side, judge.Step{Stage: stage, Took: time.Since(begin)}})
}

// text is the report for a person.
func (r reloadReport) text() string {
	var b strings.Builder
	b.WriteString("reloaded policy, plugins and adapter:")
	for _, side := range []struct{ name, hash string }{{"policy", r.PolicySHA256}, {"co-signer's policy", r.CosignerPolicySHA256}} {
		if side.hash != "" {
			fmt.Fprintf(&b, " %s %.12s", side.name, side.hash)
		}
	}
	b.WriteString("\n")
	for _, step := range r.Steps {
		if step.Shared {
			continue
		}
		name := step.Plugin
		if step.Policy != "" {
			name = step.Policy + "/" + step.Plugin
		}
		line := fmt.Sprintf("  %-9s %-9s %-10s %s", step.Side, step.Stage, step.Took.Round(time.Microsecond), name)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, side := range slices.Sorted(maps.Keys(r.Shadow)) {
		writeShadow(&b, side, r.Shadow[side])
	}
	if !r.Drained {
		b.WriteString("  decisions that began before go on with what was replaced\n")
	}
	return b.String()
}

func writeShadow(b *strings.Builder, side string, found judge.Shadow) {
	if found.Unchanged {
		fmt.Fprintf(b, "  %s: the policy and its plugins are what they were\n", side)
		return
	}
	changed := 0
	for _, n := range found.Changed {
		changed += n
	}
	fmt.Fprintf(b, "  %s: %d recorded requests decided again: %d would change, %d could not be compared\n", side, found.Compared, changed, found.Skipped)
	for _, how := range slices.Sorted(maps.Keys(found.Changed)) {
		fmt.Fprintf(b, "    %s %d\n", how, found.Changed[how])
	}
	for _, example := range found.Examples {
		fmt.Fprintf(b, "    %s of %s: %s -> %s (%s)\n", example.Payment, example.Agent, example.Old, example.New, strings.Join(example.Why, ", "))
	}
}

// reloadOnHangup reloads on SIGHUP until the context ends, and prints what came of it. A file that is wrong changes
// nothing.
func (s *stack) reloadOnHangup(ctx context.Context, out *console) {
	ctx, stop := context.WithCancel(ctx)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			}
			report, err := s.reload(ctx)
			if err == nil {
				err = out.result(map[string]any{"reloaded": report}, report.text())
			} else {
				err = fmt.Errorf("reload, the old policy keeps serving: %w", err)
			}
			if err != nil {
				out.exit(err)
			}
		}
	}()
	s.onClose(func() error {
		signal.Stop(hangup)
		stop()
		<-done
		return nil
	})
}
