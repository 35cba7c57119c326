// Command sdkarchive packs the SDKs and the plugin templates into one archive that the binary embeds, so that
// `purser plugin new` works anywhere. It refuses to pack what only this repository needs: tests of the SDKs, build
// results, installed packages.
package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// part is a folder that is packed under another name. LANG/sdk is the SDK; LANG/policy and LANG/chain are the
// examples that new projects start from.
type part struct{ from, to string }

var languages = []string{"go", "rust", "assemblyscript", "c"}

func parts() []part {
	var list []part
	for _, language := range languages {
		list = append(list,
			part{"sdk/" + language, language + "/sdk"},
			part{"examples/ceiling/" + language, language + "/policy"},
			part{"examples/adapter/" + language, language + "/chain"},
		)
	}
	return list
}

// archiveBytesMax keeps somebody's build results from slipping into every binary.
const archiveBytesMax = 2 << 20

var (
	// skippedFolders hold nothing that an author needs.
	skippedFolders = []string{"node_modules", "testdata", "tests", "target", "dist", "examples"}
	// skippedFiles name or lock what a project makes again with its own paths.
	skippedFiles = []string{"readme_test.go", "package-lock.json", "Cargo.lock", ".gitignore"}
)

// packed reports whether a file belongs in the archive.
func packed(name string, isSDK bool) bool {
	base := path.Base(name)
	switch {
	case slices.Contains(skippedFiles, base), strings.HasSuffix(base, ".wasm"), strings.HasPrefix(base, "."):
		return false
	case isSDK && strings.HasSuffix(base, "_test.go"), !isSDK && base == "build.sh": // the second is for this repository
		return false
	}
	return !slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(folder string) bool { return slices.Contains(skippedFolders, folder) })
}

// pack makes the same archive of the same files on any machine: sorted names, one date, no modes.
func pack(root fs.FS) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, p := range parts() {
		err := fs.WalkDir(root, p.from, func(name string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && name == p.from {
				return fs.SkipDir // an SDK without this template
			}
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if slices.Contains(skippedFolders, entry.Name()) {
					return fs.SkipDir
				}
				return nil
			}
			relative := strings.TrimPrefix(name, p.from+"/")
			if !entry.Type().IsRegular() || !packed(relative, strings.HasPrefix(p.from, "sdk/")) {
				return nil
			}
			content, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			w, err := archive.CreateHeader(&zip.FileHeader{Name: path.Join(p.to, relative), Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				return err
			}
			_, err = w.Write(content)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", p.from, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if out.Len() > archiveBytesMax {
		return nil, fmt.Errorf("the archive has %d bytes, at most %d: something does not belong in it", out.Len(), archiveBytesMax)
	}
	return out.Bytes(), nil
}

func run(root, out string) error {
	archive, err := pack(os.DirFS(root))
	if err != nil {
		return err
	}
	// An unchanged file keeps its time, and the go tool its compiled packages.
	if before, err := os.ReadFile(out); err == nil && bytes.Equal(before, archive) {
		return nil
	}
	scratch := out + ".new"
	if err := os.WriteFile(scratch, archive, 0o644); err != nil {
		return err
	}
	return os.Rename(scratch, out)
}

func main() {
	root := flag.String("root", ".", "the repository")
	out := flag.String("out", "", "where to write the archive")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "sdkarchive:", err)
		os.Exit(1)
	}
}
