package keystore

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const testPassphrase = "correct horse battery staple"

func passphraseWrapper(t testing.TB, text string) *PassphraseWrapper {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passphrase")
	must(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	w, err := OpenPassphraseFile(path, nil)
	must(t, err)
	return w
}

func TestAPassphraseOpensItsKeystoreAndAWrongOneIsLocked(t *testing.T) {
	config := testConfig(filepath.Join(t.TempDir(), "keys"))
	config.Wrapper = passphraseWrapper(t, testPassphrase)
	must(t, openTest(t, config).Put(t.Context(), testShare("a", 0, "blob")))
	config.Wrapper = passphraseWrapper(t, testPassphrase+"!")
	_, err := Open(t.Context(), config)
	wantCode(t, err, CodeLocked)
	right := passphraseWrapper(t, testPassphrase)
	config.Wrapper = right
	again := openTest(t, config)
	if right.held.passphrase != nil {
		t.Error("the passphrase is kept after the key was derived")
	}
	if got := blobOf(t, again, "a", 0); got != "blob" {
		t.Errorf("read %q", got)
	}
	right.Close()
	_, err = again.Load(t.Context(), "a", 0)
	wantCode(t, err, CodeLocked)
}

func TestAHostileFileCannotMakeUsBurnMemoryOrDeriveTwice(t *testing.T) {
	w := passphraseWrapper(t, testPassphrase)
	wrapped, err := w.Wrap(t.Context(), make([]byte, keyBytes), []byte("aad"))
	must(t, err)
	for name, row := range map[string]struct {
		at    int
		value uint32
	}{
		"memory": {5, argonMemoryKiBMax + 1}, "all memory": {5, 1<<32 - 1}, "weak memory": {5, argonMemoryKiB - 1}, "no memory": {5, 0},
		"passes": {1, argonPassesMax + 1}, "weak passes": {1, argonPasses - 1},
	} {
		hostile := bytes.Clone(wrapped)
		binary.BigEndian.PutUint32(hostile[row.at:], row.value)
		if _, _, _, ok := decodePassphraseWrapped(hostile); ok {
			t.Errorf("%s of %d is accepted", name, row.value)
		}
	}
	for _, lanes := range []byte{0, argonLanesMax + 1} {
		hostile := bytes.Clone(wrapped)
		hostile[9] = lanes
		if _, _, _, ok := decodePassphraseWrapped(hostile); ok {
			t.Errorf("%d lanes are accepted", lanes)
		}
	}
	other := bytes.Clone(wrapped)
	other[12] ^= 1 // another salt, within all bounds
	_, err = w.Unwrap(t.Context(), other, []byte("aad"))
	wantCode(t, err, CodeAltered)
	_, err = w.Unwrap(t.Context(), wrapped, []byte("another place"))
	wantCode(t, err, CodeLocked)
	if key, err := w.Unwrap(t.Context(), wrapped, []byte("aad")); err != nil || !bytes.Equal(key, make([]byte, keyBytes)) {
		t.Error("the key does not come back", err)
	}
}

func TestPassphraseFilesOthersMayReadOrTooShortAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passphrase")
	must(t, os.WriteFile(path, []byte(testPassphrase), 0o600))
	must(t, os.Chmod(path, 0o644))
	_, err := OpenPassphraseFile(path, nil)
	wantCode(t, err, CodeExposed)
	must(t, os.Remove(path))
	must(t, os.WriteFile(path, []byte("fifteen bytes..\n"), 0o600))
	_, err = OpenPassphraseFile(path, nil)
	wantCode(t, err, CodeInputInvalid)
	must(t, os.WriteFile(path, bytes.Repeat([]byte("x"), passphraseBytesMax+3), 0o600))
	_, err = OpenPassphraseFile(path, nil)
	wantCode(t, err, CodeAltered)
}

// kmsProgram builds the program of testdata: a key service of one file.
func kmsProgram(t testing.TB) (program, key string) {
	t.Helper()
	folder := t.TempDir()
	program, key = filepath.Join(folder, "kms"), filepath.Join(folder, "key")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/kms").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	must(t, os.WriteFile(key, bytes.Repeat([]byte{9}, 32), 0o600))
	return program, key
}

func TestAnOperatorsCommandWrapsTheKeys(t *testing.T) {
	program, key := kmsProgram(t)
	command := func(mode string) *CommandWrapper {
		w, err := NewCommandWrapper(CommandConfig{Argv: []string{program, mode, key}, Time: 20 * time.Second})
		must(t, err)
		return w
	}
	config := testConfig(filepath.Join(t.TempDir(), "keys"))
	config.Wrapper = command("honest")
	must(t, openTest(t, config).Put(t.Context(), testShare("a", 0, "blob")))
	again := openTest(t, config)
	if got := blobOf(t, again, "a", 0); got != "blob" {
		t.Errorf("read %q", got)
	}
	for _, mode := range []string{"fails", "silent", "short", "endless", "other-key", "other-context", "complains"} {
		config.Wrapper = command(mode)
		_, err := Open(t.Context(), config)
		wantCode(t, err, CodeWrapperFailed)
		if strings.Contains(err.Error(), "COMPLAINT") {
			t.Errorf("%s: the error repeats the command's words: %v", mode, err)
		}
	}
	forgetful := command("no-context") // a service that binds no context: the 32 bytes beside the key do
	wrapped, err := forgetful.Wrap(t.Context(), make([]byte, keyBytes), []byte("here"))
	must(t, err)
	_, err = forgetful.Unwrap(t.Context(), wrapped, []byte("here"))
	must(t, err)
	_, err = forgetful.Unwrap(t.Context(), wrapped, []byte("there"))
	wantCode(t, err, CodeWrapperFailed)
	var heard bytes.Buffer
	noisy, err := NewCommandWrapper(CommandConfig{Argv: []string{program, "complains", key}, Complaints: &heard})
	must(t, err)
	_, err = noisy.Wrap(t.Context(), make([]byte, keyBytes), nil)
	wantCode(t, err, CodeWrapperFailed)
	if n := heard.Len(); n == 0 || n > commandComplaintBytesMax {
		t.Errorf("%d bytes of complaint were passed on", n)
	}
}

func TestAHangingCommandIsKilledWithItsChildren(t *testing.T) {
	program, key := kmsProgram(t)
	mark := filepath.Join(t.TempDir(), "mark")
	hanging, err := NewCommandWrapper(CommandConfig{Argv: []string{program, "hangs", key, mark}, Time: 2 * time.Second})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = hanging.Unwrap(ctx, []byte("wrapped"), nil)
	wantCode(t, err, CodeWrapperFailed)
	if ctx.Err() != nil {
		t.Error("the command outlived its time")
	}
	content, err := os.ReadFile(mark) // the child's process id
	must(t, err)
	if out, err := exec.CommandContext(ctx, "kill", "-0", string(content)).CombinedOutput(); err == nil {
		status, _ := os.ReadFile("/proc/" + string(content) + "/stat") // a zombie that nobody reaped is dead too
		if !strings.Contains(string(status), ") Z ") {
			t.Errorf("the command's child %s still runs: %s %s", content, out, status)
		}
	}
}

func TestCommandsAreNamedByTheirAbsolutePath(t *testing.T) {
	for _, config := range []CommandConfig{{}, {Argv: []string{"kms"}}, {Argv: []string{"./kms"}}, {Argv: []string{"/kms"}, Time: -1}, {Argv: []string{"/kms"}, Time: time.Hour}} {
		_, err := NewCommandWrapper(config)
		wantCode(t, err, CodeInputInvalid)
	}
}
