package oci

import (
	"fmt"
	"regexp"
	"strings"

	"oras.land/oras-go/v2/registry"

	"github.com/purserhq/purser/abi"
)

// folderScheme begins a reference to a layout folder, as other tools write it.
const folderScheme = "oci:"

const (
	referenceBytesMax = 512
	digestScheme      = "sha256:"
	digestHexBytes    = 64
)

var (
	tagForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Reference names a plugin in a registry (HOST[:PORT]/NAME) or in a layout folder (oci:FOLDER), by tag (:TAG) or by
// digest (@sha256:…).
type Reference struct {
	// Folder is the path of a layout folder; empty for a registry.
	Folder string
	// Host and Name are the registry and the repository in it; empty for a folder.
	Host, Name string
	// Tag and Digest: exactly one is set.
	Tag, Digest string
}

// ParseReference reads a reference. No tag is assumed: "latest" is a habit that pins nothing. Only SHA-256 is known.
// The error has code reference_invalid.
func ParseReference(s string) (Reference, error) {
	if len(s) > referenceBytesMax || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Reference{}, badReference("the reference is too long or holds spaces", nil)
	}
	var parsed Reference
	rest := s
	if before, digest, ok := strings.Cut(s, "@"); ok {
		if rest, parsed.Digest = before, digest; !digestForm.MatchString(digest) {
			return Reference{}, badReference(fmt.Sprintf("%.80q is no digest", digest), nil)
		}
	}
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexAny(rest, `/\`) && !strings.HasSuffix(rest[:colon+1], folderScheme) {
		rest, parsed.Tag = rest[:colon], rest[colon+1:]
		if !tagForm.MatchString(parsed.Tag) {
			return Reference{}, badReference(fmt.Sprintf("%.80q is no tag", parsed.Tag), nil)
		}
	}
	if parsed.Digest != "" {
		parsed.Tag = "" // the digest says it exactly
	} else if parsed.Tag == "" {
		return Reference{}, badReference(fmt.Sprintf("%.200q has neither a tag nor a digest", s), nil)
	}
	if folder, ok := strings.CutPrefix(rest, folderScheme); ok {
		if parsed.Folder = folder; folder == "" {
			return Reference{}, badReference("no folder is named", nil)
		}
		return parsed, nil
	}
	known, err := registry.ParseReference(rest)
	if err != nil {
		return Reference{}, badReference(fmt.Sprintf("%.200q names no repository", s), err)
	}
	parsed.Host, parsed.Name = known.Registry, known.Repository
	return parsed, nil
}

// String is the reference as ParseReference reads it.
func (r Reference) String() string {
	at := ":" + r.Tag
	if r.Digest != "" {
		at = "@" + r.Digest
	}
	if r.Folder != "" {
		return folderScheme + r.Folder + at
	}
	return r.Host + "/" + r.Name + at
}

// pinned is the same place, by digest.
func (r Reference) pinned(digest string) Reference {
	r.Tag, r.Digest = "", digest
	return r
}

func (r Reference) target() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}

func badReference(problem string, cause error) error {
	return &abi.Error{
		Code: CodeReferenceInvalid, Message: problem, Cause: cause,
		Fix: "write registry.example/team/plugin:1.0.0, oci:FOLDER:1.0.0, or either with @sha256:… in place of the tag",
	}
}
