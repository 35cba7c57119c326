package schema

import (
	"encoding/json"
	"maps"
	"math/big"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

type schemaNode = jsonschema.Schema

const (
	// sampleDepthMax and sampleItemsMax keep invented documents small.
	sampleDepthMax = 8
	sampleItemsMax = 4
	// repeatMax bounds what a pattern's star repeats.
	repeatMax = 6
)

// generator invents values. What it makes usually fits the schema, and never has to: the schema judges afterwards.
type generator struct{ draws Draws }

func (g generator) below(n int) int {
	if n <= 1 {
		return 0
	}
	return int(g.draws.Below(uint64(n))) //nolint:gosec // below n
}

func pick[T any](g generator, from []T) T { return from[g.below(len(from))] }

// value invents one that fits all the schemas.
func (g generator) value(schemas []*schemaNode, depth int) any {
	all := g.flatten(schemas, 0)
	kinds := []string{"object", "array", "string", "integer", "boolean", "null"}
	for _, s := range all {
		switch {
		case s.Const != nil:
			return *s.Const
		case s.Enum != nil && len(s.Enum.Values) > 0:
			return pick(g, s.Enum.Values)
		case s.Default != nil && g.below(4) == 0:
			return *s.Default
		case s.Types != nil:
			kinds = allowed(kinds, s.Types.ToStrings())
		}
	}
	if len(kinds) == 0 || depth > sampleDepthMax {
		return nil
	}
	switch pick(g, kinds) {
	case "object":
		return g.object(all, depth)
	case "array":
		return g.array(all, depth)
	case "string":
		return g.text(all)
	case "integer":
		return g.integer(all)
	case "boolean":
		return g.below(2) == 0
	default:
		return nil
	}
}

// allowed intersects; a number here is always whole.
func allowed(kinds, types []string) []string {
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool {
		return !slices.Contains(types, kind) && (kind != "integer" || !slices.Contains(types, "number"))
	})
}

// flatten adds what the schemas refer to, one branch of each choice.
func (g generator) flatten(schemas []*schemaNode, depth int) []*schemaNode {
	var all []*schemaNode
	for _, s := range schemas {
		if s == nil {
			continue
		}
		all = append(all, s)
		if depth > sampleDepthMax {
			continue
		}
		below := slices.Clone(s.AllOf)
		below = append(below, s.Ref)
		for _, choice := range [][]*schemaNode{s.AnyOf, s.OneOf, {s.Then, s.Else}} {
			if len(choice) > 0 {
				below = append(below, pick(g, choice))
			}
		}
		all = append(all, g.flatten(below, depth+1)...)
	}
	return all
}

func (g generator) object(all []*schemaNode, depth int) any {
	properties, names := map[string][]*schemaNode{}, map[string]bool{}
	var required []string
	var extra, nameOf []*schemaNode
	open := true
	for _, s := range all {
		for name, below := range s.Properties {
			properties[name] = append(properties[name], below)
			names[name] = true
		}
		required = append(required, s.Required...)
		nameOf = append(nameOf, s.PropertyNames)
		switch additional := s.AdditionalProperties.(type) {
		case bool:
			open = open && additional
		case *schemaNode:
			extra = append(extra, additional)
		}
	}
	made := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if slices.Contains(required, name) || g.below(2) == 0 {
			made[name] = g.value(properties[name], depth+1)
		}
	}
	if open && (len(extra) > 0 || len(names) == 0) {
		for range g.below(sampleItemsMax) {
			made[g.text(g.flatten(nameOf, 0))] = g.value(extra, depth+1)
		}
	}
	return made
}

func (g generator) array(all []*schemaNode, depth int) any {
	least, most := 0, sampleItemsMax
	var items, prefix []*schemaNode
	for _, s := range all {
		items = append(items, s.Items2020)
		if len(s.PrefixItems) > len(prefix) {
			prefix = s.PrefixItems
		}
		if s.MinItems != nil {
			least = max(least, *s.MinItems)
		}
		if s.MaxItems != nil {
			most = min(most, *s.MaxItems)
		}
	}
	size := least + g.below(max(most-least, 0)+1)
	made := []any{}
	for i := range min(size, 10*sampleItemsMax) {
		if i < len(prefix) {
			made = append(made, g.value(prefix[i:i+1], depth+1))
		} else {
			made = append(made, g.value(items, depth+1))
		}
	}
	return made
}

