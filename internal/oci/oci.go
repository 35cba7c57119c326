// Package oci carries plugins to and from OCI registries and OCI layout folders, in the layout of the CNCF's Wasm
// artifacts, with the signature beside them as a referrer. It refuses what is not pinned by a SHA-256 digest once it
// is resolved, what is larger than a plugin may be, and paths and links in a folder that lead elsewhere; it trusts no
// registry and never says that a module is to be trusted: that is internal/trust.
//
// Registries are spoken to by oras-go. Folders are read here: oras-go's own store reads an index.json of any size and
// follows links, which is right for a tool's cache and wrong for a folder that a stranger handed over. The format is
// image-spec 1.1, https://github.com/opencontainers/image-spec.
package oci

import (
	"context"
	"fmt"
	"net/http"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/purserhq/purser/abi"
)

// Bounds of what is read from a registry or a folder.
const (
	// manifestBytesMax bounds a plugin's OCI manifest, which may carry the plugin's own manifest as an annotation.
	manifestBytesMax = 1 << 20
	// configBytesMax bounds the config blob.
	configBytesMax = abi.ManifestBytesMax + 4<<10
	// referrerBytesMax bounds the manifest of a signature.
	referrerBytesMax = 64 << 10
	// referrersMax bounds how many signatures of one plugin are looked at, referrerPagesMax in how many answers.
	referrersMax     = 64
	referrerPagesMax = 16
	// indexBytesMax and indexEntriesMax bound the index.json of a folder.
	indexBytesMax   = 1 << 20
	indexEntriesMax = 1024
	layoutBytesMax  = 1 << 10
	// timeoutDefault bounds a whole push or pull, responseTimeMax the wait for an answer's header.
	timeoutDefault  = 5 * time.Minute
	responseTimeMax = 30 * time.Second
	connectTimeMax  = 10 * time.Second
	redirectsMax    = 5
	// peerTextBytesMax bounds what is repeated of a registry's own words.
	peerTextBytesMax = 512
)

// Codes of this package's errors.
const (
	// CodeReferenceInvalid: the reference names no place.
	CodeReferenceInvalid = "reference_invalid"
	// CodeArtifactInvalid: what is there is no plugin, or is another than it says.
	CodeArtifactInvalid = "artifact_invalid"
	// CodeArtifactTooLarge: what is there is larger than a plugin may be.
	CodeArtifactTooLarge = "artifact_too_large"
	// CodeDigestMismatch: the bytes are not those that the digest names.
	CodeDigestMismatch = "digest_mismatch"
	// CodeLayoutInvalid: the folder is no OCI layout, or holds links.
	CodeLayoutInvalid = "layout_invalid"
	// CodeNotFound: there is nothing under that reference.
	CodeNotFound = "not_found"
	// CodeRegistryInsecure: the registry would be spoken to without TLS.
	CodeRegistryInsecure = "registry_insecure"
	// CodeRegistryDenied: the registry wants other credentials.
	CodeRegistryDenied = "registry_denied"
	// CodeRegistryFailed: the registry cannot be reached, or answers with an error.
	CodeRegistryFailed = "registry_failed"
	// CodeReferrersTooMany: more signatures than are looked at.
	CodeReferrersTooMany = "referrers_too_many"
)

// Config of a Client. The zero value is for registries with TLS, without credentials.
type Config struct {
	// PlainHTTP allows registries without TLS. Those on this machine's loopback need no permission.
	PlainHTTP bool
	// DockerCredentials looks the registry up in Docker's configuration (DOCKER_CONFIG, or ~/.docker), which may name
	// a helper program that is then run.
	DockerCredentials bool
	// Timeout bounds one Push or Pull; zero means five minutes.
	Timeout time.Duration
	// UserAgent names the program to registries; empty means "purser".
	UserAgent string
}

// Client pushes and pulls. It is safe for concurrent use; two pushes into one folder at once may lose one's tag.
type Client struct {
	config    Config
	transport http.RoundTripper // below the guard
}

// New checks the configuration. It makes no connection.
func New(config Config) (*Client, error) {
	if config.Timeout < 0 {
		return nil, &abi.Error{Code: "config_invalid", Message: fmt.Sprintf("a timeout of %s", config.Timeout), Where: "timeout"}
	}
	if config.Timeout == 0 {
		config.Timeout = timeoutDefault
	}
	if config.UserAgent == "" {
		config.UserAgent = "purser"
	}
	return &Client{config: config, transport: newTransport()}, nil
}

// place is where artifacts are: a repository of a registry, or a folder. What fetch returns matches the descriptor's
// size and digest.
type place interface {
	resolve(ctx context.Context, reference string) (ocispec.Descriptor, error)
	fetch(ctx context.Context, target ocispec.Descriptor) ([]byte, error)
	push(ctx context.Context, target ocispec.Descriptor, content []byte) error
	tag(ctx context.Context, target ocispec.Descriptor, content []byte, tag string) error
	// referrers lists manifests that may be signatures of the subject (mayBeSignature), at most referrersMax.
	referrers(ctx context.Context, subject ocispec.Descriptor) ([]ocispec.Descriptor, error)
	close()
}

func (c *Client) open(reference Reference, create bool) (place, error) {
	if reference.Folder != "" {
		if create {
			return createFolder(reference.Folder)
		}
		return openFolder(reference.Folder)
	}
	return c.repository(reference)
}
