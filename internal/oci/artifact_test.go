package oci

import (
	"bytes"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

const document = `{"abi":{"major":1,"minor":0},"description":"For tests: <a> & \"b\".","kind":"policy","license":"Apache-2.0","name":"ceiling","version":"1.0.0"}`

func wasmWith(document string) []byte {
	body := string(rune(len(abi.ManifestSection))) + abi.ManifestSection + document
	return append([]byte("\x00asm\x01\x00\x00\x00\x00"+string([]byte{byte(len(body)&0x7f | 0x80), byte(len(body) >> 7)})), body...)
}

func TestPackingIsReadBackAndGivesTheSameBytes(t *testing.T) {
	for _, fallback := range []bool{false, true} {
		first, _, err := pack(wasmWith(document), fallback)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := pack(wasmWith(document), fallback)
		if err != nil || again.manifest.descriptor.Digest != first.manifest.descriptor.Digest {
			t.Errorf("packed twice it has two digests (%v)", err)
		}
		m, err := readManifest(first.manifest.content)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkConfig(m, first.config.content, []byte(document)); err != nil {
			t.Error(err)
		}
		if err := checkConfig(m, first.config.content, []byte(strings.Replace(document, "1.0.0", "1.0.1", 1))); abi.CodeOf(err) != CodeArtifactInvalid {
			t.Errorf("another plugin's manifest: %v", err)
		}
		if bytes.Contains(first.config.content, []byte(`\u003c`)) {
			t.Error("the manifest was spelled anew")
		}
		signature, err := packSignature([]byte("x"), first)
		if err != nil {
			t.Fatal(err)
		}
		if layer, ok := readReferrer(signature.manifest.content, first.manifest.descriptor); !ok || layer.Size != 1 {
			t.Errorf("%+v", layer)
		}
		if _, ok := readReferrer(signature.manifest.content, first.layer.descriptor); ok {
			t.Error("a signature of something else is taken")
		}
	}
}

// What is read of a stranger's manifests stays within bounds, whatever they say.
func FuzzManifests(f *testing.F) {
	for _, fallback := range []bool{false, true} {
		a, _, err := pack(wasmWith(document), fallback)
		if err != nil {
			f.Fatal(err)
		}
		signature, err := packSignature([]byte("x"), a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.manifest.content, a.config.content)
		f.Add(signature.manifest.content, signature.config.content)
	}
	f.Add([]byte(`{"schemaVersion":2,"layers":[{"mediaType":"application/wasm","digest":"sha256:x","size":-1}]}`), []byte(`{"layerDigests":[null],"purser":0}`))
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		if m, err := readManifest(manifest); err == nil {
			for _, d := range []ocispec.Descriptor{m.Config, m.Layers[0]} {
				if d.Size < 1 || d.Size > abi.ModuleBytesMax || !digestForm.MatchString(string(d.Digest)) {
					t.Fatalf("%+v would be fetched", d)
				}
			}
			if err := checkConfig(m, config, []byte(document)); err != nil && abi.CodeOf(err) != CodeArtifactInvalid {
				t.Fatalf("%v", err)
			}
		} else if code := abi.CodeOf(err); code != CodeArtifactInvalid && code != CodeArtifactTooLarge {
			t.Fatalf("%v", err)
		}
		subject := newBlob(ocispec.MediaTypeImageManifest, manifest).descriptor
		if layer, ok := readReferrer(config, subject); ok && (layer.Size < 1 || layer.Size > trust.SignatureBytesMax) {
			t.Fatalf("%+v would be fetched", layer)
		}
	})
}
