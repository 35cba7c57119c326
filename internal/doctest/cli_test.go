package doctest

import (
	"encoding/json"
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// command is one command of the binary as its own help describes it.
type command struct {
	usage    string
	children map[string]*command
	// flags hold each flag's default as the help prints it.
	flags map[string]string
}

var (
	helpCommand = regexp.MustCompile(`^  ([a-z-]+) +`)
	helpFlag    = regexp.MustCompile(`^ +(?:-\w, |    )--([a-z-]+)\b.*?(?:\(default (.*)\))?$`)
)

var (
	treeOnce sync.Once
	tree     *command
)

func commands(t *testing.T) *command {
	t.Helper()
	treeOnce.Do(func() { tree = help(t) })
	if tree == nil {
		t.Fatal("the binary's help could not be read")
	}
	return tree
}

func help(t *testing.T, path ...string) *command {
	t.Helper()
	stdout, stderr, code := purser(t, nil, append(slices.Clone(path), "--help")...)
	if code != 0 {
		t.Fatalf("purser %v --help: exit code %d: %s", path, code, stderr)
	}
	c := &command{children: map[string]*command{}, flags: map[string]string{}}
	part := ""
	for line := range strings.Lines(stdout) {
		line = strings.TrimRight(line, "\n")
		if strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " ") {
			part = line
			continue
		}
		switch part {
		case "Usage:":
			if usage := strings.TrimSuffix(strings.TrimSpace(line), " [flags]"); c.usage == "" {
				c.usage = usage
			}
		case "Available Commands:":
			if match := helpCommand.FindStringSubmatch(line); match != nil && match[1] != "completion" && match[1] != "help" {
				c.children[match[1]] = help(t, append(slices.Clone(path), match[1])...)
			}
		case "Flags:", "Global Flags:":
			if match := helpFlag.FindStringSubmatch(line); match != nil && match[1] != "help" {
				c.flags[match[1]] = strings.Trim(match[2], `"[]`)
			}
		}
	}
	return c
}

// leaves lists the commands that do something, by path.
func (c *command) leaves(path string) map[string]*command {
	if len(c.children) == 0 {
		return map[string]*command{path: c}
	}
	all := map[string]*command{}
	for name, child := range c.children {
		for found, leaf := range child.leaves(strings.TrimSpace(path + " " + name)) {
			all[found] = leaf
		}
	}
	return all
}

var (
	cliHeading = regexp.MustCompile("(?m)^### `purser (.+)`$")
	cliFlag    = regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\|(.*?)\\| ")
)

const remoteFlags = "](#remote-flags)"

func TestTheReferenceListsEveryCommandAndFlag(t *testing.T) {
	d := read(t, "docs/cli.md")
	remote := flagRows(section(t, d, "## Remote flags"))
	leaves := commands(t).leaves("")
	for _, heading := range cliHeading.FindAllStringSubmatch(d.text, -1) {
		name := path(heading[1])
		leaf, ok := leaves[name]
		if !ok {
			t.Errorf("docs/cli.md describes purser %s, which does not exist", name)
			continue
		}
		delete(leaves, name)
		if !strings.HasPrefix(leaf.usage, "purser "+heading[1]) {
			t.Errorf("docs/cli.md says %q, the binary %q", heading[1], leaf.usage)
		}
		part := section(t, d, heading[0])
		rows := flagRows(part)
		if strings.Contains(strings.ReplaceAll(part, "\n", " "), remoteFlags) {
			for flag, row := range remote {
				rows[flag] = row
			}
		}
		compareFlags(t, name, rows, leaf.flags)
	}
	for name := range leaves {
		t.Errorf("docs/cli.md does not describe purser %s", name)
	}
}

// path is the words of a usage line that name the command: NAME and [NAME] are arguments.
func path(usage string) string {
	var words []string
	for _, word := range strings.Fields(usage) {
		if strings.ToLower(word) != word || strings.HasPrefix(word, "-") {
			break
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func flagRows(text string) map[string]string {
	rows := map[string]string{}
	for _, match := range cliFlag.FindAllStringSubmatch(text, -1) {
		rows[match[1]] = match[2]
	}
	return rows
}

func compareFlags(t *testing.T, name string, rows, flags map[string]string) {
	t.Helper()
	for flag, written := range flags {
		row, ok := rows[flag]
		switch {
		case flag == "json": // everywhere, described once
		case !ok:
			t.Errorf("docs/cli.md, purser %s: --%s is missing", name, flag)
		case written != "" && !slices.Contains(spans(row), written):
			t.Errorf("docs/cli.md, purser %s: --%s says default %q, the binary %q", name, flag, row, written)
		case written == "" && len(spans(row)) > 0:
			t.Errorf("docs/cli.md, purser %s: --%s says default %q, the binary has none", name, flag, row)
		}
	}
	for flag := range rows {
		if _, ok := flags[flag]; !ok {
			t.Errorf("docs/cli.md, purser %s: there is no --%s", name, flag)
		}
	}
}

// TestEveryCommandLineInTheDocumentsExists takes what looks like a call of purser, in blocks, comments and prose.
func TestEveryCommandLineInTheDocumentsExists(t *testing.T) {
	shown := 0
	for _, d := range documents(t) {
		lines := spans(d.prose)
		for _, b := range d.blocks {
			for line := range strings.Lines(b.text) {
				_, comment, _ := strings.Cut(line, "# ")
				lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), "$ "), strings.TrimSpace(comment))
			}
		}
		for _, line := range lines {
			if rest, ok := strings.CutPrefix(strings.TrimPrefix(line, "bin/"), "purser "); ok {
				shown++
				checkLine(t, d.path, rest)
			}
		}
	}
	if shown < 20 {
		t.Errorf("only %d command lines found: the documents quote them another way than this test reads", shown)
	}
}

