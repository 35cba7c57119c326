package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/purserhq/purser/runtime/judge"
)

// digestBytesShown tells modules apart for a person; the audit log has all of it.
const digestBytesShown = 6

// pluginLog sends what plugins say to the operator's log, under the guest's own level. A fault stands there at warn, so
// that the message of a panic arrives even where ordinary lines are left out.
func pluginLog(log *slog.Logger) func(judge.LogRecord) {
	return func(r judge.LogRecord) {
		attributes := []slog.Attr{slog.String("plugin", r.Plugin), slog.String("module", fmt.Sprintf("%x", r.Module[:digestBytesShown]))}
		message := "plugin says"
		if r.Fault != "" {
			message = "plugin failed"
			attributes = append(attributes, slog.String("code", r.Fault))
		}
		// The text is an attribute: a guest writes no message of ours.
		log.LogAttrs(context.Background(), r.Level, message, append(attributes, slog.String("text", r.Text))...)
	}
}
