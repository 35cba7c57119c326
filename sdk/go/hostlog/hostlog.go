// Package hostlog writes lines to the host's log, for an operator who looks for
// a fault. It refuses to matter: the host caps it, and nothing logged is ever
// part of a decision. A plugin that does not import it imports nothing from the
// host.
package hostlog

// Levels of a line.
const (
	levelDebug = iota
	levelInfo
	levelWarn
	levelError
)

// Debug logs what only the plugin's author wants to see.
func Debug(text string) { write(levelDebug, text) }

// Info logs what an operator may want to see.
func Info(text string) { write(levelInfo, text) }

// Warn logs what an operator should look at.
func Warn(text string) { write(levelWarn, text) }

// Error logs what went wrong.
func Error(text string) { write(levelError, text) }
