package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

// Pulled is a plugin whose bytes are those that the digest names. Nothing in it was verified against a signer.
type Pulled struct {
	// Reference is by digest, also where a tag was asked for: pin this one.
	Reference Reference
	// ModuleSHA256 is what policies pin, lower-case hex.
	ModuleSHA256 string
	Manifest     *abi.Manifest
	Module       []byte
	// Signatures are well-formed signature files found beside the plugin, at most 64, in an order that does not change.
	// Whoever may push may add some.
	Signatures [][]byte
}

// Pull gets a plugin. A tag is resolved once, to a digest; from then on everything is fetched by digest and checked.
func (c *Client) Pull(ctx context.Context, reference Reference) (Pulled, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	from, err := c.open(reference, false)
	if err != nil {
		return Pulled{}, err
	}
	defer from.close()
	return pull(ctx, from, reference)
}

func pull(ctx context.Context, from place, reference Reference) (Pulled, error) {
	subject, err := from.resolve(ctx, reference.target())
	if err != nil {
		return Pulled{}, err
	}
	if reference.Digest != "" && subject.Digest.String() != reference.Digest {
		return Pulled{}, &abi.Error{Code: CodeDigestMismatch, Message: "another digest was resolved than was asked for", Where: reference.String()}
	}
	if subject.MediaType != ocispec.MediaTypeImageManifest {
		return Pulled{}, badArtifact("this is not one WebAssembly module in OCI's layout", nil)
	}
	if err := checkDescriptor(subject, manifestBytesMax); err != nil {
		return Pulled{}, err
	}
	content, err := from.fetch(ctx, subject)
	if err != nil {
		return Pulled{}, err
	}
	manifest, err := readManifest(content)
	if err != nil {
		return Pulled{}, err
	}
	config, err := from.fetch(ctx, manifest.Config)
	if err != nil {
		return Pulled{}, err
	}
	layer := manifest.Layers[0]
	module, err := from.fetch(ctx, layer)
	if err != nil {
		return Pulled{}, err
	}
	document, err := trust.ManifestDocument(module)
	if err != nil {
		return Pulled{}, err
	}
	about, err := abi.ParseManifest(document)
	if err != nil {
		return Pulled{}, err
	}
	if err := checkConfig(manifest, config, document); err != nil {
		return Pulled{}, err
	}
	signatures, err := signaturesOf(ctx, from, subject)
	if err != nil {
		return Pulled{}, err
	}
	return Pulled{reference.pinned(subject.Digest.String()), layer.Digest.Encoded(), about, module, signatures}, nil
}

// signaturesOf fetches the signatures of a plugin. One that is malformed is passed over: it verifies nothing, and must
// not keep a good one from being seen.
func signaturesOf(ctx context.Context, from place, subject ocispec.Descriptor) ([][]byte, error) {
	listed, err := from.referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(listed, func(a, b ocispec.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) })
	var signatures [][]byte
	for _, referrer := range listed {
		content, err := from.fetch(ctx, referrer)
		if abi.CodeOf(err) == CodeNotFound { // a list may be older than what was deleted
			continue
		}
		if err != nil {
			return nil, err
		}
		layer, ok := readReferrer(content, subject)
		if !ok {
			continue
		}
		signature, err := from.fetch(ctx, layer)
		if err != nil {
			return nil, err
		}
		if _, err := trust.ParseSignature(signature); err == nil {
			signatures = append(signatures, signature)
		}
	}
	return signatures, nil
}

// mayBeSignature bounds what is fetched in the search for signatures, by what a list says of it: the type of the
// artifact, or of its config, or nothing.
func mayBeSignature(entry ocispec.Descriptor) bool {
	switch entry.ArtifactType {
	case "", typeSignature, ocispec.MediaTypeEmptyJSON, ocispec.MediaTypeImageConfig:
		return entry.MediaType == ocispec.MediaTypeImageManifest && checkDescriptor(entry, referrerBytesMax) == nil
	}
	return false
}

// readReferrer returns the descriptor of the signature file that a referrer's manifest holds. The list that named it is
// the registry's word; the manifest itself must say whose it is.
func readReferrer(content []byte, subject ocispec.Descriptor) (layer ocispec.Descriptor, ok bool) {
	var m ocispec.Manifest
	if json.Unmarshal(content, &m) != nil || m.ArtifactType != typeSignature || len(m.Layers) != 1 || m.Subject == nil {
		return ocispec.Descriptor{}, false
	}
	layer = m.Layers[0]
	return layer, m.Subject.Digest == subject.Digest && layer.MediaType == typeMinisign && checkDescriptor(layer, trust.SignatureBytesMax) == nil
}
