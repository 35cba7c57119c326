package sdktest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^)]+)\)`)
	checkout = regexp.MustCompile(`^https://github\.com/purserhq/purser/(?:blob|tree)/main/([^#]+)`)
)

// `purser plugin new` copies an SDK with its README out of the repository, where relative links and internal commands
// lead nowhere.
func TestTheReadmesOfTheSDKsAreTrueOutsideOfTheRepository(t *testing.T) {
	for _, sdk := range []string{"sdk/go", rustSDK, assemblyScriptSDK, cSDK} {
		readme := string(readFile(t, filepath.Join(root, sdk, "README.md")))
		found := 0
		for _, match := range link.FindAllStringSubmatch(readme, -1) {
			if !strings.HasPrefix(match[1], "https://") {
				t.Errorf("%s: %s leads nowhere in a copy", sdk, match[1])
			}
			if inside := checkout.FindStringSubmatch(match[1]); inside != nil {
				found++
				if _, err := os.Stat(filepath.Join(root, inside[1])); err != nil {
					t.Errorf("%s: %v", sdk, err)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s: no link to the contract", sdk)
		}
		if strings.Contains(readme, "internal/gen") {
			t.Errorf("%s: shows an internal command", sdk)
		}
		for _, want := range []string{"## What a policy sees", "purser plugin new --lang ", "purser plugin build"} {
			if !strings.Contains(readme, want) {
				t.Errorf("%s: lacks %q", sdk, want)
			}
		}
	}
}
