// Command vectors writes the golden vectors of ABI 1 to abi/testdata/v1. Once
// that folder holds a file FROZEN, it refuses to change any vector file there:
// a case may be added to a frozen ABI by a new file only.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/internal/gen/vectors/golden"
)

const frozenName = "FROZEN"

func run(folder string) error {
	files, err := golden.Files()
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(folder, frozenName))
	frozen := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range files {
		path := filepath.Join(folder, f.Name)
		old, err := os.ReadFile(path) //nolint:gosec // the path is made of constants and message names
		if err == nil && bytes.Equal(old, f.Text) {
			continue
		}
		if err == nil && frozen && f.Name != golden.SumsName {
			return fmt.Errorf("%s is frozen: released vectors never change", path)
		}
		if err := os.WriteFile(path, f.Text, 0o644); err != nil { //nolint:gosec // vectors are for everybody to read
			return err
		}
	}
	return nil
}

func main() {
	root := flag.String("root", ".", "folder of the repository")
	flag.Parse()
	if err := run(filepath.Join(*root, "abi", "testdata", "v1")); err != nil {
		fmt.Fprintln(os.Stderr, "vectors:", err)
		os.Exit(1)
	}
}
