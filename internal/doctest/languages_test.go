package doctest

import (
	"strings"
	"testing"
)

// The same policy in four languages, as examples/ceiling holds and its tests run it.
func TestTheReadmeShowsTheCeilingInEveryLanguage(t *testing.T) {
	readme := read(t, "README.md").text
	for language, path := range map[string]string{
		"go": "go/main.go", "rust": "rust/src/lib.rs", "typescript": "assemblyscript/policy.ts", "c": "c/ceiling.c",
	} {
		source := read(t, "examples/ceiling/"+path).text
		if !strings.Contains(readme, "```"+language+"\n"+source+"```\n") {
			t.Errorf("README.md shows other %s code than examples/ceiling/%s", language, path)
		}
	}
}
