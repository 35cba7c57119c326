package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/purserhq/purser/abi"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Pointer is the JSON pointer of the value at fault, "" for the whole document.
	Pointer string `json:"pointer"`
	// Message is one phrase for a person.
	Message string `json:"message"`
}

// Problems are in the order of their pointers, at most abi.ConfigProblemsMax.
type Problems []Problem

// messageBytesMax bounds one message: the library quotes values, and an operator's value may be long.
const messageBytesMax = 240

func (p Problems) fault() error {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.where() + ": " + problem.Message
	}
	return &abi.Error{
		Code: abi.ReasonConfigureFailed, Where: "config" + p[0].Pointer, Fix: "correct the plugin's config in the policy",
		Message: "the configuration breaks the plugin's schema: " + strings.Join(lines, "; "),
	}
}

func (p Problem) where() string {
	if p.Pointer == "" {
		return "the document"
	}
	return p.Pointer
}

// problemsOf takes the leaves of the library's tree: the nodes above them only say that something below is wrong.
func problemsOf(root *jsonschema.ValidationError) Problems {
	var found Problems
	var visit func(e *jsonschema.ValidationError, name string)
	visit = func(e *jsonschema.ValidationError, name string) {
		// The library judges a member's name as a document of its own, and does not keep where that member is.
		if k, ok := e.ErrorKind.(*kind.PropertyNames); ok {
			name = fmt.Sprintf("the member name %.40q: ", k.Property)
		}
		for _, cause := range e.Causes {
			visit(cause, name)
		}
		if len(e.Causes) > 0 {
			return
		}
		at, message := pointer(e.InstanceLocation), "breaks the schema"
		if unit := e.DetailedOutput(); unit.Error != nil {
			message = unit.Error.String()
		}
		if name != "" {
			at = ""
		}
		found = append(found, Problem{at, clip(name + message)})
	}
	visit(root, "")
	slices.SortFunc(found, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Message, b.Message))
	})
	found = slices.Compact(found)
	if more := len(found) - abi.ConfigProblemsMax; more > 0 {
		found = append(found[:abi.ConfigProblemsMax-1:abi.ConfigProblemsMax-1], Problem{"", fmt.Sprintf("and %d more", more+1)})
	}
	return found
}

// deepest is the problem farthest down. A choice that fails has one for each of its branches, all at the same place.
func (p Problems) deepest() Problem {
	depth := func(problem Problem) int { return strings.Count(problem.Pointer, "/") }
	first := slices.MaxFunc(p, func(a, b Problem) int { return cmp.Compare(depth(a), depth(b)) })
	var branches []string
	for _, problem := range p {
		if problem.Pointer == first.Pointer {
			branches = append(branches, problem.Message)
		}
	}
	return Problem{first.Pointer, strings.Join(branches, ", or ")}
}

func pointer(steps []string) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteString("/" + pointerEscaper.Replace(step))
	}
	return b.String()
}

func clip(s string) string {
	if len(s) <= messageBytesMax {
		return s
	}
	return strings.ToValidUTF8(s[:messageBytesMax], "") + "…"
}
