package oci_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	orasoci "oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/oci"
)

func TestOrasReadsOurFolderAndWeReadItsOwn(t *testing.T) {
	client := newClient(t, oci.Config{})
	key, signer := newKey(t)
	wasm := module("ceiling", "1.0.0")
	ours := filepath.Join(t.TempDir(), "ours")
	pushed := push(t, client, "oci:"+ours+":1.0.0", wasm, sign(t, wasm, key))
	store, err := orasoci.New(ours)
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Resolve(t.Context(), "1.0.0")
	if err != nil || found.Digest.String() != pushed.Reference.Digest {
		t.Fatalf("%s, %v", found.Digest, err)
	}
	if about, err := store.Predecessors(t.Context(), found); err != nil || len(about) != 1 {
		t.Errorf("%d signatures, %v", len(about), err)
	}
	// Copied to a real registry by oras, with its signature, and from there to a folder that oras writes.
	repository, err := remote.NewRepository(inProcess(t, true) + "/team/ceiling")
	if err != nil {
		t.Fatal(err)
	}
	repository.PlainHTTP = true
	if _, err := oras.ExtendedCopy(t.Context(), store, "1.0.0", repository, "1.0.0", oras.DefaultExtendedCopyOptions); err != nil {
		t.Fatal(err)
	}
	if got := pull(t, client, repository.Reference.String()+":1.0.0"); got.Reference.Digest != pushed.Reference.Digest || !oneIsBy(got, signer) {
		t.Errorf("%s with %d signatures", got.Reference, len(got.Signatures))
	}
	theirs := filepath.Join(t.TempDir(), "theirs")
	copied, err := orasoci.New(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oras.ExtendedCopy(t.Context(), repository, "1.0.0", copied, "1.0.0", oras.DefaultExtendedCopyOptions); err != nil {
		t.Fatal(err)
	}
	got := pull(t, client, "oci:"+theirs+":1.0.0")
	if got.Reference.Digest != pushed.Reference.Digest || !oneIsBy(got, signer) {
		t.Errorf("%s with %d signatures", got.Reference, len(got.Signatures))
	}
	manifest, err := content.FetchAll(t.Context(), store, found)
	if err != nil || !strings.Contains(string(manifest), `"application/vnd.wasm.config.v0+json"`) || !strings.Contains(string(manifest), `"application/wasm"`) {
		t.Errorf("not the CNCF's layout: %s, %v", manifest, err)
	}
}

// layout writes a folder by hand: blobs under their digests, and an index that names the manifest "1".
func layout(t testing.TB, folder string, manifest string, blobs ...string) {
	t.Helper()
	write(t, filepath.Join(folder, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	for _, blob := range append(blobs, manifest) {
		write(t, filepath.Join(folder, "blobs", "sha256", hexOf(blob)), []byte(blob))
	}
	write(t, filepath.Join(folder, "index.json"), []byte(fmt.Sprintf(
		`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}`,
		hexOf(manifest), len(manifest))))
}

func hexOf(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

func manifestOf(configType, config, layerType, layer string, more ...string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":%q,"digest":"sha256:%s","size":%d},"layers":[{"mediaType":%q,"digest":"sha256:%s","size":%d}]%s}`,
		configType, hexOf(config), len(config), layerType, hexOf(layer), len(layer), strings.Join(more, ""))
}

const (
	wasmConfig  = "application/vnd.wasm.config.v0+json"
	imageConfig = "application/vnd.oci.image.config.v1+json"
	wasmType    = "application/wasm"
)

func configFor(layer string) string {
	return fmt.Sprintf(`{"layerDigests":["sha256:%s"]}`, hexOf(layer))
}

func TestAFolderFromAStrangerIsReadWithCare(t *testing.T) {
	wasm := string(module("ceiling", "1.0.0"))
	config := configFor(wasm)
	good := manifestOf(wasmConfig, config, wasmType, wasm)
	manifestJSON := wasm[strings.IndexByte(wasm, '{'):]
	lying := fmt.Sprintf(`{"layerDigests":["sha256:%s"],"purser":%s}`, hexOf(wasm), strings.Replace(manifestJSON, "1.0.0", "1.0.1", 1))
	image := fmt.Sprintf(`{"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}`, hexOf(wasm))
	annotation := func(version string) string {
		text, err := json.Marshal(strings.Replace(manifestJSON, "1.0.0", version, 1))
		if err != nil {
			t.Fatal(err)
		}
		return `,"annotations":{"dev.purser.manifest":` + string(text) + `}`
	}
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, []byte(wasm))
	blob := func(folder, of string) string { return filepath.Join(folder, "blobs", "sha256", hexOf(of)) }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	plain := func(folder string) { layout(t, folder, good, config, wasm) }
	for _, c := range []struct {
		name, code string
		prepare    func(folder string)
	}{
		{"as another tool writes it", "", plain},
		{"an image's config, as for old registries", "", func(f string) { layout(t, f, manifestOf(imageConfig, image, wasmType, wasm), image, wasm) }},
		{"an annotation that says the same", "", func(f string) {
			layout(t, f, manifestOf(imageConfig, image, wasmType, wasm, annotation("1.0.0")), image, wasm)
		}},
		{"an annotation that lies", oci.CodeArtifactInvalid, func(f string) {
			layout(t, f, manifestOf(imageConfig, image, wasmType, wasm, annotation("1.0.1")), image, wasm)
		}},
		{"an annotation that lies beside a config that does not", oci.CodeArtifactInvalid, func(f string) {
			layout(t, f, manifestOf(wasmConfig, config, wasmType, wasm, annotation("1.0.1")), config, wasm)
		}},
		{"a config that lies", oci.CodeArtifactInvalid, func(f string) { layout(t, f, manifestOf(wasmConfig, lying, wasmType, wasm), lying, wasm) }},
		{"a config of another layer", oci.CodeArtifactInvalid, func(f string) {
			other := configFor("other")
			layout(t, f, manifestOf(wasmConfig, other, wasmType, wasm), other, wasm)
		}},
		{"a config of another type", oci.CodeArtifactInvalid, func(f string) { layout(t, f, manifestOf("text/plain", config, wasmType, wasm), config, wasm) }},
		{"an image's layer", oci.CodeArtifactInvalid, func(f string) {
			layout(t, f, manifestOf(wasmConfig, config, "application/vnd.oci.image.layer.v1.tar", wasm), config, wasm)
		}},
		{"no module", abi.CodeManifestInvalid, func(f string) {
			layout(t, f, manifestOf(wasmConfig, configFor("nothing"), wasmType, "nothing"), configFor("nothing"), "nothing")
		}},
		{"a layer of a gigabyte", oci.CodeArtifactTooLarge, func(f string) {
			layout(t, f, strings.Replace(good, fmt.Sprintf(`"size":%d}]`, len(wasm)), `"size":1073741824}]`, 1), config, wasm)
		}},
		{"a negative size", oci.CodeArtifactInvalid, func(f string) {
			layout(t, f, strings.Replace(good, fmt.Sprintf(`"size":%d}]`, len(wasm)), `"size":-1}]`, 1), config, wasm)
		}},
		{"a shorter size", oci.CodeArtifactTooLarge, func(f string) {
			layout(t, f, strings.Replace(good, fmt.Sprintf(`"size":%d}]`, len(wasm)), fmt.Sprintf(`"size":%d}]`, len(wasm)-1), 1), config, wasm)
		}},
		{"a digest that climbs out", oci.CodeArtifactInvalid, func(f string) {
			layout(t, f, strings.Replace(good, "sha256:"+hexOf(wasm), "sha256:../../../outside", 1), config, wasm)
		}},
		{"another kind of digest", oci.CodeArtifactInvalid, func(f string) {
			layout(t, f, strings.Replace(good, "sha256:"+hexOf(wasm), "sha512:"+strings.Repeat("a", 128), 1), config, wasm)
		}},
		{"a blob that was changed", oci.CodeDigestMismatch, func(f string) {
			plain(f)
			write(t, blob(f, wasm), []byte(strings.Replace(wasm, "1.0.0", "1.0.1", 1)))
		}},
		{"a blob that is missing", oci.CodeNotFound, func(f string) { layout(t, f, good, config) }},
		{"a link in place of a blob", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			must(os.Remove(blob(f, wasm)))
			must(os.Symlink(outside, blob(f, wasm)))
		}},
		{"a link to another blob", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			must(os.Rename(blob(f, wasm), blob(f, "elsewhere")))
			must(os.Symlink(hexOf("elsewhere"), blob(f, wasm)))
		}},
		{"a link in place of the folder of blobs", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			must(os.Rename(filepath.Join(f, "blobs"), filepath.Join(f, "real")))
			must(os.Symlink("real", filepath.Join(f, "blobs")))
		}},
		{"a link in place of the index", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			must(os.Rename(filepath.Join(f, "index.json"), filepath.Join(f, "real")))
			must(os.Symlink("real", filepath.Join(f, "index.json")))
		}},
		{"a pipe in place of a blob", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			must(os.Remove(blob(f, wasm)))
			must(syscall.Mkfifo(blob(f, wasm), 0o600))
		}},
		{"an index without end", oci.CodeArtifactTooLarge, func(f string) {
			plain(f)
			must(os.Truncate(filepath.Join(f, "index.json"), 1<<40))
		}},
		{"an index of thousands", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			write(t, filepath.Join(f, "index.json"), []byte(`{"schemaVersion":2,"manifests":[{}`+strings.Repeat(",{}", 1024)+`]}`))
		}},
		{"an index that is none", oci.CodeLayoutInvalid, func(f string) { plain(f); write(t, filepath.Join(f, "index.json"), []byte("[]")) }},
		{"two manifests under one tag", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			index, err := os.ReadFile(filepath.Join(f, "index.json"))
			must(err)
			entry := string(index[strings.Index(string(index), "[")+1 : len(index)-2])
			write(t, filepath.Join(f, "index.json"), []byte(`{"schemaVersion":2,"manifests":[`+entry+","+strings.Replace(entry, hexOf(good), hexOf(wasm), 1)+`]}`))
		}},
		{"no layout", oci.CodeNotFound, func(f string) { plain(f); must(os.Remove(filepath.Join(f, "oci-layout"))) }},
		{"a layout of another version", oci.CodeLayoutInvalid, func(f string) {
			plain(f)
			write(t, filepath.Join(f, "oci-layout"), []byte(`{"imageLayoutVersion":"2.0.0"}`))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			c.prepare(folder)
			got, err := newClient(t, oci.Config{}).Pull(t.Context(), reference(t, "oci:"+folder+":1"))
			if abi.CodeOf(err) != c.code || (err == nil) != (string(got.Module) == wasm) {
				t.Errorf("%v, want %q", err, c.code)
			}
		})
	}
}

