package oci_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/oci"
	"github.com/purserhq/purser/internal/trust"
)

// TestAPluginGoesThereAndBack is the whole story, in every kind of place.
func TestAPluginGoesThereAndBack(t *testing.T) {
	for _, place := range []struct {
		name  string
		start func(t testing.TB) string
		// api says whether the registry has the referrers API; a folder has an index.
		registry, api bool
	}{
		{"go-containerregistry with the referrers API", func(t testing.TB) string { return inProcess(t, true) + "/team/ceiling" }, true, true},
		{"go-containerregistry without it", func(t testing.TB) string { return inProcess(t, false) + "/team/ceiling" }, true, false},
		{"Debian's docker-registry", func(t testing.TB) string { return dockerRegistry(t, "") + "/team/ceiling" }, true, false},
		{"a layout folder", func(t testing.TB) string { return "oci:" + filepath.Join(t.TempDir(), "new", "layout") }, false, false},
	} {
		t.Run(place.name, func(t *testing.T) {
			at := place.start(t)
			story(t, at)
			if place.registry && !place.api {
				checkFallbackTag(t, at)
			}
		})
	}
}

func story(t *testing.T, at string) {
	client := newClient(t, oci.Config{})
	key, signer := newKey(t)
	first := module("ceiling", "1.0.0")
	pushed := push(t, client, at+":1.0.0", first, sign(t, first, key))
	if pushed.Fallback || !pushed.Signed || pushed.Manifest.Name != "ceiling" || pushed.Reference.Tag != "" {
		t.Errorf("%+v", pushed)
	}
	byTag := pull(t, client, at+":1.0.0")
	byDigest := pull(t, client, pushed.Reference.String())
	sum := sha256.Sum256(first)
	for _, got := range []oci.Pulled{byTag, byDigest} {
		if got.Reference != pushed.Reference || !bytes.Equal(got.Module, first) || got.Manifest.Version != "1.0.0" || got.ModuleSHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%v", got.Reference)
		}
		if len(got.Signatures) != 1 {
			t.Fatalf("%d signatures", len(got.Signatures))
		}
		if _, err := trust.Verify(got.Module, got.Signatures[0], []trust.PublicKey{signer}); err != nil {
			t.Error(err)
		}
	}
	if again := push(t, client, at+":1.0.0", first, sign(t, first, key)); again.Reference != pushed.Reference {
		t.Errorf("the same plugin has two digests: %s and %s", pushed.Reference, again.Reference)
	}
	second, other := newKey(t)
	push(t, client, pushed.Reference.String(), first, sign(t, first, second))
	if got := pull(t, client, at+":1.0.0"); len(got.Signatures) != 2 || !oneIsBy(got, signer) || !oneIsBy(got, other) {
		t.Errorf("%d signatures after two signers", len(got.Signatures))
	}
	// The tag moves to a new version, which nobody signed; what was pinned stays what it was.
	push(t, client, at+":1.0.0", module("ceiling", "1.0.1"), nil)
	if got := pull(t, client, at+":1.0.0"); got.Manifest.Version != "1.0.1" || len(got.Signatures) != 0 || got.Reference == pushed.Reference {
		t.Errorf("%s has version %s and %d signatures", got.Reference, got.Manifest.Version, len(got.Signatures))
	}
	if got := pull(t, client, pushed.Reference.String()); got.Manifest.Version != "1.0.0" || len(got.Signatures) != 2 {
		t.Errorf("what was pinned has version %s and %d signatures", got.Manifest.Version, len(got.Signatures))
	}
	push(t, client, at+":stable", first, nil)
	if got := pull(t, client, at+":stable"); got.Reference != pushed.Reference {
		t.Errorf("%s under another tag", got.Reference)
	}
	for _, missing := range []string{at + ":2.0.0", at + "@sha256:" + strings.Repeat("0", 64)} {
		if _, err := client.Pull(t.Context(), reference(t, missing)); abi.CodeOf(err) != oci.CodeNotFound {
			t.Errorf("%s: %v", missing, err)
		}
	}
	if _, err := client.Push(t.Context(), pushed.Reference, module("ceiling", "9.9.9"), nil); abi.CodeOf(err) != oci.CodeDigestMismatch {
		t.Errorf("another module under a digest: %v", err)
	}
}

// checkFallbackTag looks at what a registry without the API must hold: the list under a tag made of the digest.
func checkFallbackTag(t *testing.T, at string) {
	t.Helper()
	pinned := pull(t, newClient(t, oci.Config{}), at+":stable").Reference
	host, name, _ := strings.Cut(at, "/")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/v2/"+name+"/manifests/"+strings.Replace(pinned.Digest, ":", "-", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.oci.image.index.v1+json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("no list under the fallback tag: %s", answer.Status)
	}
}

