package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
)

// noteAttemptsMax bounds writing an entry on the chain of an agent that somebody else changes meanwhile.
const noteAttemptsMax = 4

// Quarantines lists the policy plugins that are not called any more because they kept failing. They are this process's:
// another one, and one that starts anew, counts for itself.
func (r *Runtime) Quarantines() []judge.Quarantine {
	rules, release := r.rules.Acquire()
	defer release()
	return rules.Judge.Quarantines()
}

// ClearQuarantine has a policy's plugin called again for an agent's requests, or with no agent for everybody's. It is in
// the log before it takes effect. The error has code not_found when nothing of that name is quarantined.
func (r *Runtime) ClearQuarantine(ctx context.Context, policy, plugin, agent string) (judge.Quarantine, error) {
	rules, release := r.rules.Acquire()
	defer release()
	for _, q := range rules.Judge.Quarantines() {
		if q.Policy != policy || q.Plugin != plugin || q.Agent != agent {
			continue
		}
		if err := r.noteQuarantine(ctx, "plugin.cleared", q); err != nil {
			return q, err
		}
		rules.Judge.ClearQuarantine(policy, plugin, agent)
		return q, nil
	}
	return judge.Quarantine{}, &abi.Error{Code: "not_found", Where: policy + "/" + plugin, Message: "no such quarantine", Fix: "list them with: purser plugin quarantine list"}
}

// tellQuarantine makes the beginning of a quarantine heard. The denial that it began with is recorded whatever becomes
// of this, and so is every one after it.
func (r *Runtime) tellQuarantine(ctx context.Context, q judge.Quarantine) {
	r.config.Log.WarnContext(ctx, "plugin quarantined", "policy", q.Policy, "plugin", q.Plugin, "module", q.Module, "for_agent", q.Agent, "by", q.By, "code", q.Code)
	if err := r.noteQuarantine(ctx, "plugin.quarantined", q); err != nil {
		r.config.Log.ErrorContext(ctx, "the quarantine is not in the log", "plugin", q.Plugin, "error", err.Error())
	}
}

// noteQuarantine writes an entry on the chain of the agent whose request made the last fault: every entry is on some
// agent's chain.
func (r *Runtime) noteQuarantine(ctx context.Context, kind string, q judge.Quarantine) error {
	entry, err := newEntry(kind, "", q)
	if err != nil {
		return err
	}
	for range noteAttemptsMax {
		agent, err := r.Agent(ctx, q.By)
		if err != nil {
			return err
		}
		_, err = r.config.Agents.PutAgent(ctx, agent, entry)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("record %s of %s: %w", kind, q.Plugin, err)
		}
		r.tail.wake()
		return nil
	}
	return store.ErrConflict
}
