package sandbox

import (
	"strings"
	"unicode"
)

// Level is the severity a guest gave a line. It is a claim, and never part of a decision.
type Level uint8

// Levels of the log import; any other number is a trap.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
	// LevelOutput marks what a Go guest printed, which has no level.
	LevelOutput
)

// LogLine is one thing a guest said. Text is valid UTF-8 without control characters other than line feed and tab, so
// that a guest cannot drive the terminal it is shown on.
type LogLine struct {
	Level Level
	Text  string
}

// LogRecord is a line with its origin, for Config.Log.
type LogRecord struct {
	Plugin string
	Module Digest
	LogLine
}

// logTruncatedMark ends the log of a guest that said more than Limits.LogBytes.
const logTruncatedMark = "[log truncated]"

// logLineBytesOverhead is charged for every line, so that empty lines are not free.
const logLineBytesOverhead = 16

// guestLog keeps what one instance says, within a budget of bytes.
type guestLog struct {
	lines     []LogLine
	bytesLeft uint64
	callsLeft uint64
	truncated bool
}

// add keeps a line if the budget allows, else marks the log as cut. text aliases guest memory and is copied.
func (l *guestLog) add(level Level, text []byte) {
	if l.truncated {
		return
	}
	cost := uint64(len(text)) + logLineBytesOverhead
	if cost > l.bytesLeft {
		l.truncated = true
		l.lines = append(l.lines, LogLine{Level: level, Text: logTruncatedMark})
		return
	}
	l.bytesLeft -= cost
	// Go's println writes its arguments one by one; they belong to one line.
	if n := len(l.lines); level == LevelOutput && n > 0 && l.lines[n-1].unfinished() {
		l.lines[n-1].Text += printable(string(text))
		return
	}
	l.lines = append(l.lines, LogLine{Level: level, Text: printable(string(text))})
}

func (l LogLine) unfinished() bool { return l.Level == LevelOutput && !strings.HasSuffix(l.Text, "\n") }

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
