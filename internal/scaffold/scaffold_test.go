package scaffold

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/abi/abitest"
	"github.com/purserhq/purser/internal/toolchain"
)

// repositoryArchive is what the binary would embed.
func repositoryArchive(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "sdk.zip")
	command := exec.CommandContext(t.Context(), "go", "run", "./internal/gen/sdkarchive", "-out", out)
	command.Dir = "../.."
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	archive, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// TestEveryTemplateBuildsAndPassesTheKitUnderItsNewName is the promise of `purser plugin new`: no network, no
// repository, a name of the author's own.
func TestEveryTemplateBuildsAndPassesTheKitUnderItsNewName(t *testing.T) {
	archive := repositoryArchive(t)
	for _, language := range toolchain.Languages() {
		for _, kind := range []abi.Kind{abi.KindPolicy, abi.KindChain} {
			t.Run(string(language)+"/"+string(kind), func(t *testing.T) {
				project := Project{Name: "my-own-plugin", Language: language, Kind: kind, Folder: filepath.Join(t.TempDir(), "project")}
				files, err := Write(archive, project)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(files, "README.md") || !slices.Contains(files, "manifest.json") || !slices.IsSorted(files) {
					t.Errorf("%v", files)
				}
				nothingPointsBack(t, project.Folder, files)
				if language == toolchain.AssemblyScript {
					installCompiler(t, project.Folder)
				}
				built, err := toolchain.Build(t.Context(), project.Folder, "")
				if abi.CodeOf(err) == toolchain.CodeToolMissing {
					skipWithout(t, err)
				}
				if err != nil {
					t.Fatal(err)
				}
				if built.Name != project.Name || built.Kind != kind || filepath.Base(built.Path) != "my-own-plugin.wasm" {
					t.Errorf("%+v", built)
				}
				module, err := os.ReadFile(built.Path)
				if err != nil {
					t.Fatal(err)
				}
				options := abitest.Options{Runs: 4, Configs: 10, Requests: 20}
				if kind == abi.KindPolicy {
					options.Monotonic = []string{abitest.MonotonicAmount}
				}
				abitest.Test(t, module, options)
			})
		}
	}
}

func skipWithout(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("required in CI: %v", err)
	}
	t.Skipf("NOT TESTED: %v", err)
}

// nothingPointsBack checks the author's own files; the SDK's may link to this repository.
func nothingPointsBack(t *testing.T, folder string, files []string) {
	t.Helper()
	for _, name := range files {
		if strings.HasPrefix(name, sdkFolder+"/") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "../") {
			t.Errorf("%s leads out of the project:\n%s", name, content)
		}
	}
}

// npmOffline is what npm says when it cannot reach a registry.
var npmOffline = regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED`)

// installCompiler does what the project's README says.
func installCompiler(t *testing.T, folder string) {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		skipWithout(t, err)
	}
	install := exec.CommandContext(t.Context(), npm, "install", "--prefer-offline", "--no-audit", "--no-fund")
	install.Dir = folder
	if output, err := install.CombinedOutput(); err != nil {
		if npmOffline.Match(output) {
			skipWithout(t, err)
		}
		t.Fatalf("npm install: %v\n%s", err, output)
	}
}

// packed makes an archive of files.
func packed(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for name, content := range files {
		w, err := archive.Create(name)
		if err == nil {
			_, err = w.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatCannotBeWrittenLeavesNothingBehind(t *testing.T) {
	good := map[string]string{
		"go/sdk/go.mod": "", "go/policy/go.mod": "module ceiling\n=> ../../../sdk/go", "go/policy/manifest.json": `"name": "ceiling"`,
	}
	with := func(name, content string) map[string]string {
		changed := map[string]string{name: content}
		for n, c := range good {
			if n != name {
				changed[n] = c
			}
		}
		return changed
	}
	ok := func(p Project) Project { return p }
	for name, c := range map[string]struct {
		archive []byte
		edit    func(Project) Project
		code    string
	}{
		"no archive":        {nil, ok, CodeArchiveInvalid},
		"a way out":         {packed(t, with("go/sdk/../../escape", "")), ok, CodeArchiveInvalid},
		"an absolute way":   {packed(t, with("go/sdk//etc/passwd", "")), ok, CodeArchiveInvalid},
		"a huge file":       {packed(t, with("go/sdk/huge", strings.Repeat("x", fileBytesMax+1))), ok, CodeArchiveInvalid},
		"another example":   {packed(t, with("go/policy/go.mod", "module other\n")), ok, CodeArchiveInvalid},
		"no such language":  {packed(t, good), func(p Project) Project { p.Language = "cobol"; return p }, CodeTemplateMissing},
		"no such kind":      {packed(t, good), func(p Project) Project { p.Kind = "rule"; return p }, CodeTemplateMissing},
		"no such template":  {packed(t, good), func(p Project) Project { p.Kind = abi.KindChain; return p }, CodeTemplateMissing},
		"a capital":         {packed(t, good), func(p Project) Project { p.Name = "Ceiling"; return p }, CodeNameInvalid},
		"a path":            {packed(t, good), func(p Project) Project { p.Name = "../x"; return p }, CodeNameInvalid},
		"a long name":       {packed(t, good), func(p Project) Project { p.Name = strings.Repeat("a", 65); return p }, CodeNameInvalid},
		"a folder in use":   {packed(t, good), func(p Project) Project { p.Folder = filepath.Dir(p.Folder); return p }, CodeExists},
		"no parent folder":  {packed(t, good), func(p Project) Project { p.Folder = filepath.Join(p.Folder, "a", "b"); return p }, "internal"},
		"everything's fine": {packed(t, good), ok, ""},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := Write(c.archive, c.edit(Project{Name: "mine", Language: toolchain.Go, Kind: abi.KindPolicy, Folder: filepath.Join(parent, "mine")}))
			if abi.CodeOf(err) != c.code {
				t.Errorf("%v, want %s", err, c.code)
			}
			left, readErr := os.ReadDir(parent)
			if readErr != nil || (c.code != "") != (len(left) == 0) {
				t.Errorf("left behind: %v %v", left, readErr)
			}
		})
	}
}

func FuzzWriteStaysInItsFolder(f *testing.F) {
	f.Add([]byte("PK"), "mine")
	f.Add([]byte{}, "../x")
	f.Fuzz(func(t *testing.T, archive []byte, name string) {
		parent := t.TempDir()
		_, err := Write(archive, Project{Name: name, Language: toolchain.Go, Kind: abi.KindPolicy, Folder: filepath.Join(parent, "mine")})
		left, readErr := os.ReadDir(parent)
		if readErr != nil || (err != nil && len(left) > 0) || len(left) > 1 {
			t.Fatalf("%v left %v %v", err, left, readErr)
		}
	})
}