func checkLine(t *testing.T, file, line string) {
	t.Helper()
	at := commands(t)
	for _, word := range strings.Fields(line) {
		flag, isFlag := strings.CutPrefix(word, "--")
		switch child := at.children[word]; {
		case isFlag:
			flag, _, _ = strings.Cut(flag, "=")
			if _, ok := at.flags[flag]; !ok {
				t.Errorf("%s: `purser %s`: there is no --%s", file, line, flag)
			}
		case child != nil:
			at = child
		case len(at.children) > 0:
			t.Errorf("%s: `purser %s`: there is no command %s", file, line, word)
			return
		}
	}
}

func TestTheExitCodesAreInTheReference(t *testing.T) {
	table := section(t, read(t, "docs/cli.md"), "## Exit codes")
	codes := declared(t, "cmd/purser", func(name string) bool { return strings.HasPrefix(name, "exit") })
	checked := 0
	for name, value := range codes {
		if literal, ok := value.(*ast.BasicLit); ok {
			checked++
			if !strings.Contains(table, "\n| "+literal.Value+" | ") {
				t.Errorf("docs/cli.md, Exit codes, lacks %s, %s", literal.Value, name)
			}
		}
	}
	if rows := strings.Count(table, "\n| ") - 1; rows != checked {
		t.Errorf("docs/cli.md lists %d exit codes, cmd/purser has %d", rows, checked)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("purser_nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[int][]string{
		0: {"wallet", "show"},
		2: {"pay"},
		6: {"agent", "list", "--server", "http://127.0.0.1:1", "--token-file", token},
	} {
		if _, stderr, code := purser(t, nil, args...); code != want {
			t.Errorf("purser %v: exit code %d, want %d: %s", args, code, want, stderr)
		}
	}
}

// TestTheServeBlockIsAConfiguration has the binary read it. Its policy does not exist, which is as far as it may get.
func TestTheServeBlockIsAConfiguration(t *testing.T) {
	d := read(t, "docs/serve.md")
	for _, b := range d.blocks {
		if !b.is("yaml", "serve") {
			continue
		}
		file := filepath.Join(t.TempDir(), "purser.yaml")
		if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, code := purser(t, []string{"PURSER_POSTGRES=postgres://nowhere.invalid/"}, "serve", "--json", "--config", file)
		var shown struct {
			Error struct{ Code, Message string } `json:"error"`
		}
		line := stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:]
		if err := json.Unmarshal([]byte(line), &shown); err != nil {
			t.Fatalf("purser serve: %v in %q", err, stderr)
		}
		if code == 0 || shown.Error.Code == "config_invalid" || !strings.Contains(shown.Error.Message, "policy.yaml") {
			t.Errorf("%s:%d: exit code %d, %s: %s", b.file, b.line, code, shown.Error.Code, shown.Error.Message)
		}
		for _, key := range configKeys(t) {
			// cosigner_policy is for the other form of cosigner, and refused beside the one that is shown.
			if !strings.Contains(b.text, key+":") && key != "cosigner_policy" || !slices.Contains(spans(d.text), key) {
				t.Errorf("docs/serve.md lacks %s, in its table or its example", key)
			}
		}
	}
}

// TestTheCosignerBlockIsAConfiguration has the binary read it. Its certificate does not exist, which is as far as it may get.
func TestTheCosignerBlockIsAConfiguration(t *testing.T) {
	shown := 0
	for _, b := range read(t, "docs/serve.md").blocks {
		if !b.is("yaml", "cosigner") {
			continue
		}
		shown++
		file := filepath.Join(t.TempDir(), "cosigner.yaml")
		if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, code := purser(t, nil, "cosigner", "--json", "--config", file)
		if code == 0 || strings.Contains(stderr, "config_invalid") || !strings.Contains(stderr, "tls.pem") {
			t.Errorf("%s:%d: exit code %d: %s", b.file, b.line, code, stderr)
		}
	}
	if shown == 0 {
		t.Error("docs/serve.md shows no cosigner.yaml")
	}
}

// configKeys are the yaml tags of the type that purser.yaml is read into.
func configKeys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for _, file := range sources(t, "cmd/purser") {
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok || spec.Name.Name != "serveConfig" {
				return true
			}
			ast.Inspect(spec, func(node ast.Node) bool {
				if field, ok := node.(*ast.Field); ok && field.Tag != nil {
					keys = append(keys, reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml"))
				}
				return true
			})
			return false
		})
	}
	if len(keys) == 0 {
		t.Fatal("cmd/purser has no serveConfig with yaml tags")
	}
	return keys
}
