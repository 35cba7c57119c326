package gateway

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/store"
)

// eventFor projects a record for a caller; ok is false for one that the caller may not see.
func eventFor(who caller, record store.Record) (event api.Event, ok bool, err error) {
	var entry abi.Entry
	if err := entry.Unmarshal(record.Entry); err != nil {
		return api.Event{}, false, fmt.Errorf("read log record %d: %w", record.Position, err)
	}
	if !who.operator && entry.Agent != who.agent {
		return api.Event{}, false, nil
	}
	event = api.Event{
		Seq: record.Position, Time: time.UnixMilli(int64(entry.TimeUnixMs)).UTC(), //nolint:gosec // at most 2^53-1, by the codec
		Kind: entry.Kind, Agent: entry.Agent, Payment: entry.Payment,
		ChainSeq: entry.Sequence, Hash: hex.EncodeToString(record.Hash[:]), Previous: hex.EncodeToString(entry.Previous),
	}
	if who.operator {
		event.Entry, event.Body = record.Entry, entry.Body
		return event, true, nil
	}
	event.Body, err = projection(entry.Body)
	return event, true, err
}

// projected are the members of an entry's body that an agent may see about its own payments. Decisions are left out:
// their facts hold levels of budgets shared with other agents.
var projected = []string{"from", "to", "event", "url", "amount", "asset", "payee", "digest", "receipt", "status", "refusal", "error"}

func projection(body []byte) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, fmt.Errorf("project log entry: %w", err)
	}
	seen := make(map[string]json.RawMessage, len(projected))
	for _, name := range projected {
		if value, ok := all[name]; ok {
			seen[name] = value
		}
	}
	for _, name := range []string{"decision", "co_decision"} {
		raw, ok := all[name]
		if !ok {
			continue
		}
		summary, err := summarize(raw)
		if err != nil {
			return nil, fmt.Errorf("project log entry: %w", err)
		}
		seen[name] = summary
	}
	return json.Marshal(seen)
}

// summarize keeps a decision's outcome and its reasons' codes, rules and sentences.
func summarize(raw json.RawMessage) (json.RawMessage, error) {
	var decision abi.Decision
	if err := json.Unmarshal(raw, &decision); err != nil {
		return nil, err
	}
	type line struct {
		Source string `json:"source"`
		Code   string `json:"code"`
		Rule   string `json:"rule,omitempty"`
		Text   string `json:"text,omitempty"`
	}
	lines := []line{}
	for _, verdict := range decision.Verdicts {
		for _, reason := range verdict.Reasons {
			lines = append(lines, line{verdict.Source, reason.Code, reason.Rule, reason.Text})
		}
	}
	return json.Marshal(map[string]any{"outcome": decision.Outcome, "side": decision.Side, "reasons": lines})
}

const (
	// eventsWaitMax bounds how long an HTTP call waits for the first event, eventsMax how many it returns.
	eventsWaitMax = 25 * time.Second
	eventsMax     = 1000
)

// events is the stream over plain HTTP: at least one event after a position, or none when the wait is over.
func (g *Gateway) events(c call) (any, error) {
	after, err := c.number("after")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.ctx, eventsWaitMax)
	defer cancel()
	found := []api.Event{}
	for len(found) == 0 {
		records, err := g.config.Runtime.Records(ctx, after)
		if err != nil && ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, record := range records[:min(len(records), eventsMax)] {
			after = record.Position
			event, visible, err := eventFor(c.who, record)
			if err != nil {
				return nil, err
			}
			if visible {
				found = append(found, event)
			}
		}
	}
	return map[string]any{"events": found, "after": after}, nil
}
