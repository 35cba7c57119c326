package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
)

// behaviour is all that a caller can see of a guest: a refusal, or its identity and what some calls give and use.
func behaviour(t *testing.T, config Config, name string) string {
	t.Helper()
	h := openHost(t, config)
	p, err := h.Install(context.Background(), guest(t, name), abi.KindPolicy, everything)
	if err != nil {
		return err.Error()
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	seen := fmt.Sprintf("%+v %v", p.Identity(), p.globals)
	c, answer, err := p.Configure(context.Background(), []byte("cfg"))
	if err != nil {
		return seen + err.Error()
	}
	seen += fmt.Sprintf(" %q %d", answer, c.StartFuel())
	for _, request := range []string{"", "m", "g", "e", "pay"} {
		result, err := decide(c, request)
		seen += fmt.Sprintf(" %x %d %v", result.Bytes, result.Fuel, err)
	}
	return seen
}

func meteredFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(dir + "/*/*.metered*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTheCacheChangesNoAnswer(t *testing.T) {
	guests, err := filepath.Glob("testdata/*.wasm")
	if err != nil || len(guests) == 0 {
		t.Fatalf("no guests: %v", err)
	}
	kept := 0
	for _, path := range guests {
		name := strings.TrimSuffix(filepath.Base(path), ".wasm")
		config := Config{CacheDir: filepath.Join(t.TempDir(), "cache"), Policy: Limits{Fuel: 1_000_000, StartFuel: 1_000_000}}
		without := Config{Policy: config.Policy}
		want := behaviour(t, without, name)
		for _, cache := range []string{"cold", "warm"} {
			if got := behaviour(t, config, name); got != want {
				t.Errorf("%s, %s cache: %s\nwithout: %s", name, cache, got, want)
			}
		}
		files := meteredFiles(t, config.CacheDir)
		_, err := openHost(t, without).Install(context.Background(), guest(t, name), abi.KindPolicy, everything)
		if installed := err == nil; installed != (len(files) == 1) {
			t.Errorf("%s: installed %v, and the cache holds %q", name, installed, files)
		}
		kept += len(files)
	}
	if kept == 0 || kept == len(guests) {
		t.Errorf("%d of %d guests were kept, which proves nothing about the others", kept, len(guests))
	}
}

// TestAKeptModuleIsNotMeteredAgain puts one guest's metered module where another's belongs, with a sum that says so.
func TestAKeptModuleIsNotMeteredAgain(t *testing.T) {
	config := Config{CacheDir: filepath.Join(t.TempDir(), "cache")}
	h := openHost(t, config)
	other, err := meter.Rewrite(guest(t, "forgetful"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.keepMetered(sha256.Sum256(guest(t, "echo_policy")), other); err != nil {
		t.Fatal(err)
	}
	if got := install(t, h, "echo_policy").globals; !cmp.Equal(got, other.Globals) || len(got) == 0 {
		t.Errorf("globals %q, the cache has %q", got, other.Globals)
	}
}

func TestWhatIsKeptIsWholeOrNotUsed(t *testing.T) {
	module := Digest(sha256.Sum256(guest(t, "forgetful")))
	metered, err := meter.Rewrite(guest(t, "forgetful"))
	if err != nil {
		t.Fatal(err)
	}
	file := encodeMetered(module, metered)
	if got, whole := decodeMetered(module, file); !whole || !cmp.Equal(got, metered) {
		t.Fatalf("an undamaged file: whole %v, %s", whole, cmp.Diff(metered, got))
	}
	for at := range file {
		damaged := bytes.Clone(file)
		damaged[at] ^= 1 << (at % 8)
		if _, whole := decodeMetered(module, damaged); whole {
			t.Errorf("byte %d of %d is damaged, and nobody noticed", at, len(file))
		}
		if _, whole := decodeMetered(module, file[:at]); whole {
			t.Errorf("the file ends after byte %d of %d, and nobody noticed", at, len(file))
		}
	}
	if _, whole := decodeMetered(module, append(bytes.Clone(file), 0)); whole {
		t.Error("the file is too long, and nobody noticed")
	}
	if _, whole := decodeMetered(sha256.Sum256(nil), file); whole {
		t.Error("the file is another module's, and nobody noticed")
	}
	otherMeter := bytes.Clone(file)
	sum := lengthPrefixed([]byte(strings.Replace(cacheLayout, meter.Version, "purser-meter-0", 1)), module[:], file[sha256.Size:])
	copy(otherMeter, sum[:])
	if _, whole := decodeMetered(module, otherMeter); whole {
		t.Error("another meter wrote the file, and nobody noticed")
	}
}

// TestADamagedMeteredModuleIsMadeAgain damages each part of the file, and what is no file at all.
func TestADamagedMeteredModuleIsMadeAgain(t *testing.T) {
	config := Config{CacheDir: filepath.Join(t.TempDir(), "cache")}
	want := behaviour(t, config, "forgetful")
	files := meteredFiles(t, config.CacheDir)
	if len(files) != 1 {
		t.Fatalf("the cache holds %q", files)
	}
	path, whole := files[0], readFile(t, files[0])
	write := func(content []byte) error { return os.WriteFile(path, content, 0o600) }
	flip := func(at int) func() error {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		return func() error { return write(damaged) }
	}
	for name, damage := range map[string]func() error{
		"sum": flip(0), "number of globals": flip(sha256.Size), "name of a global": flip(sha256.Size + 2),
		"module": flip(len(whole) / 2), "last byte": flip(len(whole) - 1),
		"torn":     func() error { return write(whole[:len(whole)/2]) },
		"empty":    func() error { return write(nil) },
		"zeros":    func() error { return write(make([]byte, len(whole))) },
		"too long": func() error { return os.Truncate(path, meteredBytesMax+1) },
		"a link to nowhere": func() error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(t.TempDir(), "nowhere"), path)
		},
		"gone": func() error { return os.Remove(path) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if got := behaviour(t, config, "forgetful"); got != want {
			t.Errorf("%s: %s\nundamaged: %s", name, got, want)
		}
		if !bytes.Equal(readFile(t, path), whole) {
			t.Errorf("%s: the file was not made again", name)
		}
	}
	// What cannot be replaced costs time and nothing else.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := behaviour(t, config, "forgetful"); got != want {
		t.Errorf("a folder: %s\nundamaged: %s", got, want)
	}
	if files := meteredFiles(t, config.CacheDir); len(files) != 1 {
		t.Errorf("temporary files stay: %q", files)
	}
}

const (
	sharedCacheEnv = "PURSER_TEST_SHARED_CACHE"
	sharedRounds   = 40
)

// TestChildOpensFromASharedCache is run by TestTwoProcessesShareACache in another process, and skipped elsewhere.
func TestChildOpensFromASharedCache(t *testing.T) {
	dir := os.Getenv(sharedCacheEnv)
	if dir == "" {
		t.Skip("run by TestTwoProcessesShareACache")
	}
	for range sharedRounds {
		fmt.Println("saw", behaviour(t, Config{CacheDir: dir}, "echo_policy"))
		// Half of the opens find nothing, or a file that the other process is about to replace.
		for _, path := range meteredFiles(t, dir) {
			if strings.HasSuffix(path, ".metered") {
				_ = os.Remove(path) //nolint:errcheck // the other process may have removed it
			}
		}
	}
}

func TestTwoProcessesShareACache(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "cache")
	want := "saw " + behaviour(t, Config{}, "echo_policy")
	children, outputs := make([]*exec.Cmd, 2), make([]bytes.Buffer, 2)
	for n := range children {
		children[n] = exec.CommandContext(t.Context(), self, "-test.run=^TestChildOpensFromASharedCache$") // #nosec G204 -- this test binary
		children[n].Env = append(os.Environ(), sharedCacheEnv+"="+dir)
		children[n].Stdout, children[n].Stderr = &outputs[n], &outputs[n]
		if err := children[n].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for n, child := range children {
		if err := child.Wait(); err != nil {
			t.Errorf("child %d: %v\n%s", n, err, &outputs[n])
		} else if got := strings.Count(outputs[n].String(), want+"\n"); got != sharedRounds {
			t.Errorf("child %d saw what was expected %d times in %d: %s", n, got, sharedRounds, &outputs[n])
		}
	}
}

func FuzzDecodeMetered(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	for _, name := range []string{"echo_policy", "forgetful"} {
		metered, err := meter.Rewrite(guest(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encodeMetered(Digest{}, metered)[sha256.Size:])
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		sum := meteredSum(Digest{}, content)
		metered, whole := decodeMetered(Digest{}, append(sum[:], content...))
		if !whole {
			return
		}
		again, whole := decodeMetered(Digest{}, encodeMetered(Digest{}, metered))
		if !whole || !bytes.Equal(again.Wasm, metered.Wasm) || !cmp.Equal(again.Globals, metered.Globals) {
			t.Errorf("%q of %d bytes come back as %q of %d", metered.Globals, len(metered.Wasm), again.Globals, len(again.Wasm))
		}
	})
}
