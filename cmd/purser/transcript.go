package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

// streamed is what the transcript reads out of an operator's event.
type streamed struct {
	To         string        `json:"to"`
	Amount     string        `json:"amount"`
	Decision   *abi.Decision `json:"decision"`
	CoDecision *abi.Decision `json:"co_decision"`
	Reason     *abi.Reason   `json:"reason"`
	Receipt    *struct {
		Transaction string `json:"transaction"`
		Block       uint64 `json:"block"`
		GasUsed     uint64 `json:"gas_used"`
	} `json:"receipt"`
}

// printEvent writes one line of the transcript, from the stream alone.
func (d *demo) printEvent(event api.Event) error {
	if d.out.json {
		return d.out.line(event)
	}
	var body streamed
	if err := json.Unmarshal(event.Body, &body); err != nil {
		return fmt.Errorf("read event %d: %w", event.Seq, err)
	}
	kind := strings.TrimPrefix(event.Kind, "payment.")
	line := fmt.Sprintf("  #%-3d %s", event.Seq, d.out.paintState(fmt.Sprintf("%-9s", kind)))
	for _, decision := range []*abi.Decision{body.Decision, body.CoDecision} {
		if decision != nil {
			line += fmt.Sprintf(" %s says %s", decision.Side, decision.Outcome) + because(decision)
		}
	}
	if body.Reason != nil {
		line += fmt.Sprintf(" %s: %s", body.Reason.Code, body.Reason.Text)
	}
	if body.Receipt != nil {
		line += fmt.Sprintf(" tx %s  block %d  gas %d", body.Receipt.Transaction, body.Receipt.Block, body.Receipt.GasUsed)
	}
	d.out.say("%s", line)
	return nil
}

// because names the reasons of the verdicts that made the outcome.
func because(decision *abi.Decision) string {
	text := ""
	for _, verdict := range decision.Verdicts {
		if verdict.Outcome != decision.Outcome || decision.Outcome == abi.Allow || verdict.Source == "conclusion" {
			continue
		}
		for _, reason := range verdict.Reasons {
			text += fmt.Sprintf("\n         %s: %s", verdict.Source, reason.Code)
			if rule := ruleOf(verdict.Source, reason.Rule); rule != "" {
				text += " (" + rule + ")"
			}
			text += " " + reason.Text
			if reason.Observed != "" {
				text += fmt.Sprintf("; observed %s, limit %s", reason.Observed, reason.Limit)
			}
		}
	}
	return text
}

// ruleOf is a reason's rule where that says more than its source does: a verdict of the host in a plugin's place has
// the plugin's name for its rule too.
func ruleOf(source, rule string) string {
	if rule == source {
		return ""
	}
	return rule
}

// conclude prints how a payment of the story ended, for scripts as its view.
func (d *demo) conclude(view api.View) error {
	if d.out.json {
		return d.out.line(map[string]any{"payment": view})
	}
	return nil
}

// quiet is the same console without an output.
func (c *console) quiet() *console {
	return &console{out: io.Discard, err: io.Discard, json: c.json}
}
