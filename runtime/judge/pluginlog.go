package judge

import (
	"crypto/sha256"
	"log/slog"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

// LogRecord is something that a plugin said, for the operator. The text is the guest's claim, made printable and bounded
// by the limits of its call, and never part of a decision.
type LogRecord struct {
	// Plugin is the name in the manifest, Module the SHA-256 of the module.
	Plugin string
	Module [sha256.Size]byte
	// Level is the guest's; what it printed without one is slog.LevelInfo. A fault is slog.LevelWarn.
	Level slog.Level
	Text  string
	// Fault is the code of the failure that the call ended with. Text is then the failure with the last lines of the
	// call, which were records of their own before. Empty for an ordinary line.
	Fault string
}

// levels are slog's for the guest's.
var levels = map[sandbox.Level]slog.Level{
	sandbox.LevelDebug: slog.LevelDebug, sandbox.LevelInfo: slog.LevelInfo, sandbox.LevelWarn: slog.LevelWarn, sandbox.LevelError: slog.LevelError,
	sandbox.LevelOutput: slog.LevelInfo,
}

// listener turns the sandbox's records into ours; nil without a sink, which the sandbox takes for none.
func listener(sink func(LogRecord)) func(sandbox.LogRecord) {
	if sink == nil {
		return nil
	}
	return func(r sandbox.LogRecord) {
		sink(LogRecord{Plugin: r.Plugin, Module: r.Module, Level: levels[r.Level], Text: strings.TrimRight(r.Text, "\n")})
	}
}

// tellFault tells the operator why a call failed: the denial that it becomes names only the code. A failure that is the
// host's own has no story of the guest's.
func (h *Host) tellFault(m *module, err error, said []sandbox.LogLine) {
	code := abi.CodeOf(err)
	if h.log == nil || !slices.Contains(faultCodes, code) {
		return
	}
	h.log(LogRecord{
		Plugin: m.plugin.Manifest().Name, Module: m.plugin.Identity().Module, Level: slog.LevelWarn, Fault: code,
		Text: sandbox.WithLastWords(err, said).Error(),
	})
}
