package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/purserhq/purser/abi"
)

// repository is a place in a registry.
type repository struct{ remote *remote.Repository }

var _ place = repository{}

func (c *Client) repository(reference Reference) (place, error) {
	client := &auth.Client{
		Client: &http.Client{Transport: c.guarded(hostOf(reference.Host)), CheckRedirect: checkRedirect},
		Cache:  auth.NewCache(),
	}
	client.SetUserAgent(c.config.UserAgent)
	if c.config.DockerCredentials {
		store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
		if err != nil {
			return nil, &abi.Error{Code: "config_invalid", Message: "Docker's configuration cannot be read", Cause: err, Fix: "repair it, or set DOCKER_CONFIG"}
		}
		client.Credential = credentials.Credential(store)
	}
	known := registry.Reference{Registry: reference.Host, Repository: reference.Name}
	return repository{&remote.Repository{
		Client: client, Reference: known, PlainHTTP: c.config.PlainHTTP || isLoopback(hostOf(reference.Host)),
		ManifestMediaTypes: []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex},
		MaxMetadataBytes:   manifestBytesMax, ReferrerListMaxPages: referrerPagesMax,
		SkipReferrersGC: true, // registries that keep the list under a tag often forbid to delete the old one
	}}, nil
}

func (repository) close() {} // connections are the client's

func hostOf(hostPort string) string {
	host := hostPort
	if colon := strings.LastIndexByte(hostPort, ':'); colon > strings.LastIndexByte(hostPort, ']') {
		host = hostPort[:colon]
	}
	return strings.Trim(host, "[]")
}

func (r repository) resolve(ctx context.Context, reference string) (ocispec.Descriptor, error) {
	found, err := r.remote.Resolve(ctx, reference)
	return found, r.explain(err)
}

func (r repository) fetch(ctx context.Context, target ocispec.Descriptor) ([]byte, error) {
	data, err := content.FetchAll(ctx, r.remote, target)
	return data, r.explain(err)
}

func (r repository) push(ctx context.Context, target ocispec.Descriptor, data []byte) error {
	if target.MediaType != ocispec.MediaTypeImageManifest { // what is there need not travel again
		if exists, err := r.remote.Exists(ctx, target); err != nil || exists {
			return r.explain(err)
		}
	}
	return r.explain(r.remote.Push(ctx, target, bytes.NewReader(data)))
}

func (r repository) tag(ctx context.Context, target ocispec.Descriptor, data []byte, tag string) error {
	return r.explain(r.remote.PushReference(ctx, target, bytes.NewReader(data), tag))
}

func (r repository) referrers(ctx context.Context, subject ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	var all []ocispec.Descriptor
	// No type is asked for: some registries list the config's type in its place, and would leave ours out.
	err := r.remote.Referrers(ctx, subject, "", func(page []ocispec.Descriptor) error {
		for _, entry := range page {
			if !mayBeSignature(entry) {
				continue
			}
			if len(all) == referrersMax {
				return tooManyReferrers()
			}
			all = append(all, entry)
		}
		return nil
	})
	return all, r.explain(err)
}

func tooManyReferrers() error {
	return &abi.Error{Code: CodeReferrersTooMany, Message: fmt.Sprintf("the plugin has more than %d signatures", referrersMax), Fix: "delete those that nobody asks for"}
}

// refusesConfig holds for answers by which registries refuse a manifest for the types in it.
func refusesConfig(err error) bool {
	var answer *errcode.ErrorResponse
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusMethodNotAllowed:
		return strings.Contains(answer.URL.Path, "/manifests/")
	}
	return false
}

// explain gives an error of the registry, or of the way to it, a code.
func (r repository) explain(err error) error {
	if err == nil {
		return nil
	}
	if coded := (&abi.Error{}); errors.As(err, &coded) { // ours, from below the client: without its address around it
		return coded
	}
	where := r.remote.Reference.Registry + "/" + r.remote.Reference.Repository
	cause := peerError{err}
	var answer *errcode.ErrorResponse
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errdef.ErrNotFound):
		return &abi.Error{Code: CodeNotFound, Message: "the registry has no such plugin", Where: where, Cause: cause, Fix: "check the name, and the tag or digest"}
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize):
		return &abi.Error{Code: CodeDigestMismatch, Message: "the registry gave other bytes than the digest names", Where: where, Cause: cause, Fix: "do not use this registry"}
	case errors.Is(err, errdef.ErrSizeExceedsLimit):
		return &abi.Error{Code: CodeArtifactTooLarge, Message: "the registry's answer is too large", Where: where, Cause: cause}
	case errors.Is(err, errdef.ErrTooManyPages):
		return tooManyReferrers()
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden), errors.Is(err, auth.ErrBasicCredentialNotFound):
		return &abi.Error{Code: CodeRegistryDenied, Message: "the registry denies access", Where: where, Cause: cause, Fix: "log in with `docker login` or `oras login`"}
	case errors.As(err, &answer):
		return &abi.Error{Code: CodeRegistryFailed, Message: fmt.Sprintf("the registry answers with status %d", answer.StatusCode), Where: where, Cause: cause, Retry: abi.RetryLater}
	}
	return &abi.Error{Code: CodeRegistryFailed, Message: "the registry cannot be used", Where: where, Cause: cause, Retry: abi.RetryLater, Fix: "check the address and the network"}
}

// peerError carries an error that may quote a registry: cut, and without what a terminal would act on.
type peerError struct{ cause error }

func (e peerError) Unwrap() error { return e.cause }

func (e peerError) Error() string {
	text := e.cause.Error()
	if len(text) > peerTextBytesMax {
		text = text[:peerTextBytesMax] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
