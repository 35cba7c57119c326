package schema

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	// schemaWorkMax bounds what one value can cost: subschemas, with every reference followed, and the instructions
	// of their patterns. Without it, a chain of definitions that each name the next one twice is exponential.
	schemaWorkMax = 10_000
	// patternBytesMax and patternStepsMax bound one pattern.
	patternBytesMax = 512
	patternStepsMax = 2_000
	// dialect is the only value of $schema.
	dialect = "https://json-schema.org/draft/2020-12/schema"
	defsAt  = "#/$defs/"
)

// shape is what stands under a keyword.
type shape int

const (
	value  shape = iota // anything; the metaschema judges it
	one                 // a schema
	many                // a list of schemas
	byName              // an object of schemas
)

// keywords are the ones this host takes; docs/plugins.md lists them. format and the content keywords are not among
// them, because 2020-12 does not enforce them and an operator would believe in them; the unevaluated ones and dynamic
// references are not, because their cost cannot be read off the schema.
var keywords = map[string]shape{
	"$schema": value, "$comment": value, "$defs": byName, "$ref": value,
	"title": value, "description": value, "default": value, "examples": value, "deprecated": value,
	"type": value, "enum": value, "const": value,
	"properties": byName, "required": value, "additionalProperties": one, "propertyNames": one, "minProperties": value, "maxProperties": value,
	"items": one, "prefixItems": many, "minItems": value, "maxItems": value, "uniqueItems": value,
	"minLength": value, "maxLength": value, "pattern": value,
	"minimum": value, "maximum": value, "exclusiveMinimum": value, "exclusiveMaximum": value, "multipleOf": value,
	"allOf": many, "anyOf": many, "oneOf": many, "not": one, "if": one, "then": one, "else": one,
}

// Keywords lists what a schema may use, sorted.
func Keywords() []string {
	var names []string
	for name := range keywords {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// walker adds up what a schema costs.
type walker struct {
	defs map[string]any
	// cost holds finished definitions; open marks those being measured, so that a cycle is seen.
	cost map[string]int
	open map[string]bool
}

func checkSubset(root any) error {
	object, ok := root.(map[string]any)
	if !ok {
		return invalid("", "the schema is not an object", nil)
	}
	w := &walker{cost: map[string]int{}, open: map[string]bool{}}
	w.defs, _ = object["$defs"].(map[string]any)
	if _, err := w.schema(object, ""); err != nil {
		return err
	}
	// Unused definitions are compiled too.
	for name := range w.defs {
		if _, err := w.reference(defsAt+name, "/$defs/"+escape(name)); err != nil {
			return err
		}
	}
	return nil
}

// schema returns the work of one subschema, at most a little above schemaWorkMax.
func (w *walker) schema(node any, at string) (work int, err error) {
	object, ok := node.(map[string]any)
	if !ok {
		if _, isBool := node.(bool); isBool {
			return 1, nil
		}
		return 0, invalid(at, "a schema is an object, true or false", nil)
	}
	work = 1
	for keyword, below := range object {
		here := at + "/" + escape(keyword)
		form, known := keywords[keyword]
		if !known {
			return 0, invalid(here, fmt.Sprintf("the keyword %.40q is not enforced here", keyword), nil)
		}
		cost, err := w.keyword(keyword, form, below, at, here)
		if err != nil {
			return 0, err
		}
		if work += cost; work > schemaWorkMax {
			return 0, invalid(at, fmt.Sprintf("the schema is too much work: above %d subschemas, references followed, and pattern steps", schemaWorkMax), nil)
		}
	}
	return work, nil
}

func (w *walker) keyword(keyword string, form shape, below any, at, here string) (int, error) {
	switch keyword {
	case "$schema":
		if at != "" || below != dialect {
			return 0, invalid(here, "want "+dialect+", at the top only", nil)
		}
	case "$defs":
		if at != "" {
			return 0, invalid(here, "definitions stand at the top only", nil)
		}
		return 0, nil // measured where they are used
	case "$ref":
		return w.reference(below, here)
	case "pattern":
		return patternWork(below, here)
	}
	return w.below(form, below, here)
}

func (w *walker) below(form shape, below any, here string) (sum int, err error) {
	add := func(node any, at string) {
		if err != nil || sum > schemaWorkMax {
			return
		}
		var cost int
		cost, err = w.schema(node, at)
		sum += cost
	}
	switch form {
	case one:
		add(below, here)
	case many:
		list, ok := below.([]any)
		if !ok {
			return 0, invalid(here, "want a list of schemas", nil)
		}
		for i, node := range list {
			add(node, here+"/"+strconv.Itoa(i))
		}
	case byName:
		object, ok := below.(map[string]any)
		if !ok {
			return 0, invalid(here, "want an object of schemas", nil)
		}
		for name, node := range object {
			add(node, here+"/"+escape(name))
		}
	case value:
	}
	return sum, err
}

// reference follows #/$defs/NAME and nothing else.
func (w *walker) reference(target any, here string) (int, error) {
	text, _ := target.(string)
	name, local := strings.CutPrefix(text, defsAt)
	definition, exists := w.defs[name]
	if !local || !exists || strings.ContainsAny(name, "/~%#") {
		return 0, invalid(here, fmt.Sprintf("%.60q is not the name of a definition: want %sNAME", text, defsAt), nil)
	}
	if cost, done := w.cost[name]; done {
		return cost, nil
	}
	if w.open[name] {
		return 0, invalid(here, "a reference leads back to itself", nil)
	}
	w.open[name] = true
	cost, err := w.schema(definition, "/$defs/"+name)
	w.cost[name] = cost
	return cost, err
}

// patternWork wants a pattern of Go's regexp, whose time is linear in the text.
func patternWork(pattern any, here string) (int, error) {
	text, ok := pattern.(string)
	if !ok || len(text) > patternBytesMax {
		return 0, invalid(here, fmt.Sprintf("want a pattern of at most %d bytes", patternBytesMax), nil)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, invalid(here, "the pattern is none of RE2: look-around and back-references need time that nobody can bound", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > patternStepsMax {
		return 0, invalid(here, fmt.Sprintf("the pattern compiles to more than %d steps", patternStepsMax), err)
	}
	return len(program.Inst), nil
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// escape makes a name one step of a JSON pointer that fits an error.
func escape(name string) string {
	if len(name) > abi.ReasonBytesMax {
		name = name[:abi.ReasonBytesMax] + "…"
	}
	return strings.ToValidUTF8(pointerEscaper.Replace(name), "")
}