// integer draws near the bounds, where off-by-one lives.
func (g generator) integer(all []*schemaNode) any {
	lowest, highest := big.NewInt(-(1<<53 - 1)), big.NewInt(1<<53-1)
	step := big.NewInt(1)
	for _, s := range all {
		for _, bound := range []struct {
			at    *big.Rat
			inner int64
		}{{s.Minimum, 0}, {s.ExclusiveMinimum, 1}} {
			if bound.at != nil {
				if n := new(big.Int).Add(bound.at.Num(), big.NewInt(bound.inner)); n.Cmp(lowest) > 0 {
					lowest = n
				}
			}
		}
		for _, bound := range []struct {
			at    *big.Rat
			inner int64
		}{{s.Maximum, 0}, {s.ExclusiveMaximum, -1}} {
			if bound.at != nil {
				if n := new(big.Int).Add(bound.at.Num(), big.NewInt(bound.inner)); n.Cmp(highest) < 0 {
					highest = n
				}
			}
		}
		if s.MultipleOf != nil && s.MultipleOf.IsInt() && s.MultipleOf.Sign() > 0 {
			step = s.MultipleOf.Num()
		}
	}
	drawn := new(big.Int).Add(lowest, big.NewInt(int64(g.below(100))))
	if g.below(3) == 0 {
		drawn.Sub(highest, big.NewInt(int64(g.below(3))))
	}
	if lowest.Sign() < 0 && highest.Sign() > 0 && g.below(2) == 0 {
		drawn.SetInt64(int64(g.below(1000)))
	}
	// Up to the next multiple; the schema judges whether that is still in range.
	if rest := new(big.Int).Mod(drawn, step); rest.Sign() > 0 {
		drawn.Add(drawn, rest.Sub(step, rest))
	}
	return json.Number(drawn.String())
}

// texts are what plugins get wrong: amounts at the edges, escapes, other scripts.
var texts = []string{
	"", "0", "1", "01", "-1", "1.5", "1e4", "0x10", "50000", "10000000", "18446744073709551616", strings.Repeat("9", 78), strings.Repeat("9", 79),
	"115792089237316195423570985008687907853269984665640564039457584007913129639935", "null", "true", " ", "a/b~c", "\"\\\n\t", "\u0000", "ß漢😀",
	"https://api.example.com", "0x6d65726368616e74000000000000000000000001", strings.Repeat("x", 2000),
}

func (g generator) text(all []*schemaNode) string {
	least, most := 0, 1<<16
	pattern := ""
	for _, s := range all {
		if s.Pattern != nil && (pattern == "" || g.below(2) == 0) {
			pattern = s.Pattern.String()
		}
		if s.MinLength != nil {
			least = max(least, *s.MinLength)
		}
		if s.MaxLength != nil {
			most = min(most, *s.MaxLength)
		}
	}
	text := pick(g, texts)
	if parsed, err := syntax.Parse(pattern, syntax.Perl); pattern != "" && err == nil {
		var b strings.Builder
		(&matcher{g, &b, patternStepsMax}).match(parsed.Simplify())
		text = b.String()
	}
	runes := []rune(text)
	for len(runes) < min(least, 1<<12) {
		runes = append(runes, rune('a'+g.below(26))) //nolint:gosec // a letter
	}
	return string(runes[:min(len(runes), most)])
}

// matcher writes something that a pattern matches, apart from what its assertions add.
type matcher struct {
	generator
	into *strings.Builder
	// steps left: nested stars around an empty match would otherwise take exponential time and write nothing.
	steps int
}

func (m *matcher) match(p *syntax.Regexp) {
	if m.steps--; m.steps < 0 {
		return
	}
	switch p.Op {
	case syntax.OpLiteral:
		m.into.WriteString(string(p.Rune))
	case syntax.OpCharClass:
		if pairs := len(p.Rune) / 2; pairs > 0 {
			at := 2 * m.below(pairs)
			m.into.WriteRune(p.Rune[at] + rune(m.below(int(p.Rune[at+1]-p.Rune[at])+1))) //nolint:gosec // within the class
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		m.into.WriteRune(rune('!' + m.below(90))) //nolint:gosec // printable
	case syntax.OpStar:
		m.repeat(p.Sub[0], 0, repeatMax)
	case syntax.OpPlus:
		m.repeat(p.Sub[0], 1, repeatMax)
	case syntax.OpQuest:
		m.repeat(p.Sub[0], 0, 1)
	case syntax.OpRepeat:
		most := p.Max
		if most < 0 {
			most = p.Min + repeatMax
		}
		m.repeat(p.Sub[0], p.Min, most)
	case syntax.OpAlternate:
		m.match(pick(m.generator, p.Sub))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range p.Sub {
			m.match(sub)
		}
	case syntax.OpNoMatch, syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary: // nothing to write
	}
}

func (m *matcher) repeat(p *syntax.Regexp, least, most int) {
	for range least + m.below(most-least+1) {
		m.match(p)
	}
}

func decode(document []byte) (any, error) {
	return jsonschema.UnmarshalJSON(strings.NewReader(string(document)))
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }
