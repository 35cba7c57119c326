package config

import (
	"slices"
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
)

func entries() []abi.JSONEntry {
	return []abi.JSONEntry{
		{Pointer: "", Type: "object"},
		{Pointer: "/amount", Type: "string", Text: "50000"},
		{Pointer: "/empty", Type: "string"},
		{Pointer: "/list", Type: "array"},
		{Pointer: "/list/0", Type: "string", Text: "a"},
		{Pointer: "/list/1", Type: "string", Text: "b"},
		{Pointer: "/listless", Type: "null"},
		{Pointer: "/minus", Type: "number", Text: "-1"},
		{Pointer: "/on", Type: "bool", Text: "true"},
		{Pointer: "/seconds", Type: "number", Text: "60"},
	}
}

func TestSettingsAreRead(t *testing.T) {
	c := New(entries())
	if got := c.Amount("/amount"); got != abi.NewAmount(50000) {
		t.Errorf("amount %s", got)
	}
	if got := c.Uint("/seconds"); got != 60 {
		t.Errorf("number %d", got)
	}
	if !c.Bool("/on") || c.Text("/empty") != "" {
		t.Error("bool or empty text")
	}
	if got := c.Texts("/list"); !slices.Equal(got, []string{"a", "b"}) || c.Len("/list") != 2 {
		t.Errorf("list %q of %d", got, c.Len("/list"))
	}
	if c.Has("/listless") || c.Has("/nothing") || !c.Has("/list") {
		t.Error("Has")
	}
	c.Ignore("/listless")
	c.Ignore("/minus")
	if got := c.Result(); !got.Ok || got.Problems != nil {
		t.Errorf("%+v", got)
	}
}

func TestEveryFaultIsReportedWithItsPointer(t *testing.T) {
	for _, c := range []struct {
		pointer string
		read    func(*Config, string)
	}{
		{"/missing", func(c *Config, p string) { c.Text(p) }},
		{"/seconds", func(c *Config, p string) { c.Text(p) }},
		{"/seconds", func(c *Config, p string) { c.Amount(p) }},
		{"/empty", func(c *Config, p string) { c.Amount(p) }},
		{"/minus", func(c *Config, p string) { c.Uint(p) }},
		{"/amount", func(c *Config, p string) { c.Uint(p) }},
		{"/amount", func(c *Config, p string) { c.Bool(p) }},
		{"/amount", func(c *Config, p string) { c.Texts(p) }},
		{"/listless", func(c *Config, p string) { c.Len(p) }},
		{"/list", func(c *Config, p string) { c.Text(p) }},
		{"", func(c *Config, p string) { c.Texts(p) }},
	} {
		config := New(entries())
		config.Ignore("")
		c.read(config, c.pointer)
		got := config.Result()
		if got.Ok || len(got.Problems) != 1 || got.Problems[0].Pointer != c.pointer {
			t.Errorf("%s: %+v", c.pointer, got)
		}
	}
}

func TestSettingsNobodyAskedForAreRefused(t *testing.T) {
	c := New([]abi.JSONEntry{{Type: "object"}, {Pointer: "/ceilling", Type: "string", Text: "1"}})
	if got := c.Result(); got.Ok || got.Problems[0].Pointer != "/ceilling" {
		t.Errorf("%+v", got)
	}
	empty := New([]abi.JSONEntry{{Type: "object"}})
	if got := empty.Result(); !got.Ok {
		t.Errorf("%+v", got)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	c := New(nil)
	for range 2 * problemsMax {
		c.Text("/x")
	}
	if got := c.Result(); len(got.Problems) != problemsMax || got.Ok {
		t.Errorf("%d problems", len(got.Problems))
	}
}
