package sandbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

func TestWazeroIsTheVersionThisPackageWasWrittenFor(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", wazeroPath).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != wazeroVersionBuilt {
		t.Errorf("go.mod has wazero %s, the constant says %s", got, wazeroVersionBuilt)
	}
}

func TestTheCacheDirectoryMustBePrivate(t *testing.T) {
	base := t.TempDir()
	private := filepath.Join(base, "private")
	h := openHost(t, Config{CacheDir: private})
	if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("made with %v, %v", info.Mode(), err)
	}
	install(t, h, "echo_policy")
	folder := filepath.Join(private, cacheLayout+"-"+wazeroVersion())
	if files, err := filepath.Glob(folder + "/*/*"); err != nil || len(files) != 1 {
		t.Errorf("the cache holds %d files under %s, want 1 (%v)", len(files), folder, err)
	}
	install(t, h, "echo_policy")

	open := filepath.Join(base, "open")
	file := filepath.Join(base, "file")
	link := filepath.Join(base, "link")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o750); err != nil { // #nosec G302 -- what the test is about
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(private, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, file, link, filepath.Join(base, "no", "parent")} {
		_, err := Open(Config{CacheDir: dir})
		wantCode(t, err, CodeCacheUnsafe)
	}
	// A directory that is opened up later is refused at the next install.
	if err := os.Chmod(private, 0o777); err != nil { // #nosec G302 -- what the test is about
		t.Fatal(err)
	}
	_, err := h.Install(context.Background(), guest(t, "echo_policy"), abi.KindPolicy, everything)
	wantCode(t, err, CodeCacheUnsafe)
}

func TestADamagedCacheEntryIsNotRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	h := openHost(t, Config{CacheDir: dir})
	if err := install(t, h, "echo_policy").Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/*/*/*")
	if err != nil || len(files) != 1 {
		t.Fatalf("%d cache files, %v", len(files), err)
	}
	data := readFile(t, files[0])
	data[len(data)/2] ^= 0xff
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = h.Install(context.Background(), guest(t, "echo_policy"), abi.KindPolicy, everything)
	wantCode(t, err, CodeCacheUnsafe)
}

func TestACachedModuleBehavesAsACompiledOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for range 2 {
		p := install(t, openHost(t, Config{CacheDir: dir}), "hostile")
		c := configure(t, p, "")
		for request, code := range map[string]string{"a": CodeFuelExhausted, "b": CodeTrap, "c": CodeFuelExhausted} {
			_, err := decide(c, request)
			wantCode(t, err, code)
		}
	}
}

func TestACallWaitsForItsTurnAndNoLonger(t *testing.T) {
	h := openHost(t, Config{Calls: 1, QueueWait: 30 * time.Millisecond})
	c := configure(t, install(t, h, "echo_policy"), "")
	h.queue.slots <- struct{}{} // somebody else's call
	_, err := decide(c, "x")
	wantCode(t, err, CodeDeadline)
	h.queue.leave()
	if _, err := decide(c, "x"); err != nil {
		t.Errorf("with a free slot: %v", err)
	}
	h.queue.slots <- struct{}{}
	h.queue.waiting.Store(queueLengthMax)
	_, err = decide(c, "x")
	wantCode(t, err, CodeDeadline)
	if got := h.queue.waiting.Load(); got != queueLengthMax {
		t.Errorf("%d wait, want %d", got, queueLengthMax)
	}
	h.queue.leave()
}

func TestCloseWaitsForARunningGuest(t *testing.T) {
	h, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := install(t, h, "hostile")
	c := configure(t, p, "")
	ended := make(chan error, 1)
	go func() {
		_, err := decide(c, "a")
		ended <- err
	}()
	for len(h.queue.slots) == 0 {
		goruntime.Gosched()
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-ended, CodeFuelExhausted)
	_, err = decide(c, "!")
	wantCode(t, err, CodeClosed)
	_, _, err = p.Configure(context.Background(), nil)
	wantCode(t, err, CodeClosed)
	_, err = h.Install(context.Background(), guest(t, "hostile"), abi.KindPolicy, everything)
	wantCode(t, err, CodeClosed)
	if err := h.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestAClosedPluginRefusesAndItsHostDoesNot(t *testing.T) {
	h := openHost(t, Config{})
	p := install(t, h, "echo_policy")
	c := configure(t, p, "")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := decide(c, "x")
	wantCode(t, err, CodeClosed)
	if _, err := decide(configure(t, install(t, h, "echo_policy"), ""), "x"); err != nil {
		t.Error(err)
	}
}

func TestHostileGuestsLeaveNoGoroutinesAndNoInstances(t *testing.T) {
	before := goruntime.NumGoroutine()
	h, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := install(t, h, "hostile")
	c := configure(t, p, "")
	for range 3 {
		for request := 'a'; request <= 'x'; request++ {
			_, _ = decide(c, string(request)) //nolint:errcheck // any outcome will do, what stays behind is the question
		}
	}
	var memory goruntime.MemStats
	goruntime.GC()
	goruntime.ReadMemStats(&memory)
	// 72 calls, each with up to 16 MiB: were instances kept, this would be hundreds of megabytes.
	if held := memory.HeapAlloc; held > 128<<20 {
		t.Errorf("%d MiB are still held", held>>20)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for wait := 0; goruntime.NumGoroutine() > before; wait++ {
		if wait > 200 {
			stack := make([]byte, 64<<10)
			t.Fatalf("%d goroutines, %d before:\n%s", goruntime.NumGoroutine(), before, stack[:goruntime.Stack(stack, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestAGarbageCollectionFinishesBesideAnEndlessGuest fails by hanging: were a guest never to let the collector in,
// the process would stop here.
func TestAGarbageCollectionFinishesBesideAnEndlessGuest(t *testing.T) {
	for _, request := range []string{"a", "c"} {
		h := openHost(t, Config{})
		c := configure(t, install(t, h, "hostile"), "")
		ended := make(chan error, 1)
		go func() {
			_, err := decide(c, request)
			ended <- err
		}()
		for len(h.queue.slots) == 0 {
			goruntime.Gosched()
		}
		goruntime.GC()
		select {
		case err := <-ended:
			t.Logf("the guest was over before the collection: %v", err)
		default:
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}
