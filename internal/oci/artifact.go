package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

// Media types. The first two are those of the CNCF's layout for Wasm artifacts
// (https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/).
const (
	typeWasmConfig = "application/vnd.wasm.config.v0+json"
	typeWasm       = "application/wasm"
	// typeSignature is the artifact type of a signature, typeMinisign that of the file in it.
	typeSignature = "application/vnd.purser.signature.v1"
	typeMinisign  = "application/vnd.purser.minisign.v1"
)

// annotationManifest carries the plugin's manifest where a registry refuses typeWasmConfig.
const annotationManifest = "dev.purser.manifest"

// epoch stands for every time: the same plugin must have the same digest whenever it is packed.
const epoch = "1970-01-01T00:00:00Z"

// wasmConfig is the config blob. Readers of the CNCF layout want all but the last member.
type wasmConfig struct {
	Created      string   `json:"created"`
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	LayerDigests []string `json:"layerDigests"`
	// Purser is the manifest in the module, byte for byte but for white space.
	Purser json.RawMessage `json:"purser,omitempty"`
}

// imageConfig is what a registry that only knows images takes.
type imageConfig struct {
	Created      string         `json:"created"`
	Architecture string         `json:"architecture"`
	OS           string         `json:"os"`
	RootFS       ocispec.RootFS `json:"rootfs"`
}

// blob is content with its descriptor.
type blob struct {
	descriptor ocispec.Descriptor
	content    []byte
}

func newBlob(mediaType string, content []byte) blob {
	return blob{ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}, content}
}

// artifact is a plugin as it is pushed: blobs first, then the manifest.
type artifact struct {
	layer, config, manifest blob
}

// pack lays a module out. With fallback the config is an image's, and the manifest travels as an annotation.
func pack(module []byte, fallback bool) (artifact, *abi.Manifest, error) {
	document, err := trust.ManifestDocument(module)
	if err != nil {
		return artifact{}, nil, err
	}
	about, err := abi.ParseManifest(document)
	if err != nil {
		return artifact{}, nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		return artifact{}, nil, fmt.Errorf("compact manifest: %w", err)
	}
	a := artifact{layer: newBlob(typeWasm, module)}
	a.layer.descriptor.Annotations = map[string]string{ocispec.AnnotationTitle: about.Name + ".wasm"}
	annotations := map[string]string{
		ocispec.AnnotationTitle: about.Name, ocispec.AnnotationVersion: about.Version, ocispec.AnnotationDescription: about.Description,
		ocispec.AnnotationLicenses: about.License, ocispec.AnnotationCreated: epoch,
	}
	if about.Source != "" {
		annotations[ocispec.AnnotationSource] = about.Source
	}
	var config any = wasmConfig{epoch, "wasm", "wasip1", []string{a.layer.descriptor.Digest.String()}, compact.Bytes()}
	configType := typeWasmConfig
	if fallback {
		annotations[annotationManifest] = compact.String()
		config = imageConfig{epoch, "wasm", "wasip1", ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{a.layer.descriptor.Digest}}}
		configType = ocispec.MediaTypeImageConfig
	}
	if a.config, err = encoded(configType, config); err != nil {
		return artifact{}, nil, err
	}
	a.manifest, err = encoded(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: a.config.descriptor, Layers: []ocispec.Descriptor{a.layer.descriptor}, Annotations: annotations,
	})
	return a, about, err
}

// packSignature lays a signature out as a referrer of a plugin. A registry that takes no config but an image's gets the
// plugin's own.
func packSignature(signature []byte, of artifact) (artifact, error) {
	subject := of.manifest.descriptor
	a := artifact{layer: newBlob(typeMinisign, signature), config: newBlob(ocispec.MediaTypeEmptyJSON, []byte("{}"))}
	if of.config.descriptor.MediaType == ocispec.MediaTypeImageConfig {
		a.config = of.config
	}
	var err error
	a.manifest, err = encoded(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: typeSignature,
		Config: a.config.descriptor, Layers: []ocispec.Descriptor{a.layer.descriptor},
		Subject:     &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: map[string]string{ocispec.AnnotationCreated: epoch},
	})
	a.manifest.descriptor.ArtifactType = typeSignature
	return a, err
}

