package oci_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/oci"
)

// between stands before a real registry and may answer in its place, or change what it answers.
func between(t *testing.T, host string, answer func(w http.ResponseWriter, r *http.Request) bool, change func(*http.Response) error) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	proxy.ModifyResponse = change
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer == nil || !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// replaceBody gives a response another body, with everything else as it was.
func replaceBody(r *http.Response, edit func([]byte) []byte) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	_ = r.Body.Close()
	body = edit(body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

func TestARegistryThatRefusesTheConfigTypeGetsAnAnnotation(t *testing.T) {
	refuses := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte("vnd.wasm.config")) || bytes.Contains(body, []byte("vnd.oci.empty")) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"errors":[{"code":"MANIFEST_INVALID","message":"unknown config"}]}`)
			return true
		}
		return false
	}
	for _, api := range []bool{true, false} {
		at := between(t, inProcess(t, api), refuses, nil) + "/team/ceiling:1.0.0"
		client := newClient(t, oci.Config{})
		key, signer := newKey(t)
		wasm := module("ceiling", "1.0.0")
		pushed := push(t, client, at, wasm, sign(t, wasm, key))
		if !pushed.Fallback {
			t.Error("the registry took the config type that it refuses")
		}
		if got := pull(t, client, at); !bytes.Equal(got.Module, wasm) || got.Reference != pushed.Reference || !oneIsBy(got, signer) {
			t.Errorf("%s with %d signatures", got.Reference, len(got.Signatures))
		}
	}
}

func TestBytesThatTheDigestDoesNotNameAreRefused(t *testing.T) {
	host := inProcess(t, true)
	client := newClient(t, oci.Config{})
	key, _ := newKey(t)
	wasm := module("ceiling", "1.0.0")
	pushed := push(t, client, host+"/team/ceiling:1.0.0", wasm, sign(t, wasm, key))
	flip := func(body []byte) []byte {
		body[len(body)-1] ^= 1
		return body
	}
	longer := func(body []byte) []byte { return append(body, ' ') }
	for _, c := range []struct {
		name, path string
		edit       func([]byte) []byte
	}{
		{"a blob changed", "/blobs/", flip},
		{"a manifest changed", "/manifests/", flip},
		{"a blob with a byte more", "/blobs/", longer},
		{"a manifest with a byte more", "/manifests/", longer},
		{"a blob without end", "/blobs/", func([]byte) []byte { return make([]byte, abi.ModuleBytesMax) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			lying := between(t, host, nil, func(r *http.Response) error {
				if r.Request.Method != http.MethodGet || !strings.Contains(r.Request.URL.Path, c.path) {
					return nil
				}
				return replaceBody(r, c.edit)
			})
			for _, at := range []string{lying + "/team/ceiling:1.0.0", lying + "/team/ceiling@" + pushed.Reference.Digest} {
				if got, err := client.Pull(t.Context(), reference(t, at)); err == nil || got.Module != nil {
					t.Errorf("%s is taken", at)
				} else if code := abi.CodeOf(err); code != oci.CodeDigestMismatch && code != oci.CodeRegistryFailed {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

func TestWhatARegistryClaimsIsBounded(t *testing.T) {
	host := inProcess(t, true)
	client := newClient(t, oci.Config{})
	wasm := module("ceiling", "1.0.0")
	pinned := push(t, client, host+"/team/ceiling:1.0.0", wasm, nil).Reference.Digest
	many := func(n int) string {
		entry := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%064d","size":100}`
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(entry, i))
		}
		return `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Join(list, ",") + `]}`
	}
	index := func(body string, link bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/referrers/") {
				return false
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			if link {
				w.Header().Set("Link", "<"+r.URL.Path+">; rel=\"next\"")
			}
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	head := func(kind string, size int64) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodHead || !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			w.Header().Set("Docker-Content-Digest", pinned)
			return true
		}
	}
	for _, c := range []struct {
		name, code string
		answer     func(http.ResponseWriter, *http.Request) bool
	}{
		{"too many signatures", oci.CodeReferrersTooMany, index(many(65), false)},
		{"signatures that are gone", "", index(many(64), false)},
		{"pages without end", oci.CodeReferrersTooMany, index(many(0), true)},
		{"a list without end", oci.CodeRegistryFailed, index(`{"schemaVersion":2,"x":"`+strings.Repeat("x", 2<<20)+`"}`, false)},
		{"a manifest of a gigabyte", oci.CodeArtifactTooLarge, head("application/vnd.oci.image.manifest.v1+json", 1<<30)},
		{"an index", oci.CodeArtifactInvalid, head("application/vnd.oci.image.index.v1+json", 100)},
		{"an error that clears the screen", oci.CodeRegistryFailed, func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, `{"errors":[{"code":"X","message":"\u001b[2J`+strings.Repeat("x", 5000)+`"}]}`)
			return true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := between(t, host, c.answer, nil) + "/team/ceiling:1.0.0"
			_, err := client.Pull(t.Context(), reference(t, at))
			if abi.CodeOf(err) != c.code {
				t.Fatalf("%v, want %q", err, c.code)
			}
			if err != nil && (strings.ContainsRune(err.Error(), '\x1b') || len(err.Error()) > 2000) {
				t.Errorf("it repeats what the registry said: %.200q", err.Error())
			}
		})
	}
}

func TestNothingLeavesWithoutTLS(t *testing.T) {
	host := inProcess(t, true)
	at := reference(t, host+"/team/ceiling:1.0.0")
	client := newClient(t, oci.Config{})
	wasm := module("ceiling", "1.0.0")
	push(t, client, at.String(), wasm, nil)
	t.Run("a redirect to a stranger's plain HTTP", func(t *testing.T) {
		sly := between(t, host, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			http.Redirect(w, r, "http://192.0.2.1/blob", http.StatusTemporaryRedirect)
			return true
		}, nil)
		if _, err := client.Pull(t.Context(), reference(t, sly+"/team/ceiling:1.0.0")); abi.CodeOf(err) != oci.CodeRegistryInsecure {
			t.Errorf("%v", err)
		}
	})
	t.Run("a token server with plain HTTP", func(t *testing.T) {
		sly := between(t, host, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://192.0.2.1/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, nil)
		if _, err := client.Pull(t.Context(), reference(t, sly+"/team/ceiling:1.0.0")); err == nil || abi.CodeOf(err) == "internal" {
			t.Errorf("%v", err)
		}
	})
	t.Run("redirects without end", func(t *testing.T) {
		loop := between(t, host, func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}, nil)
		if _, err := client.Pull(t.Context(), reference(t, loop+"/team/ceiling:1.0.0")); abi.CodeOf(err) != oci.CodeRegistryFailed {
			t.Errorf("%v", err)
		}
	})
}

func TestARegistryThatNeverAnswersEndsAtTheDeadline(t *testing.T) {
	host := between(t, inProcess(t, true), func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}, nil)
	client := newClient(t, oci.Config{Timeout: 100 * time.Millisecond})
	if _, err := client.Pull(t.Context(), reference(t, host+"/a/b:1")); abi.CodeOf(err) != oci.CodeRegistryFailed {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Pull(ctx, reference(t, host+"/a/b:1")); err == nil {
		t.Error("a pull that was called off succeeds")
	}
	if _, err := oci.New(oci.Config{Timeout: -1}); abi.CodeOf(err) != "config_invalid" {
		t.Errorf("%v", err)
	}
}

func TestOnlyPluginsArePushed(t *testing.T) {
	client := newClient(t, oci.Config{})
	at := reference(t, inProcess(t, true)+"/team/ceiling:1.0.0")
	for _, c := range []struct {
		name, code        string
		module, signature []byte
	}{
		{"no module", abi.CodeManifestInvalid, []byte("nothing"), nil},
		{"no manifest", abi.CodeManifestInvalid, []byte("\x00asm\x01\x00\x00\x00"), nil},
		{"too large", oci.CodeArtifactTooLarge, make([]byte, abi.ModuleBytesMax+1), nil},
		{"a signature that is none", "signature_invalid", module("ceiling", "1.0.0"), []byte("nothing")},
	} {
		if _, err := client.Push(t.Context(), at, c.module, c.signature); abi.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
