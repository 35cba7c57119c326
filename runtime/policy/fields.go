package policy

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// field is one key of a mapping with its value.
type field struct {
	key, value *yaml.Node
}

// entries reads a mapping with free keys, each of them once. It returns what can be used and reports the rest.
func (c *compiler) entries(n *yaml.Node, what string, most int) []field {
	if n.Kind != yaml.MappingNode {
		c.wrongKind(n, what, "a mapping")
		return nil
	}
	seen := map[string]*yaml.Node{}
	var list []field
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name, ok := c.text(key, "a key of "+what)
		if !ok {
			continue
		}
		if first := seen[name]; first != nil {
			c.fail(key, "key_repeated", fmt.Sprintf("%.60q is already set in line %d", name, first.Line), "keep one of them")
			continue
		}
		seen[name] = key
		list = append(list, field{key, value})
	}
	if len(list) > most {
		c.fail(n, "too_many", fmt.Sprintf("%s has %d entries, at most %d are allowed", what, len(list), most), "")
		return list[:most]
	}
	return list
}

// fields reads a mapping whose keys are known, and reports the others.
func (c *compiler) fields(n *yaml.Node, what string, known ...string) map[string]field {
	found := map[string]field{}
	for _, f := range c.entries(n, what, len(n.Content)) {
		if !slices.Contains(known, f.key.Value) {
			c.fail(f.key, "key_unknown", fmt.Sprintf("%s has no key %.60q", what, f.key.Value), suggest(f.key.Value, known))
			continue
		}
		found[f.key.Value] = f
	}
	return found
}

// items reads a list.
func (c *compiler) items(n *yaml.Node, what string, most int) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		c.wrongKind(n, what, "a list")
		return nil
	}
	if len(n.Content) > most {
		c.fail(n, "too_many", fmt.Sprintf("%s has %d entries, at most %d are allowed", what, len(n.Content), most), "")
		return n.Content[:most]
	}
	return n.Content
}

// wrongKind reports a value of the wrong shape, unless it is an alias, which is reported already.
func (c *compiler) wrongKind(n *yaml.Node, what, want string) {
	if n.Kind != yaml.AliasNode {
		c.fail(n, "type_wrong", fmt.Sprintf("%s is %s, want %s", what, kindName(n), want), "")
	}
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	case n.Tag == "!!bool":
		return "true or false"
	default:
		return "a single value"
	}
}

// suggest names the known word that is most like the unknown one, or all of them.
func suggest(unknown string, known []string) string {
	best, distanceMin := "", min(4, len(unknown)/2+1)
	for _, k := range known {
		if d := distance(unknown, k); d < distanceMin {
			best, distanceMin = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "use one of " + strings.Join(known, ", ")
}

// distance is the Levenshtein distance, or a large number for words too long to be a slip.
func distance(a, b string) int {
	const wordBytesMax = 64
	if len(a) > wordBytesMax || len(b) > wordBytesMax {
		return wordBytesMax
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
