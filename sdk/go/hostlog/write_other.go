//go:build !wasip1

package hostlog

import "os"

var levelNames = [...]string{"debug", "info", "warn", "error"}

// write sends the line to standard error, where a unit test shows it.
func write(level uint32, text string) {
	os.Stderr.WriteString(levelNames[level] + " " + text + "\n") //nolint:errcheck,gosec // a log nobody can read has no one to tell
}