func TestPushingNeverWritesThroughALink(t *testing.T) {
	wasm := module("ceiling", "1.0.0")
	client := newClient(t, oci.Config{})
	t.Run("in place of the folder of blobs", func(t *testing.T) {
		folder, elsewhere := t.TempDir(), t.TempDir()
		layout(t, folder, "{}")
		if err := os.RemoveAll(filepath.Join(folder, "blobs")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(folder, "blobs")); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Push(t.Context(), reference(t, "oci:"+folder+":1"), wasm, nil); abi.CodeOf(err) != oci.CodeLayoutInvalid {
			t.Errorf("%v", err)
		}
		if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) != 0 {
			t.Errorf("%v, %v", entries, err)
		}
	})
	t.Run("in place of a blob", func(t *testing.T) {
		folder, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
		write(t, victim, []byte("precious"))
		layout(t, folder, "{}")
		link := filepath.Join(folder, "blobs", "sha256", hexOf(string(wasm)))
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, link+".part"); err != nil {
			t.Fatal(err)
		}
		push(t, client, "oci:"+folder+":2", wasm, nil)
		if got, err := os.ReadFile(victim); err != nil || string(got) != "precious" {
			t.Errorf("the link's target holds %.20q, %v", got, err)
		}
	})
	t.Run("a folder that holds something else", func(t *testing.T) {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "precious"), nil)
		if _, err := client.Push(t.Context(), reference(t, "oci:"+folder+":1"), wasm, nil); abi.CodeOf(err) != oci.CodeNotFound {
			t.Errorf("%v", err)
		}
	})
}
