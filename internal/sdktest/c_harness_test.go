package sdktest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	cSDK     = "sdk/c"
	cExample = "examples/ceiling/c"
	cSources = "internal/sdktest/testdata/c"
	// cAnswerBytesMax bounds one answer of the harness.
	cAnswerBytesMax = 16 << 20
)

// cHarness is the C SDK behind testdata/c/harness.c, compiled with the address and undefined behaviour sanitizers: what
// either finds ends the process, and the test with it.
type cHarness struct {
	path    string
	command *exec.Cmd
	stderr  bytes.Buffer
	in      *bufio.Writer
	closeIn io.Closer
	out     *bufio.Reader
}

// buildCHarness compiles the harness with more flags and sources.
func buildCHarness(t testing.TB, more ...string) *cHarness {
	t.Helper()
	return &cHarness{path: sanitizedC(t, append([]string{filepath.Join(root, cSources, "harness.c")}, more...)...)}
}

// sanitizedC compiles the SDK with more flags and sources, and returns the program.
func sanitizedC(t testing.TB, more ...string) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		skipWithout(t, "no C compiler (%v); on Debian: apt-get install --no-install-recommends gcc libc6-dev", err)
	}
	sources, err := filepath.Glob(filepath.Join(root, cSDK, "src", "*.c"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("sources of the C SDK: %v, %v", sources, err)
	}
	program := filepath.Join(t.TempDir(), "program")
	args := append([]string{
		"-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion", "-Wshadow",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DPURSER_ARENA_BYTES_MAX=1073741824u",
		"-I", filepath.Join(root, cSDK, "include"), "-o", program,
	}, more...)
	if output, err := exec.CommandContext(t.Context(), gcc, append(args, sources...)...).CombinedOutput(); err != nil { // #nosec G204 -- constant flags
		t.Fatalf("%v\n%s", err, output)
	}
	return program
}

// start runs the harness until stop.
func (h *cHarness) start(t testing.TB) *cHarness {
	t.Helper()
	// A test's own context ends before its cleanups, which want the process's last word. It cannot outlive this process:
	// it ends with its input.
	running := &cHarness{path: h.path, command: exec.CommandContext(context.WithoutCancel(t.Context()), h.path)} // #nosec G204 -- built by this test
	in, err := running.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := running.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	running.command.Stderr = &running.stderr
	running.in, running.closeIn, running.out = bufio.NewWriter(in), in, bufio.NewReader(out)
	if err := running.command.Start(); err != nil {
		t.Fatal(err)
	}
	return running
}

// stop ends the harness, which must have found nothing.
func (h *cHarness) stop(t testing.TB) {
	t.Helper()
	if err := h.closeIn.Close(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(h.out); err != nil || len(rest) > 0 {
		t.Errorf("%d bytes that nobody asked for, %v", len(rest), err)
	}
	if err := h.command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, h.stderr.String())
	}
}

func (h *cHarness) send(kind byte, name string, data []byte) error {
	frame := append([]byte{kind, byte(len(name))}, name...)            // #nosec G115 -- names are short
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(data))) // #nosec G115 -- vectors are small
	if _, err := h.in.Write(frame); err != nil {
		return err
	}
	_, err := h.in.Write(data)
	return err
}

func (h *cHarness) receive() (data []byte, accepted bool, err error) {
	var head [5]byte
	if _, err := io.ReadFull(h.out, head[:]); err != nil {
		return nil, false, err
	}
	data = make([]byte, min(binary.LittleEndian.Uint32(head[1:]), cAnswerBytesMax))
	_, err = io.ReadFull(h.out, data)
	return data, head[0] == 'a', err
}

// ask sends one frame and waits for its answer.
func (h *cHarness) ask(t testing.TB, kind byte, name string, data []byte) (answer []byte, accepted bool) {
	t.Helper()
	err := h.send(kind, name, data)
	if err == nil {
		err = h.in.Flush()
	}
	if err == nil {
		answer, accepted, err = h.receive()
	}
	if err != nil {
		// The process ended, or it would have answered: it says why.
		_ = h.closeIn.Close()
		_ = h.command.Wait()
		t.Fatalf("%c %s %x: %v\n%s", kind, name, data, err, h.stderr.String())
	}
	return answer, accepted
}
