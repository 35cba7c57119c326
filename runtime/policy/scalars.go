package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

// text reads a single value as it is written. A plain value that YAML takes for a number or a date is taken too:
// what counts is the source text, so nothing is lost, and an address without quotes is still an address.
func (c *compiler) text(n *yaml.Node, what string) (string, bool) { return c.textAs(n, what, "text") }

func (c *compiler) textAs(n *yaml.Node, what, want string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Tag == "!!bool":
		c.wrongKind(n, what, want)
		return "", false
	case n.Tag == "!!merge": // reported by refuseIndirection
		return "", false
	case !utf8.ValidString(n.Value) || strings.ContainsFunc(n.Value, unicode.IsControl):
		c.fail(n, "text_invalid", fmt.Sprintf("%.100s holds a control character", what), "remove the escape")
		return "", false
	}
	return n.Value, true
}

// number reads a decimal with at most that many digits after the point, from its source text: a float would round
// money, and turn 1e3 and 0x10 into numbers nobody wrote.
func (c *compiler) number(n *yaml.Node, what string, decimals uint8) (abi.Amount, bool) {
	s, ok := c.textAs(n, what, "a number")
	if !ok {
		return abi.Amount{}, false
	}
	amount, err := abi.ParseDecimal(s, decimals)
	if err != nil {
		fix := "write plain digits, such as 100"
		if decimals > 0 {
			fix = fmt.Sprintf("write plain digits with at most %d after the point, such as 50 or \"12.50\"", decimals)
		}
		c.fail(n, "number_invalid", fmt.Sprintf("%s is %.60q, which is not a plain number", what, s), fix)
		return abi.Amount{}, false
	}
	return amount, true
}

// count reads a whole number between two bounds.
func (c *compiler) count(n *yaml.Node, what string, least, most uint64) (uint64, bool) {
	amount, ok := c.number(n, what, 0)
	if !ok {
		return 0, false
	}
	value, small := amount.Uint64()
	if !small || value < least || value > most {
		c.fail(n, "number_out_of_range", fmt.Sprintf("%s is %s, want %d to %d", what, amount, least, most), "")
		return 0, false
	}
	return value, true
}

// flag reads true or false, in YAML 1.2's spelling only.
func (c *compiler) flag(n *yaml.Node, what string) bool {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		c.wrongKind(n, what, "true or false")
	case n.Tag != "!!bool" || n.Value != "true" && n.Value != "false":
		c.fail(n, "type_wrong", fmt.Sprintf("%.100s is %.60q, want true or false", what, n.Value), "write true or false, in lower case")
	}
	return n.Value == "true"
}

var secondsPer = map[byte]uint64{'s': 1, 'm': 60, 'h': 3600, 'd': 24 * 3600}

// seconds reads "90s", "15m", "24h" or "7d" within bounds given in seconds.
func (c *compiler) seconds(n *yaml.Node, what string, least, most uint64) (uint64, bool) {
	s, ok := c.textAs(n, what, "a duration")
	if !ok {
		return 0, false
	}
	value, ok := parseSeconds(s)
	if !ok {
		c.fail(n, "duration_invalid", fmt.Sprintf("%s is %.60q, which is not a duration", what, s), "write it like 90s, 15m, 24h or 7d")
		return 0, false
	}
	if value < least || value > most {
		c.fail(n, "number_out_of_range", fmt.Sprintf("%s is %s, want %ds to %ds", what, s, least, most), "")
		return 0, false
	}
	return value, true
}

func parseSeconds(s string) (uint64, bool) {
	if len(s) < 2 || s[0] == '0' || strings.Trim(s[:len(s)-1], "0123456789") != "" {
		return 0, false
	}
	unit, known := secondsPer[s[len(s)-1]]
	value, err := strconv.ParseUint(s[:len(s)-1], 10, 32) // 32 bits, so that the product cannot wrap
	return value * unit, known && err == nil
}

// name reads something that may become part of a ledger key or a rule's name.
func (c *compiler) name(n *yaml.Node, what string) (string, bool) {
	s, ok := c.text(n, what)
	if ok && !rules.ValidName(s) {
		c.fail(n, "name_invalid", fmt.Sprintf("%s is %.80q", what, s),
			fmt.Sprintf("use 1 to %d letters, digits, dots, dashes and underscores", rules.NameBytesMax))
		return "", false
	}
	return s, ok
}

// word reads one of a few words.
func (c *compiler) word(n *yaml.Node, what string, words ...string) (string, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return "", false
	}
	for _, w := range words {
		if s == w {
			return s, true
		}
	}
	c.fail(n, "word_unknown", fmt.Sprintf("%s is %.60q", what, s), suggest(s, words))
	return "", false
}
