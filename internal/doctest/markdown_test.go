package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository's top folder.
const root = "../.."

// block is one fenced block. words are what stands behind the opening fence: the language, then what this package
// should do with it.
type block struct {
	file  string
	line  int
	words []string
	text  string
}

func (b block) is(words ...string) bool {
	return len(b.words) >= len(words) && slices.Equal(b.words[:len(words)], words)
}

// document is one Markdown file, split into fenced blocks and the prose around them.
type document struct {
	path, text, prose string
	blocks            []block
}

func read(t *testing.T, path string) document {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	d := document{path: path, text: string(raw)}
	var open *block
	var prose strings.Builder
	for i, line := range strings.SplitAfter(d.text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{file: path, line: i + 1, words: strings.Fields(fence)}
		case isFence:
			d.blocks = append(d.blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		default:
			prose.WriteString(line)
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block is never closed", path, open.line)
	}
	d.prose = prose.String()
	return d
}

// documents are the files that this package answers for.
func documents(t *testing.T) []document {
	t.Helper()
	paths := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no document is called %s: %v", pattern, err)
		}
		for _, path := range found {
			relative, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, filepath.ToSlash(relative))
		}
	}
	var all []document
	for _, path := range paths {
		all = append(all, read(t, path))
	}
	return all
}

// section is the text under the heading that starts with title, up to the next heading of any level.
func section(t *testing.T, d document, title string) string {
	t.Helper()
	_, rest, found := strings.Cut(d.text, "\n"+title)
	if !found {
		t.Errorf("%s has no section %q", d.path, title)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	if end := strings.Index(rest, "\n#"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

var span = regexp.MustCompile("`[^`\n]+`")

// spans are the texts between single backquotes.
func spans(text string) []string {
	var all []string
	for _, quoted := range span.FindAllString(text, -1) {
		all = append(all, strings.Trim(quoted, "`"))
	}
	return all
}
