package schema

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// mutate changes one value somewhere in a document and leaves the original alone.
func (g generator) mutate(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return g.mutateObject(v)
	case []any:
		return g.mutateArray(v)
	case string:
		switch g.below(4) {
		case 0:
			return v + pick(g, texts)
		case 1:
			return v[:len(v)-min(len(v), 1)]
		case 2:
			return pick(g, texts)
		}
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && g.below(4) > 0 {
			return number(int(n) + pick(g, []int{-1, 1, -1000, 1000, -int(n)}))
		}
	}
	return pick(g, []any{nil, true, false, number(0), number(-1), number(1<<53 - 1), "", "1", []any{}, map[string]any{}, []any{nil}})
}

func (g generator) mutateObject(object map[string]any) any {
	names := slices.Sorted(maps.Keys(object))
	made := maps.Clone(object)
	if made == nil {
		made = map[string]any{}
	}
	switch {
	case len(names) == 0 || g.below(8) == 0:
		made[pick(g, []string{"", "x", "ceiling ", "a/b", "~", "__proto__"})] = number(g.below(3))
	case g.below(6) == 0:
		delete(made, pick(g, names))
	case g.below(10) == 0:
		return g.mutate(nil)
	default:
		name := pick(g, names)
		made[name] = g.mutate(made[name])
	}
	return made
}

func (g generator) mutateArray(array []any) any {
	made := slices.Clone(array)
	switch {
	case len(made) == 0 || g.below(6) == 0:
		return append(made, g.mutate(nil))
	case g.below(6) == 0:
		return made[:len(made)-1]
	case g.below(6) == 0:
		return append(made, made[g.below(len(made))])
	default:
		at := g.below(len(made))
		made[at] = g.mutate(made[at])
		return made
	}
}