func push(t *testing.T, client *oci.Client, at string, module, signature []byte) oci.Pushed {
	t.Helper()
	pushed, err := client.Push(t.Context(), reference(t, at), module, signature)
	if err != nil {
		t.Fatalf("push to %s: %v", at, err)
	}
	return pushed
}

func pull(t *testing.T, client *oci.Client, at string) oci.Pulled {
	t.Helper()
	pulled, err := client.Pull(t.Context(), reference(t, at))
	if err != nil {
		t.Fatalf("pull %s: %v", at, err)
	}
	return pulled
}

func oneIsBy(pulled oci.Pulled, signer trust.PublicKey) bool {
	for _, signature := range pulled.Signatures {
		if _, err := trust.Verify(pulled.Module, signature, []trust.PublicKey{signer}); err == nil {
			return true
		}
	}
	return false
}

func TestCredentialsComeFromDockersConfiguration(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("hunter2"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	host := dockerRegistry(t, "ada:"+string(hash))
	folder := t.TempDir()
	t.Setenv("DOCKER_CONFIG", folder)
	at, wasm := host+"/team/ceiling:1.0.0", module("ceiling", "1.0.0")
	for _, c := range []struct{ name, config, code string }{
		{"none", `{}`, oci.CodeRegistryDenied},
		{"wrong", `{"auths":{"` + host + `":{"auth":"YWRhOndyb25n"}}}`, oci.CodeRegistryDenied},
		{"right", `{"auths":{"` + host + `":{"auth":"YWRhOmh1bnRlcjI="}}}`, ""},
		{"broken", `{"auths":`, "config_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, filepath.Join(folder, "config.json"), []byte(c.config))
			client := newClient(t, oci.Config{DockerCredentials: true})
			_, err := client.Push(t.Context(), reference(t, at), wasm, nil)
			if abi.CodeOf(err) != c.code || err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want %q", err, c.code)
			}
		})
	}
	if _, err := newClient(t, oci.Config{}).Pull(t.Context(), reference(t, at)); abi.CodeOf(err) != oci.CodeRegistryDenied {
		t.Errorf("without permission to look: %v", err)
	}
}

func TestReferencesSayWhichOrAreRefused(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for s, want := range map[string]oci.Reference{
		"ghcr.io/team/ceiling:1.0.0":           {Host: "ghcr.io", Name: "team/ceiling", Tag: "1.0.0"},
		"127.0.0.1:5000/ceiling@" + digest:     {Host: "127.0.0.1:5000", Name: "ceiling", Digest: digest},
		"ghcr.io/team/ceiling:1.0.0@" + digest: {Host: "ghcr.io", Name: "team/ceiling", Digest: digest},
		"oci:./layout:1.0.0":                   {Folder: "./layout", Tag: "1.0.0"},
		"oci:/srv/plug-ins@" + digest:          {Folder: "/srv/plug-ins", Digest: digest},
		"oci:layout:latest":                    {Folder: "layout", Tag: "latest"},
	} {
		got, err := oci.ParseReference(s)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
		if again, err := oci.ParseReference(got.String()); err != nil || again != got {
			t.Errorf("%s does not read back: %+v, %v", got, again, err)
		}
	}
	for _, s := range []string{
		"", "ceiling", "ghcr.io/team/ceiling", "ghcr.io:5000/team", "oci:", "oci:layout", "oci::1.0.0", "oci:@" + digest, "ghcr.io/team/ceiling@sha256:ab", "ghcr.io/team/ceiling@sha512:" + strings.Repeat("a", 128),
		"ghcr.io/team/ceiling:", "ghcr.io/team/ceiling:.", "ghcr.io/Team/ceiling:1", "https://ghcr.io/team/ceiling:1", "user:secret@ghcr.io/team/ceiling:1",
		"ghcr.io/../ceiling:1", "ghcr.io/team/ceiling:1 ", "ghcr.io/team/\x1bceiling:1", strings.Repeat("a", 600) + "/b:1",
	} {
		if got, err := oci.ParseReference(s); abi.CodeOf(err) != oci.CodeReferenceInvalid {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
}

func TestAFolderThatIsNotThereIsNotMadeByPulling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if _, err := newClient(t, oci.Config{}).Pull(t.Context(), reference(t, "oci:"+path+":1")); abi.CodeOf(err) != oci.CodeNotFound || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
