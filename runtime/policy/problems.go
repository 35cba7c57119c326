package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"go.yaml.in/yaml/v4"
)

// ProblemsMax bounds how many problems of one kind (errors, warnings) are reported for a file.
const ProblemsMax = 100

// Problems is everything found in one file, in its order. Each has a Where of "file:line:col".
type Problems []*abi.Error

// Error lists all problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p))
	for _, problem := range p {
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems to errors.Is and errors.As.
func (p Problems) Unwrap() []error {
	errs := make([]error, 0, len(p))
	for _, problem := range p {
		errs = append(errs, problem)
	}
	return errs
}

// place is a line and a column (in characters), both from 1.
type place struct{ line, column int }

func (p place) in(file string) string { return fmt.Sprintf("%s:%d:%d", file, p.line, p.column) }

func placeOf(n *yaml.Node) place { return place{max(n.Line, 1), max(n.Column, 1)} }

type found struct {
	at    place
	issue abi.Error
}

// findings collects problems, and stops at ProblemsMax: a hostile file must not make a report without end.
type findings struct {
	list []found
	more int
}

func (f *findings) add(at place, issue abi.Error) {
	if len(f.list) >= ProblemsMax {
		f.more++
		return
	}
	f.list = append(f.list, found{at, issue})
}

func (f *findings) sorted(file string) Problems {
	slices.SortStableFunc(f.list, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.column, b.at.column))
	})
	var problems Problems
	for _, p := range f.list {
		issue := p.issue
		issue.Where = p.at.in(file)
		problems = append(problems, &issue)
	}
	if f.more > 0 {
		problems = append(problems, &abi.Error{
			Code: "too_many_problems", Message: fmt.Sprintf("%d more problems are not shown", f.more),
			Where: file, Fix: "fix the ones above first",
		})
	}
	return problems
}

// fail reports an error at a node.
func (c *compiler) fail(n *yaml.Node, code, message, fix string) {
	c.errors.add(placeOf(n), abi.Error{Code: code, Message: message, Fix: fix})
}

// failWith reports an error that a parser of values returned, at the value's place.
func (c *compiler) failWith(n *yaml.Node, err error) {
	issue := abi.Error{Code: abi.CodeOf(err), Message: err.Error()}
	var e *abi.Error
	if errors.As(err, &e) {
		issue.Message, issue.Fix = e.Message, e.Fix
	}
	c.errors.add(placeOf(n), issue)
}

func (c *compiler) warn(n *yaml.Node, code, message, fix string) {
	c.warnings.add(placeOf(n), abi.Error{Code: code, Message: message, Fix: fix})
}
