// Package secret keeps keys and credentials out of logs, errors and JSON. It refuses to print what it hides in any
// format: who needs the value asks the type for it by name.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Text is what a hidden value prints as.
const Text = "[redacted]"

// Hidden, embedded in a struct, makes it print as Text. Format is there because String is not asked for every verb:
// fmt prints the fields of a struct for %d. fmt cannot call methods of a value in an unexported field of another
// struct; a type whose holder may be printed keeps its secret behind a pointer.
type Hidden struct{}

// Format prints Text for every verb and flag.
func (Hidden) Format(state fmt.State, _ rune) {
	// fmt has no way to take an error from a Formatter, and a failed write shows nothing.
	_, _ = io.WriteString(state, Text)
}

// String returns Text.
func (Hidden) String() string { return Text }

// GoString returns Text.
func (Hidden) GoString() string { return Text }

// MarshalText returns Text.
func (Hidden) MarshalText() ([]byte, error) { return []byte(Text), nil }

// MarshalJSON returns Text as a JSON string.
func (Hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + Text + `"`), nil }

// LogValue returns Text.
func (Hidden) LogValue() slog.Value { return slog.StringValue(Text) }
