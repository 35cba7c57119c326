package sandbox

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

const (
	// lastWordsMax is how many lines before a failure are worth repeating.
	lastWordsMax = 5
	// lastWordBytesMax bounds one of them.
	lastWordBytesMax = 240
	// traceLinesKept is the innermost frame of a Go trace: the function, and where in it.
	traceLinesKept = 2
)

// traceHead is the line with which Go's runtime begins the trace of a panic. The panic's message stands before it, and
// thirty frames of an SDK behind it.
var traceHead = regexp.MustCompile(`^goroutine \d+ .*:$`)

// LastWords is the end of what a guest said before it failed: a few lines, or a Go panic with its innermost frame. Like
// the log itself they are the guest's claim, and printable.
func LastWords(log []LogLine) []string {
	var all strings.Builder
	for _, line := range log {
		all.WriteString(line.Text)
		if !line.unfinished() {
			all.WriteByte('\n')
		}
	}
	lines := slices.DeleteFunc(strings.Split(all.String(), "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	var trace []string
	if head := slices.IndexFunc(lines, traceHead.MatchString); head >= 0 {
		trace = lines[head+1:]
		trace, lines = trace[:min(len(trace), traceLinesKept)], lines[:head]
	}
	words := slices.Concat(lines[max(0, len(lines)-lastWordsMax):], trace)
	for i, word := range words {
		if len(word) > lastWordBytesMax {
			word = strings.ToValidUTF8(word[:lastWordBytesMax], "") + "…"
		}
		words[i] = strings.TrimSpace(word)
	}
	return words
}

// lastWords is a failure with the end of the guest's log.
type lastWords struct {
	err  error
	said []string
}

// Error stays on one line.
func (l *lastWords) Error() string {
	return l.err.Error() + "; the guest's last words: " + strings.Join(l.said, " | ")
}

func (l *lastWords) Unwrap() error { return l.err }

// WithLastWords adds the end of the log to a failure, for a person: the failure itself rarely says what went wrong, and a
// panic's message is in the log. Its code stays. Without a log, err is returned as it is.
func WithLastWords(err error, log []LogLine) error {
	said := LastWords(log)
	if err == nil || len(said) == 0 {
		return err
	}
	return &lastWords{err, said}
}

// LastWordsOf is what WithLastWords, or a failed Configure, put into an error.
func LastWordsOf(err error) []string {
	var l *lastWords
	if errors.As(err, &l) {
		return l.said
	}
	return nil
}

// withoutTrace cuts the frames from what wazero says of a trap: a stripped module has numbers for names, and an error
// is one line.
func withoutTrace(err error) error {
	if err == nil {
		return nil
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(strings.TrimPrefix(first, "wasm error: "))
}
