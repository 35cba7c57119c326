package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeLinesMax has room for one policy in four languages; three of them are folded away.
const readmeLinesMax = 230

func TestTheReadmeIsShort(t *testing.T) {
	if lines := strings.Count(read(t, "README.md").text, "\n"); lines > readmeLinesMax {
		t.Errorf("README.md has %d lines, at most %d", lines, readmeLinesMax)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	for _, d := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(d.prose, -1) {
			target, fragment, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := d.path
			if target != "" {
				path = filepath.Join(filepath.Dir(d.path), target)
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s links to %s, which does not exist", d.path, match[1])
				continue
			}
			if fragment != "" && !hasHeading(t, path, fragment) {
				t.Errorf("%s links to %s, which has no such heading", d.path, match[1])
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

func hasHeading(t *testing.T, path, fragment string) bool {
	t.Helper()
	for line := range strings.Lines(read(t, path).prose) {
		if title := strings.TrimLeft(line, "#"); title != line {
			anchor := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			if strings.ReplaceAll(anchor, " ", "-") == fragment {
				return true
			}
		}
	}
	return false
}

var makeTarget = regexp.MustCompile("`make ([a-z]+)")

func TestEveryMakeTargetExists(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents(t) {
		for _, match := range makeTarget.FindAllStringSubmatch(d.prose, -1) {
			if !strings.Contains(string(makefile), "\n"+match[1]+":") {
				t.Errorf("%s says `make %s`, which the Makefile does not have", d.path, match[1])
			}
		}
	}
}

// A decision that does not say how to undo it is an order.
func TestEveryDecisionHasTheFourParts(t *testing.T) {
	index := read(t, "docs/adr/README.md").text
	files, err := filepath.Glob(filepath.Join(root, "docs/adr/0*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for i, path := range files {
		d := read(t, "docs/adr/"+filepath.Base(path))
		number := filepath.Base(path)[:4]
		if want := string([]byte{'0', '0', byte('0' + (i+1)/10), byte('0' + (i+1)%10)}); number != want {
			t.Errorf("%s should have number %s: numbers are dense", d.path, want)
		}
		if title, _, _ := strings.Cut(d.text, "\n"); !strings.Contains(index, "["+strings.TrimPrefix(title, "# ")+"]("+filepath.Base(path)+")") {
			t.Errorf("docs/adr/README.md does not list %s under its title", d.path)
		}
		last := -1
		for _, part := range []string{"\n## Context\n", "\n## Decision\n", "\n## What we give up\n", "\n## How to undo\n"} {
			at := strings.Index(d.text, part)
			if at <= last {
				t.Errorf("%s: %q is missing or out of order", d.path, strings.TrimSpace(part))
			}
			last = at
		}
	}
}
