package toolchain

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
)

// marks are the files that tell a language, as patterns below the folder.
var marks = []struct {
	language Language
	patterns []string
}{
	{Go, []string{"go.mod"}},
	{Rust, []string{"Cargo.toml"}},
	{AssemblyScript, []string{"package.json", "asconfig.json", "assembly/*.ts"}},
	{C, []string{"*.c"}},
}

// Detect says which language a plugin's folder is written in.
func Detect(folder string) (Language, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return "", &abi.Error{Code: CodeLanguageUnknown, Message: "there is no such folder", Where: folder, Cause: err, Fix: "name the folder of the plugin's source"}
	}
	var found []Language
	for _, mark := range marks {
		for _, pattern := range mark.patterns {
			matches, err := filepath.Glob(filepath.Join(globEscape(folder), pattern))
			if err != nil {
				return "", fmt.Errorf("look for %s: %w", pattern, err)
			}
			if len(matches) > 0 {
				found = append(found, mark.language)
				break
			}
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	message := "the folder holds no go.mod, Cargo.toml, package.json or C source"
	if len(found) > 1 {
		message = fmt.Sprintf("the folder holds sources of %v", found)
	}
	return "", &abi.Error{Code: CodeLanguageUnknown, Message: message, Where: folder, Fix: "keep one plugin in a folder; purser plugin new starts one"}
}

// globEscape keeps a folder's own name from being read as a pattern.
func globEscape(path string) string {
	var escaped []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, r)
	}
	return string(escaped)
}
