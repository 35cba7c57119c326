package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/purserhq/purser/abi"
)

// Modes of what is written: plugins are no secret, and the co-signer may run as another user.
const (
	folderMode = 0o755
	fileMode   = 0o644
)

// createFolder opens a layout, or makes one where there is nothing or an empty folder.
func createFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, folderMode); err != nil { //nolint:gosec // see folderMode
		return nil, &abi.Error{Code: CodeLayoutInvalid, Message: "the folder cannot be made", Where: path, Cause: err}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, &abi.Error{Code: CodeLayoutInvalid, Message: "the folder cannot be read", Where: path, Cause: err}
	}
	if len(entries) > 0 {
		return openFolder(path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, &abi.Error{Code: CodeLayoutInvalid, Message: "the folder cannot be opened", Where: path, Cause: err}
	}
	f := &folder{root, path}
	if err := f.begin(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// begin writes what makes an empty folder a layout; the file that says so comes last.
func (f *folder) begin() error {
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	if err := f.writeIndex(index); err != nil {
		return err
	}
	layout, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return fmt.Errorf("encode layout: %w", err)
	}
	return f.write(ocispec.ImageLayoutFile, layout)
}

// write puts a whole file in place or none. Whatever is there under that name, a link too, is replaced and not followed.
func (f *folder) write(name string, content []byte) error {
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		if info, err := f.root.Lstat(at); err == nil && !info.IsDir() {
			return f.bad(at+" is not a folder", nil)
		}
	}
	if err := f.root.MkdirAll(path.Dir(name), folderMode); err != nil {
		return f.bad(name+" cannot be written", err)
	}
	temporary := name + ".part"
	if err := f.root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.bad(temporary+" is in the way", err)
	}
	file, err := f.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return f.bad(name+" cannot be written", err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = f.root.Rename(temporary, name)
	}
	if err != nil {
		_ = f.root.Remove(temporary) // the first error is the one to report
		return f.bad(name+" cannot be written", err)
	}
	return nil
}

func (f *folder) writeIndex(index ocispec.Index) error {
	content, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("encode index: %w", err)
	}
	if len(content) > indexBytesMax || len(index.Manifests) > indexEntriesMax {
		return f.bad(fmt.Sprintf("the folder holds %d manifests already", len(index.Manifests)-1), nil)
	}
	return f.write(ocispec.ImageIndexFile, content)
}

// push writes a blob, and lists a manifest in the index: there is no other way to find a referrer in a folder.
func (f *folder) push(ctx context.Context, target ocispec.Descriptor, content []byte) error {
	if err := f.write(blobPath(target.Digest), content); err != nil {
		return err
	}
	if target.MediaType != ocispec.MediaTypeImageManifest {
		return nil
	}
	index, err := f.index()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(index.Manifests, func(d ocispec.Descriptor) bool { return d.Digest == target.Digest }) {
		return nil
	}
	index.Manifests = append(index.Manifests, target)
	return f.writeIndex(index)
}

// tag gives a manifest that was pushed a name, which any other manifest loses.
func (f *folder) tag(_ context.Context, target ocispec.Descriptor, _ []byte, tag string) error {
	index, err := f.index()
	if err != nil {
		return err
	}
	kept := make([]ocispec.Descriptor, 0, len(index.Manifests)+1)
	for _, entry := range index.Manifests {
		if entry.Annotations[ocispec.AnnotationRefName] == tag {
			entry.Annotations = maps.Clone(entry.Annotations)
			delete(entry.Annotations, ocispec.AnnotationRefName)
		}
		if entry.Digest != target.Digest || entry.Annotations[ocispec.AnnotationRefName] != "" {
			kept = append(kept, entry)
		}
	}
	target.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	index.Manifests = append(kept, target)
	return f.writeIndex(index)
}
