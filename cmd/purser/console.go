package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy"
)

// console writes results to standard output and everything else to standard error, so that a pipe never sees
// decoration. It is safe for concurrent use.
type console struct {
	json bool
	// command is the one that ended, for the help of a mistake in it.
	command  string
	mu       sync.Mutex
	out, err io.Writer
	// color and progress are on only for a person at a terminal.
	color, progress bool
}

func newConsole(out, errOut *os.File) *console {
	tty := term.IsTerminal(int(out.Fd()))
	_, noColor := os.LookupEnv("NO_COLOR")
	return &console{out: out, err: errOut, color: tty && !noColor && os.Getenv("TERM") != "dumb", progress: term.IsTerminal(int(errOut.Fd()))}
}

// result prints the one thing a command is for: JSON, or text for a person.
func (c *console) result(value any, text string) error {
	if c.json {
		return c.line(value)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := io.WriteString(c.out, text)
	return err
}

// line prints one JSON object.
func (c *console) line(value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.out.Write(append(encoded, '\n'))
	return err
}

// say prints a line for a person; nothing with --json.
func (c *console) say(format string, args ...any) {
	if c.json {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintf(c.out, format+"\n", args...) // a closed pipe ends the process by itself
}

// note prints a line beside the result, on standard error; with --json an object, so that every line there is one.
func (c *console) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if c.json {
		encoded, err := json.Marshal(map[string]string{"note": text})
		if err != nil {
			return // a string always encodes
		}
		text = string(encoded)
	}
	c.beside(text)
}

func (c *console) beside(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.err, line+"\n") // nobody is left to tell
}

// step announces long work: a line that is overwritten on a terminal, nothing anywhere else.
func (c *console) step(format string, args ...any) {
	if !c.progress || c.json {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintf(c.err, "\r\033[K… "+format, args...)
}

// done clears what step left.
func (c *console) done() {
	if !c.progress || c.json {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.err, "\r\033[K")
}

// Colors of the transcript; each word they are used on says the same without them.
const (
	green  = "32"
	yellow = "33"
	red    = "31"
	bold   = "1"
)

func (c *console) paint(code, text string) string {
	if !c.color {
		return text
	}
	return "\033[" + code + "m" + text + "\033[0m"
}

// exit prints an error in the one shape and returns the exit code.
func (c *console) exit(err error) int {
	code := exitCode(err)
	var quiet exitError
	if err == nil || errors.As(err, &quiet) {
		return code
	}
	c.done()
	var problems policy.Problems
	if errors.As(err, &problems) {
		for _, problem := range problems {
			c.printError(problem)
		}
		return code
	}
	var coded *abi.Error
	if !errors.As(err, &coded) {
		kind := "failed"
		if code == exitUsage {
			kind = "usage"
		}
		coded = &abi.Error{Code: kind, Message: err.Error(), Fix: "see: " + cmp.Or(c.command, "purser") + " --help"}
	} else {
		shown := *coded
		if before, wrapped := strings.CutSuffix(err.Error(), coded.Error()); wrapped && before != "" {
			shown.Cause = joined(strings.TrimSuffix(before, ": "), coded.Cause)
		}
		coded = &shown
	}
	c.printError(coded)
	return code
}

// joined is what was being done when an error came, and its own cause.
func joined(doing string, cause error) error {
	if cause == nil || cause.Error() == "" {
		return errors.New(doing)
	}
	return fmt.Errorf("%s: %w", doing, cause)
}

// errorLine is an error as a JSON object, with its cause: that leaves out what never leaves this machine, and here it
// does not.
func errorLine(e *abi.Error) ([]byte, error) {
	public, err := json.Marshal(e)
	if err != nil || e.Cause == nil || e.Cause.Error() == "" {
		return json.Marshal(map[string]any{"error": json.RawMessage(public)})
	}
	cause, err := json.Marshal(e.Cause.Error())
	if err != nil {
		return nil, err
	}
	// Appended, so that the members stay in their order.
	return fmt.Appendf(nil, `{"error":%s,"cause":%s}}`, public[:len(public)-1], cause), nil
}

func (c *console) printError(e *abi.Error) {
	if c.json {
		if encoded, err := errorLine(e); err == nil {
			c.beside(string(encoded))
		}
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.paint(red, "error["+e.Code+"]:"), e.Message)
	if e.Where != "" {
		fmt.Fprintf(&b, "\n  --> %s", e.Where)
	}
	if e.Cause != nil && e.Cause.Error() != "" {
		fmt.Fprintf(&b, "\n  because: %s", e.Cause)
	}
	if e.Fix != "" {
		fmt.Fprintf(&b, "\n  help: %s", e.Fix)
	}
	c.beside(b.String())
}
