// Package scaffold writes a new plugin's project: a working example of this repository under the author's own name,
// with a copy of the SDK beside it, so that it builds anywhere and without a network. It refuses to touch a folder that
// exists.
package scaffold

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/toolchain"
)

// Codes of this package's errors.
const (
	// CodeTemplateMissing: there is no template of that kind for that language.
	CodeTemplateMissing = "template_missing"
	// CodeExists: the project's folder exists already.
	CodeExists = "already_exists"
	// CodeNameInvalid: the name cannot be a plugin's.
	CodeNameInvalid = "name_invalid"
	// CodeArchiveInvalid: the archive of SDKs is not one that this version understands.
	CodeArchiveInvalid = "sdk_archive_invalid"
)

// Project says what to write.
type Project struct {
	// Name is the plugin's, lower-case words joined by dashes.
	Name     string
	Language toolchain.Language
	Kind     abi.Kind
	// Folder must not exist; its parent must.
	Folder string
}

const (
	// sdkFolder is the copy of the SDK in every project.
	sdkFolder     = "purser-sdk"
	nameBytesMax  = 64
	fileBytesMax  = 1 << 20
	filesMax      = 1_000
	manifestFile  = "manifest.json"
	filePermitted = 0o644 // source, for everybody to read
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Write writes a project from the archive that internal/gen/sdkarchive packed, and returns its files, sorted. A failure
// leaves nothing behind.
func Write(archive []byte, p Project) ([]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	files, err := p.files(archive)
	if err != nil {
		return nil, err
	}
	// Written beside its place and renamed, so that what is there is whole.
	scratch, err := os.MkdirTemp(filepath.Dir(filepath.Clean(p.Folder)), ".purser-new-*")
	if err != nil {
		return nil, fmt.Errorf("make project: %w", err)
	}
	names, err := writeAll(scratch, files)
	if err == nil {
		err = errors.Join(os.Chmod(scratch, 0o755), os.Rename(scratch, p.Folder)) //nolint:gosec // a project like any other
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write project: %w", err), os.RemoveAll(scratch))
	}
	return names, nil
}

func (p Project) check() error {
	if !nameForm.MatchString(p.Name) || len(p.Name) > nameBytesMax {
		return &abi.Error{Code: CodeNameInvalid, Where: p.Name, Message: "a plugin's name is lower-case words joined by dashes, at most 64 bytes", Fix: "choose a name such as price-ceiling"}
	}
	if !slices.Contains(toolchain.Languages(), p.Language) {
		return &abi.Error{Code: CodeTemplateMissing, Where: "--lang", Message: fmt.Sprintf("%.40q is no language with an SDK", p.Language), Fix: fmt.Sprintf("use one of %v", toolchain.Languages())}
	}
	if p.Kind != abi.KindPolicy && p.Kind != abi.KindChain {
		return &abi.Error{Code: CodeTemplateMissing, Where: "--kind", Message: fmt.Sprintf("%.40q is no kind of plugin", p.Kind), Fix: "use policy or chain"}
	}
	if _, err := os.Lstat(p.Folder); err == nil {
		return &abi.Error{Code: CodeExists, Where: p.Folder, Message: "the folder exists already", Fix: "choose another name, or remove it"}
	}
	return nil
}

// files are the project's, by their path in it.
func (p Project) files(archive []byte) (map[string][]byte, error) {
	sdk, err := unpack(archive, path.Join(string(p.Language), "sdk"))
	if err != nil {
		return nil, err
	}
	template, err := unpack(archive, path.Join(string(p.Language), string(p.Kind)))
	if err != nil {
		return nil, err
	}
	if len(sdk) == 0 || len(template) == 0 {
		return nil, &abi.Error{
			Code: CodeTemplateMissing, Message: fmt.Sprintf("there is no template of a %s in %s", p.Kind, p.Language),
			Fix: "start from the SDK's README, or use another language",
		}
	}
	files, err := p.rename(template)
	if err != nil {
		return nil, err
	}
	for name, content := range sdk {
		files[path.Join(sdkFolder, name)] = content
	}
	files["README.md"] = []byte(p.readme())
	files[".gitignore"] = []byte("*.wasm\n/node_modules/\n/target/\n")
	return files, nil
}

// unpack returns the files of one folder of the archive.
func unpack(archive []byte, folder string) (map[string][]byte, error) {
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, badArchive("it cannot be read", err)
	}
	if len(reader.File) > filesMax {
		return nil, badArchive(fmt.Sprintf("it has more than %d files", filesMax), nil)
	}
	files := map[string][]byte{}
	for _, entry := range reader.File {
		name, inside := strings.CutPrefix(entry.Name, folder+"/")
		if !inside || strings.HasSuffix(name, "/") {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) || strings.Contains(name, `\`) {
			return nil, badArchive(fmt.Sprintf("%.80q leads out of it", entry.Name), nil)
		}
		content, err := entry.Open()
		if err != nil {
			return nil, badArchive("it cannot be read", err)
		}
		files[name], err = io.ReadAll(io.LimitReader(content, fileBytesMax+1))
		if err := errors.Join(err, content.Close()); err != nil {
			return nil, badArchive("it cannot be read", err)
		}
		if len(files[name]) > fileBytesMax {
			return nil, badArchive(fmt.Sprintf("%.80q is too large", entry.Name), nil)
		}
	}
	return files, nil
}

func badArchive(message string, cause error) error {
	return &abi.Error{Code: CodeArchiveInvalid, Message: "the archive of SDKs is damaged: " + message, Cause: cause, Fix: "run `make plugins` and build again"}
}

func writeAll(folder string, files map[string][]byte) ([]string, error) {
	var names []string
	for name, content := range files {
		target := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // a project like any other
			return nil, err
		}
		if err := os.WriteFile(target, content, filePermitted); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}
