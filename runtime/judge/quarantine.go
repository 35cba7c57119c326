package judge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

// When a plugin that keeps failing is not called any more.
const (
	// quarantineFaults within quarantineWindow, on one agent's requests, quarantine the plugin for that agent. First
	// only for it: otherwise one agent that knows what makes a plugin trap could stop everybody's payments.
	quarantineFaults = 3
	quarantineWindow = time.Minute
	// quarantineAgents on whose requests it failed within the window quarantine it for everybody: then it is the
	// plugin, and not what somebody sends it.
	quarantineAgents = 3
	// faultyAgentsMax bounds what is remembered of one plugin. An agent more, and it is quarantined for everybody: to
	// forget somebody instead would let it out.
	faultyAgentsMax = 1024
)

// Quarantine says that a plugin is not called any more: what would have asked it is denied with plugin_quarantined
// until an operator clears it or another module takes its place.
type Quarantine struct {
	Policy string `json:"policy"`
	Plugin string `json:"plugin"`
	// Module is the SHA-256 of the module's bytes, in hex.
	Module string `json:"module_sha256"`
	// Agent is whose requests it is not asked about; empty: nobody's are.
	Agent string `json:"agent,omitempty"`
	// By is the agent whose request made the last fault, and Code what that was.
	By    string    `json:"by"`
	Code  string    `json:"code"`
	Since time.Time `json:"since"`
}

// faults counts what one plugin did wrong. It is safe for concurrent use.
type faults struct {
	mu        sync.Mutex
	everybody *Quarantine
	agents    map[string]*agentFaults
}

// agentFaults are the times of an agent's newest faults, oldest first.
type agentFaults struct {
	at         []time.Time
	quarantine *Quarantine
}

func newFaults() *faults { return &faults{agents: make(map[string]*agentFaults)} }

// over returns the quarantine that an agent's requests are under, nil for none.
func (f *faults) over(agent string) *Quarantine {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.everybody != nil {
		return f.everybody
	}
	if known := f.agents[agent]; known != nil {
		return known.quarantine
	}
	return nil
}

// add counts a fault and returns the quarantine that it begins, nil for none. about names policy, plugin and module.
func (f *faults) add(about Quarantine, agent, code string, now time.Time) *Quarantine {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.everybody != nil { // a decision that was under way when it began
		return nil
	}
	about.By, about.Code, about.Since = agent, code, now
	known := f.agents[agent]
	if known == nil {
		if len(f.agents) >= faultyAgentsMax && !f.forget(now) {
			f.everybody = &about
			return f.everybody
		}
		known = &agentFaults{}
		f.agents[agent] = known
	}
	if known.at = append(known.at, now); len(known.at) > quarantineFaults {
		known.at = slices.Delete(known.at, 0, 1)
	}
	if f.recent(now) >= quarantineAgents {
		f.everybody = &about
		return f.everybody
	}
	if known.quarantine == nil && len(known.at) == quarantineFaults && within(known.at[0], now) {
		about.Agent = agent
		known.quarantine = &about
		return known.quarantine
	}
	return nil
}

// within reports whether a time is in the window that ends now. A clock that stepped back makes it longer, never shorter.
func within(at, now time.Time) bool { return now.Sub(at) < quarantineWindow }

// recent counts the agents with a fault in the window.
func (f *faults) recent(now time.Time) (n int) {
	for _, known := range f.agents {
		if within(known.at[len(known.at)-1], now) {
			n++
		}
	}
	return n
}

// forget drops agents whose faults are old and who are not quarantined. It reports whether there is room now.
func (f *faults) forget(now time.Time) bool {
	for agent, known := range f.agents {
		if known.quarantine == nil && !within(known.at[len(known.at)-1], now) {
			delete(f.agents, agent)
		}
	}
	return len(f.agents) < faultyAgentsMax
}

// list returns what is quarantined, everybody's first, then by agent.
func (f *faults) list() []Quarantine {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Quarantine
	if f.everybody != nil {
		all = append(all, *f.everybody)
	}
	for _, known := range f.agents {
		if known.quarantine != nil {
			all = append(all, *known.quarantine)
		}
	}
	slices.SortFunc(all, func(a, b Quarantine) int { return cmp.Compare(a.Agent, b.Agent) })
	return all
}

// clear lets an agent's requests through again, or with no agent everybody's, and forgets their faults.
func (f *faults) clear(agent string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if agent == "" {
		f.everybody, f.agents = nil, make(map[string]*agentFaults)
		return
	}
	delete(f.agents, agent)
}

// guarded asks a policy's plugin unless it is quarantined for the agent, and counts what it does wrong. began is the
// quarantine that this request began.
func (g *guest) guarded(ctx context.Context, policy, plugin string, request *abi.DecideRequest, encoded []byte, now time.Time) (verdict abi.Verdict, began *Quarantine) {
	agent, counted := request.Intent.Agent, g.faults.Load()
	if q := counted.over(agent); q != nil {
		return deniedUnasked(plugin, abi.ReasonPluginQuarantined, q.Code, "the plugin failed repeatedly and is not called until an operator clears it"), nil
	}
	verdict, fault := ask(ctx, plugin, g.plugin, request, encoded)
	if fault == "" {
		return verdict, nil
	}
	about := Quarantine{Policy: policy, Plugin: plugin, Module: fmt.Sprintf("%x", g.plugin.Module())}
	return verdict, counted.add(about, agent, fault, now)
}

// Quarantines lists what is quarantined now, in order of policy, plugin and agent.
func (j *Judge) Quarantines() []Quarantine {
	var all []Quarantine
	for _, guest := range j.guests {
		all = append(all, guest.faults.Load().list()...)
	}
	slices.SortStableFunc(all, func(a, b Quarantine) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Plugin, b.Plugin), cmp.Compare(a.Agent, b.Agent))
	})
	return all
}

// ClearQuarantine has a policy's plugin called again for an agent's requests. No agent ends the quarantine for
// everybody, and those of all agents with it. Clearing what is not quarantined only forgets its faults.
func (j *Judge) ClearQuarantine(policy, plugin, agent string) {
	if guest := j.guests[guestKey{policy, plugin}]; guest != nil {
		guest.faults.Load().clear(agent)
	}
}

// Succeed takes over from the judge before: what is quarantined stays so, under another configuration too, unless
// another module is in its place. Call it before the judge decides anything.
func (j *Judge) Succeed(before *Judge) {
	for key, guest := range j.guests {
		if old := before.guests[key]; old != nil && old != guest && old.plugin.Module() == guest.plugin.Module() {
			guest.faults.Store(old.faults.Load())
		}
	}
}
