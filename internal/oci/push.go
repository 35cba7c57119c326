package oci

import (
	"context"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

// Pushed says where a plugin is now.
type Pushed struct {
	// Reference is by digest.
	Reference Reference
	// ModuleSHA256 is what policies pin, lower-case hex.
	ModuleSHA256 string
	Manifest     *abi.Manifest
	// Signed says that a signature was attached.
	Signed bool
	// Fallback says that the registry refused the config type of Wasm artifacts, so that the plugin's manifest travels
	// as an annotation.
	Fallback bool
}

// Push puts a module at the reference, and the signature, unless it is nil, beside it. The tag moves last: who pulls by
// tag never sees a plugin whose signature is on its way. The signature is not verified against anybody's key; one of another
// module is refused where its comment says so. To push
// by digest, the module must have that digest as it is packed.
func (c *Client) Push(ctx context.Context, reference Reference, module, signature []byte) (Pushed, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if len(module) > abi.ModuleBytesMax {
		return Pushed{}, &abi.Error{Code: CodeArtifactTooLarge, Message: fmt.Sprintf("the module has %d bytes, at most %d are loaded", len(module), abi.ModuleBytesMax)}
	}
	if signature != nil {
		if err := trust.Plausible(module, signature); err != nil {
			return Pushed{}, err
		}
	}
	packed, about, err := pack(module, false)
	if err != nil {
		return Pushed{}, err
	}
	if digest := packed.manifest.descriptor.Digest.String(); reference.Digest != "" && reference.Digest != digest {
		return Pushed{}, &abi.Error{Code: CodeDigestMismatch, Message: fmt.Sprintf("the plugin would be %s", digest), Where: reference.String(), Fix: "push to a tag"}
	}
	to, err := c.open(reference, true)
	if err != nil {
		return Pushed{}, err
	}
	defer to.close()
	pushed := Pushed{Manifest: about, ModuleSHA256: packed.layer.descriptor.Digest.Encoded(), Signed: signature != nil}
	if err := pushArtifact(ctx, to, packed); err != nil {
		if reference.Digest != "" || !refusesConfig(err) {
			return Pushed{}, err
		}
		pushed.Fallback = true
		if packed, _, err = pack(module, true); err != nil {
			return Pushed{}, err
		}
		if err := pushArtifact(ctx, to, packed); err != nil {
			return Pushed{}, err
		}
	}
	subject := packed.manifest.descriptor
	pushed.Reference = reference.pinned(subject.Digest.String())
	if signature != nil {
		if err := c.attach(ctx, to, reference, packed, signature); err != nil {
			return Pushed{}, err
		}
	}
	if reference.Tag == "" {
		return pushed, nil
	}
	return pushed, to.tag(ctx, subject, packed.manifest.content, reference.Tag)
}

func pushArtifact(ctx context.Context, to place, a artifact) error {
	for _, part := range []blob{a.layer, a.config, a.manifest} {
		if err := to.push(ctx, part.descriptor, part.content); err != nil {
			return err
		}
	}
	return nil
}

// attach pushes a signature and looks for it as somebody else would: a registry without the referrers API keeps a list
// under a tag, which two pushes at once can overwrite.
func (c *Client) attach(ctx context.Context, to place, reference Reference, of artifact, signature []byte) error {
	packed, err := packSignature(signature, of)
	if err != nil {
		return err
	}
	if err := pushArtifact(ctx, to, packed); err != nil {
		return fmt.Errorf("attach signature: %w", err)
	}
	from, err := c.open(reference, false) // to knows too much: which way it listed the signature
	if err != nil {
		return err
	}
	defer from.close()
	listed, err := from.referrers(ctx, of.manifest.descriptor)
	if err != nil {
		return fmt.Errorf("look for the signature: %w", err)
	}
	for _, referrer := range listed {
		if referrer.Digest == packed.manifest.descriptor.Digest {
			return nil
		}
	}
	return &abi.Error{
		Code: CodeRegistryFailed, Message: "the registry took the signature and does not list it", Retry: abi.RetryLater,
		Fix: "push again; another push may have been under way",
	}
}
