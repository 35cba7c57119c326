package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/purserhq/purser/abi"
)

// folder is an OCI layout folder. Everything in it is a claim, as from a registry: it may come from a stranger's
// archive. os.Root keeps every path inside, and links are not followed even there.
type folder struct {
	root *os.Root
	path string
}

var _ place = (*folder)(nil)

const blobFolder = "blobs/sha256"

// openFolder opens a layout that exists.
func openFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, &abi.Error{Code: CodeNotFound, Message: "there is no such folder", Where: path, Cause: err, Fix: "check the path after oci:"}
	}
	f := &folder{root, path}
	if err := f.checkVersion(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *folder) close() { _ = f.root.Close() } // nothing is written through it

func (f *folder) checkVersion() error {
	version, err := f.read(ocispec.ImageLayoutFile, layoutBytesMax)
	if err != nil {
		return err
	}
	var layout ocispec.ImageLayout
	if err := json.Unmarshal(version, &layout); err != nil || layout.Version != ocispec.ImageLayoutVersion {
		return f.bad(fmt.Sprintf("%s does not say version %s", ocispec.ImageLayoutFile, ocispec.ImageLayoutVersion), err)
	}
	return nil
}

// read returns a regular file's content. Each folder on the way must be one, and not a link to one.
func (f *folder) read(name string, bytesMax int64) ([]byte, error) {
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		if info, err := f.root.Lstat(at); err == nil && !info.IsDir() {
			return nil, f.bad(at+" is not a folder", nil)
		}
	}
	before, err := f.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &abi.Error{Code: CodeNotFound, Message: "the folder has no " + name, Where: f.path, Fix: "check the tag or digest; an OCI layout holds oci-layout, index.json and blobs"}
	}
	if err != nil {
		return nil, f.bad(name+" cannot be read", err)
	}
	if !before.Mode().IsRegular() { // a link, or a pipe that would never end
		return nil, f.bad(name+" is not a plain file", nil)
	}
	if before.Size() > bytesMax {
		return nil, &abi.Error{Code: CodeArtifactTooLarge, Message: fmt.Sprintf("%s has %d bytes, at most %d are read", name, before.Size(), bytesMax), Where: f.path}
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, f.bad(name+" cannot be read", err)
	}
	defer func() { _ = file.Close() }() // only read
	if after, err := file.Stat(); err != nil || !os.SameFile(before, after) {
		return nil, f.bad(name+" changed while it was read", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, bytesMax+1))
	if err == nil && int64(len(data)) > bytesMax {
		err = errors.New("it grew while it was read")
	}
	if err != nil {
		return nil, f.bad(name+" cannot be read", err)
	}
	return data, nil
}

func (f *folder) bad(problem string, cause error) error {
	return &abi.Error{Code: CodeLayoutInvalid, Message: problem, Where: f.path, Cause: cause, Fix: "use a folder that `purser plugin push` or another OCI tool wrote"}
}

func (f *folder) index() (ocispec.Index, error) {
	var index ocispec.Index
	data, err := f.read(ocispec.ImageIndexFile, indexBytesMax)
	if err != nil {
		return index, err
	}
	if err := json.Unmarshal(data, &index); err != nil || index.SchemaVersion != 2 {
		return index, f.bad(ocispec.ImageIndexFile+" cannot be read", err)
	}
	if len(index.Manifests) > indexEntriesMax {
		return index, f.bad(fmt.Sprintf("%s lists %d manifests, at most %d are read", ocispec.ImageIndexFile, len(index.Manifests), indexEntriesMax), nil)
	}
	return index, nil
}

func (f *folder) resolve(_ context.Context, reference string) (ocispec.Descriptor, error) {
	index, err := f.index()
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	var found *ocispec.Descriptor
	for i, entry := range index.Manifests {
		if entry.Digest.String() != reference && entry.Annotations[ocispec.AnnotationRefName] != reference {
			continue
		}
		if found != nil && found.Digest != entry.Digest {
			return ocispec.Descriptor{}, f.bad(fmt.Sprintf("%s names two manifests %.128q", ocispec.ImageIndexFile, reference), nil)
		}
		found = &index.Manifests[i]
	}
	if found == nil {
		return ocispec.Descriptor{}, &abi.Error{Code: CodeNotFound, Message: fmt.Sprintf("the folder has no %.128s", reference), Where: f.path, Fix: "check the tag or digest"}
	}
	return ocispec.Descriptor{MediaType: found.MediaType, Digest: found.Digest, Size: found.Size}, nil
}

func (f *folder) fetch(_ context.Context, target ocispec.Descriptor) ([]byte, error) {
	if err := checkDescriptor(target, abi.ModuleBytesMax); err != nil {
		return nil, err
	}
	data, err := f.read(blobPath(target.Digest), target.Size)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != target.Size || digest.FromBytes(data) != target.Digest {
		return nil, &abi.Error{Code: CodeDigestMismatch, Message: fmt.Sprintf("the file is not %s of %d bytes", target.Digest, target.Size), Where: f.path, Fix: "do not use this folder"}
	}
	return data, nil
}

func blobPath(d digest.Digest) string {
	return path.Join(blobFolder, strings.TrimPrefix(d.String(), digestScheme))
}

func (f *folder) referrers(ctx context.Context, subject ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	index, err := f.index()
	if err != nil {
		return nil, err
	}
	var all []ocispec.Descriptor
	for _, entry := range index.Manifests {
		known := slices.ContainsFunc(all, func(d ocispec.Descriptor) bool { return d.Digest == entry.Digest })
		if known || entry.Digest == subject.Digest || !mayBeSignature(entry) {
			continue
		}
		// An index does not say whose referrer an entry is.
		content, err := f.fetch(ctx, entry)
		if err != nil {
			return nil, err
		}
		if _, ok := readReferrer(content, subject); !ok {
			continue
		}
		if len(all) == referrersMax {
			return nil, tooManyReferrers()
		}
		all = append(all, ocispec.Descriptor{MediaType: entry.MediaType, Digest: entry.Digest, Size: entry.Size})
	}
	return all, nil
}
