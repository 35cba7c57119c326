// Package config reads a plugin's configuration from the flattened entries that
// the host sends, so that a guest needs no JSON parser. It refuses silence: a
// missing or mistyped setting, and every setting the plugin never asked for, is
// reported with its JSON pointer. A misspelled limit is no limit.
package config

import (
	"strconv"
	"strings"

	"github.com/purserhq/purser/sdk/go/abi"
)

// problemsMax is how many problems one report holds, as the host reads no more.
const problemsMax = 64

// Config is one configuration being read. It is not safe for concurrent use.
type Config struct {
	entries  []abi.JSONEntry
	read     []bool // by entry
	problems []abi.ConfigProblem
}

// New returns a Config over the entries of a ConfigureRequest.
func New(entries []abi.JSONEntry) *Config {
	return &Config{entries: entries, read: make([]bool, len(entries))}
}

// Problem reports a fault of the setting at pointer, in a sentence without a
// full stop. Any problem refuses the configuration.
func (c *Config) Problem(pointer, message string) {
	if len(c.problems) < problemsMax {
		c.problems = append(c.problems, abi.ConfigProblem{Pointer: pointer, Message: message})
	}
}

// Has reports whether there is a setting at pointer, of any type but null.
func (c *Config) Has(pointer string) bool {
	i := c.find(pointer)
	return i >= 0 && c.entries[i].Type != "null"
}

// Text reads a string that must be there.
func (c *Config) Text(pointer string) string {
	text, _ := c.scalar(pointer, "string")
	return text
}

// Bool reads true or false that must be there.
func (c *Config) Bool(pointer string) bool {
	text, _ := c.scalar(pointer, "bool")
	return text == "true"
}

// Uint reads a whole number from 0 to 2^53-1 that must be there.
func (c *Config) Uint(pointer string) uint64 {
	text, ok := c.scalar(pointer, "number")
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		c.Problem(pointer, "must not be negative")
	}
	return n
}

// Amount reads an amount that must be there: decimal digits in a string, in the
// asset's smallest unit.
func (c *Config) Amount(pointer string) abi.Amount {
	text, ok := c.scalar(pointer, "string")
	if !ok {
		return abi.Amount{}
	}
	a, err := abi.ParseAmount(text)
	if err != nil {
		c.Problem(pointer, err.Error())
	}
	return a
}

// Len reads the number of elements of the array at pointer, which must be there.
// Its elements are at pointer + "/0", pointer + "/1" and so on.
func (c *Config) Len(pointer string) int {
	i := c.typed(pointer, "array")
	if i < 0 {
		return 0
	}
	n := 0
	for c.find(pointer+"/"+strconv.Itoa(n)) >= 0 {
		n++
	}
	return n
}

// Texts reads an array of strings that must be there; it may be empty.
func (c *Config) Texts(pointer string) []string {
	list := c.typed(pointer, "array")
	if list < 0 {
		return nil
	}
	// The entries of an array follow it directly: one pass instead of a search each.
	var texts []string
	for i := list + 1; i < len(c.entries) && strings.HasPrefix(c.entries[i].Pointer, pointer+"/"); i++ {
		c.read[i] = true
		if c.entries[i].Type != "string" {
			c.Problem(c.entries[i].Pointer, "must be a string")
			continue
		}
		texts = append(texts, c.entries[i].Text)
	}
	return texts
}

// Ignore marks a setting, and all below it, as known although it is not read.
func (c *Config) Ignore(pointer string) {
	for i, e := range c.entries {
		if e.Pointer == pointer || strings.HasPrefix(e.Pointer, pointer+"/") {
			c.read[i] = true
		}
	}
}

// Result reports all problems, after adding one for each setting that was never
// read.
func (c *Config) Result() *abi.ConfigureResult {
	for i, e := range c.entries {
		container := e.Type == "object" || e.Type == "array"
		if !c.read[i] && !container {
			c.Problem(e.Pointer, "is not a setting of this plugin")
		}
	}
	return &abi.ConfigureResult{Ok: len(c.problems) == 0, Problems: c.problems}
}

func (c *Config) find(pointer string) int {
	for i := range c.entries {
		if c.entries[i].Pointer == pointer {
			return i
		}
	}
	return -1
}

// typed finds a setting that must be there with the given JSON type.
func (c *Config) typed(pointer, kind string) int {
	i := c.find(pointer)
	if i < 0 {
		c.Problem(pointer, "is missing")
		return -1
	}
	c.read[i] = true
	if c.entries[i].Type != kind {
		c.Problem(pointer, "must be of type "+kind)
		return -1
	}
	return i
}

func (c *Config) scalar(pointer, kind string) (text string, ok bool) {
	i := c.typed(pointer, kind)
	if i < 0 {
		return "", false
	}
	return c.entries[i].Text, true
}
