package archive

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/purserhq/purser/abi"
)

func open(t *testing.T) *Archive {
	t.Helper()
	a, err := Open(filepath.Join(t.TempDir(), "archive"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestWhatIsPutComesBack(t *testing.T) {
	a := open(t)
	for _, content := range []string{"", "module", "bundle"} {
		digest, err := a.Put([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Content(digest); err != nil || string(got) != content {
			t.Errorf("%q, %v", got, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(a.folder, ".new-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWhatIsNotThereIsMissing(t *testing.T) {
	if _, err := open(t).Content(sha256.Sum256([]byte("nothing"))); abi.CodeOf(err) != CodeMissing {
		t.Error(err)
	}
}

func TestADamagedFileIsNeverHandedOutAndIsRepaired(t *testing.T) {
	a := open(t)
	digest, err := a.Put([]byte("module"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.path(digest), []byte("modulo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Content(digest); abi.CodeOf(err) != CodeDamaged {
		t.Error(err)
	}
	if _, err := a.Put([]byte("module")); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Content(digest); err != nil || string(got) != "module" {
		t.Errorf("%q, %v", got, err)
	}
}

// A pipe would keep whoever opens it for ever, and a folder is no content.
func TestWhatIsNoFileIsDamage(t *testing.T) {
	a := open(t)
	digest := sha256.Sum256([]byte("module"))
	if err := syscall.Mkfifo(a.path(digest), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Content(digest); abi.CodeOf(err) != CodeDamaged {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := a.Put([]byte("module")); err != nil {
		t.Errorf("over a pipe: %v", err)
	}
	folder := sha256.Sum256([]byte("folder"))
	if err := os.Mkdir(a.path(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Content(folder); abi.CodeOf(err) != CodeDamaged {
		t.Errorf("a folder: %v", err)
	}
}

func TestReadersMakeNoArchive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive")
	if _, err := Existing(path); abi.CodeOf(err) != CodeMissing {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was made")
	}
	if _, err := Open(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Existing(path); err != nil {
		t.Error(err)
	}
}

func TestManyWritersAgree(t *testing.T) {
	a := open(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := a.Put([]byte("the same")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestTooMuchIsRefused(t *testing.T) {
	if _, err := open(t).Put(make([]byte, fileBytesMax+1)); abi.CodeOf(err) != "file_too_large" {
		t.Error(err)
	}
}
