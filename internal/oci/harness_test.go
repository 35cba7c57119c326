package oci_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/oci"
	"github.com/purserhq/purser/internal/trust"
)

const startTimeMax = 20 * time.Second

// module is the smallest thing with a manifest: nothing here runs it. Its description needs care in JSON and HTML.
func module(name, version string) []byte {
	content := fmt.Sprintf(`{"abi":{"major":1,"minor":0}, "description":"For tests: <a> & \"b\".","kind":"policy","license":"Apache-2.0","name":%q,"version":%q}`, name, version)
	body := string(rune(len(abi.ManifestSection))) + abi.ManifestSection + content
	return append([]byte("\x00asm\x01\x00\x00\x00\x00"+string([]byte{byte(len(body)&0x7f | 0x80), byte(len(body) >> 7)})), body...)
}

func newKey(t testing.TB) (trust.PrivateKey, trust.PublicKey) {
	t.Helper()
	key, err := trust.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

func sign(t testing.TB, module []byte, key trust.PrivateKey) []byte {
	t.Helper()
	signature, err := trust.Sign(module, key)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func newClient(t testing.TB, config oci.Config) *oci.Client {
	t.Helper()
	client, err := oci.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func reference(t testing.TB, s string) oci.Reference {
	t.Helper()
	r, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inProcess starts go-containerregistry's registry and returns its host and port.
func inProcess(t testing.TB, referrers bool) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// dockerRegistry starts Debian's docker-registry, which has no referrers API. htpasswd, unless empty, is a line of its
// password file.
func dockerRegistry(t testing.TB, htpasswd string) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("docker-registry is missing: .ci/install installs it")
		}
		t.Skip("SKIPPED: NO DOCKER-REGISTRY: apt-get install docker-registry")
	}
	folder := t.TempDir()
	address := freeAddress(t)
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q, secret: for-tests}\n",
		filepath.Join(folder, "data"), address)
	if htpasswd != "" {
		config += fmt.Sprintf("auth: {htpasswd: {realm: tests, path: %s}}\n", filepath.Join(folder, "htpasswd"))
		write(t, filepath.Join(folder, "htpasswd"), []byte(htpasswd+"\n"))
	}
	write(t, filepath.Join(folder, "config.yml"), []byte(config))
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "serve", filepath.Join(folder, "config.yml"))
	var said strings.Builder
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = command.Wait() // it was killed
	})
	for deadline := time.Now().Add(startTimeMax); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			_ = answer.Body.Close()
			return address
		}
		if time.Now().After(deadline) {
			stop()
			_ = command.Wait()
			t.Fatalf("docker-registry does not start: %v\n%s", err, said.String())
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
