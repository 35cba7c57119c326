package oci_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/oci"
)

// codes are what a folder's fault may be called.
var codes = map[string]bool{
	oci.CodeArtifactInvalid: true, oci.CodeArtifactTooLarge: true, oci.CodeDigestMismatch: true, oci.CodeLayoutInvalid: true,
	oci.CodeNotFound: true, oci.CodeReferrersTooMany: true, abi.CodeManifestInvalid: true, abi.CodeABIUnsupported: true,
}

// Whatever a folder holds, pulling from it ends with a coded error or with the module that the manifest names. An empty
// index stands for one that names the manifest, so that the fuzzer reaches what is behind the digests.
func FuzzLayout(f *testing.F) {
	wasm := module("ceiling", "1.0.0")
	config := configFor(string(wasm))
	good := manifestOf(wasmConfig, config, wasmType, string(wasm))
	key, _ := newKey(f)
	signature := sign(f, wasm, key)
	f.Add([]byte(nil), []byte(good), []byte(config), signature)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:`+hexOf(good)+`","size":1,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}`), []byte(good), []byte(config), signature)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","annotations":{"org.opencontainers.image.ref.name":"1"}}]}`), []byte("{}"), []byte("{}"), []byte(nil))
	f.Add([]byte(nil), []byte(manifestOf(imageConfig, "{}", wasmType, string(wasm), `,"annotations":{"dev.purser.manifest":"{}"}`)), []byte("{}"), []byte("x"))
	f.Add([]byte(nil), []byte(`{"schemaVersion":2,"layers":[{"size":-1}]}`), []byte(`{"layerDigests":null,"purser":{}}`), signature)
	folder := f.TempDir()
	client := newClient(f, oci.Config{})
	f.Fuzz(func(t *testing.T, index, manifest, config, extra []byte) {
		blobs := filepath.Join(folder, "blobs")
		if err := os.RemoveAll(blobs); err != nil {
			t.Fatal(err)
		}
		layout(t, folder, string(manifest), string(config), string(extra), string(wasm))
		if len(index) > 0 {
			write(t, filepath.Join(folder, "index.json"), index)
		}
		got, err := client.Pull(t.Context(), reference(t, "oci:"+folder+":1"))
		if err != nil {
			if !codes[abi.CodeOf(err)] || got.Module != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		if !bytes.Equal(got.Module, wasm) || got.ModuleSHA256 != hexOf(string(wasm)) || !bytes.Contains(manifest, []byte(got.ModuleSHA256)) {
			t.Fatalf("pulled another module: %s", got.ModuleSHA256)
		}
	})
}

func FuzzReference(f *testing.F) {
	for _, s := range []string{"ghcr.io/a/b:1", "oci:x:1", "oci:x@sha256:" + hexOf(""), "127.0.0.1:1/a@sha256:" + hexOf(""), "oci::", "[::1]:5000/a:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := oci.ParseReference(s)
		if err != nil {
			if abi.CodeOf(err) != oci.CodeReferenceInvalid {
				t.Fatalf("%v", err)
			}
			return
		}
		if again, err := oci.ParseReference(got.String()); err != nil || again != got {
			t.Fatalf("%+v reads back as %+v, %v", got, again, err)
		}
	})
}