// encoded keeps < and & as they are: a manifest is compared byte for byte.
func encoded(mediaType string, value any) (blob, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return blob{}, fmt.Errorf("encode %s: %w", mediaType, err)
	}
	return newBlob(mediaType, bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))), nil
}

// readManifest checks that a manifest is that of a plugin and returns it; its descriptors are bounded.
func readManifest(content []byte) (ocispec.Manifest, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return m, badArtifact("the OCI manifest cannot be read", err)
	}
	if m.SchemaVersion != 2 || m.MediaType != "" && m.MediaType != ocispec.MediaTypeImageManifest || len(m.Layers) != 1 {
		return m, badArtifact("this is not one WebAssembly module in OCI's layout", nil)
	}
	if m.Layers[0].MediaType != typeWasm || m.Config.MediaType != typeWasmConfig && m.Config.MediaType != ocispec.MediaTypeImageConfig {
		return m, badArtifact(fmt.Sprintf("this is a %.80q with a %.80q", m.Layers[0].MediaType, m.Config.MediaType), nil)
	}
	if err := checkDescriptor(m.Layers[0], abi.ModuleBytesMax); err != nil {
		return m, err
	}
	return m, checkDescriptor(m.Config, configBytesMax)
}

// checkConfig refuses a config, or an annotation, that says something else than the module: whoever looks at a registry
// sees those, and must see what would run. A config from another tool that says nothing about purser passes.
func checkConfig(m ocispec.Manifest, config, document []byte) error {
	var claimed []byte
	var layers []string
	if m.Config.MediaType == typeWasmConfig {
		var c wasmConfig
		if err := json.Unmarshal(config, &c); err != nil {
			return badArtifact("the config cannot be read", err)
		}
		claimed, layers = c.Purser, c.LayerDigests
	} else {
		var c imageConfig
		if err := json.Unmarshal(config, &c); err != nil {
			return badArtifact("the config cannot be read", err)
		}
		for _, id := range c.RootFS.DiffIDs {
			layers = append(layers, id.String())
		}
	}
	if !slices.Equal(layers, []string{m.Layers[0].Digest.String()}) {
		return badArtifact("the config lists other layers than the manifest", nil)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, document); err != nil {
		return badArtifact("the module's manifest is not JSON", err)
	}
	for _, claim := range [][]byte{claimed, []byte(m.Annotations[annotationManifest])} {
		var got bytes.Buffer
		if len(claim) == 0 {
			continue
		}
		if err := json.Compact(&got, claim); err != nil || !bytes.Equal(want.Bytes(), got.Bytes()) {
			return badArtifact("the config or an annotation describes another plugin than the module", err)
		}
	}
	return nil
}

// checkDescriptor bounds what would be fetched, before it is.
func checkDescriptor(d ocispec.Descriptor, bytesMax int64) error {
	if !digestForm.MatchString(d.Digest.String()) {
		return badArtifact(fmt.Sprintf("%.80q is no SHA-256 digest", d.Digest), nil)
	}
	if d.Size < 1 {
		return badArtifact(fmt.Sprintf("%s has %d bytes", d.Digest, d.Size), nil)
	}
	if d.Size > bytesMax {
		return &abi.Error{Code: CodeArtifactTooLarge, Message: fmt.Sprintf("%s has %d bytes, at most %d are read", d.Digest, d.Size, bytesMax)}
	}
	return nil
}

func badArtifact(problem string, cause error) error {
	return &abi.Error{Code: CodeArtifactInvalid, Message: problem, Cause: cause, Fix: "push a plugin with `purser plugin push`"}
}
