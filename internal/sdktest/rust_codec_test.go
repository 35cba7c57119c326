package sdktest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
)

// rustCodec is the Rust SDK's codec as a process that answers lines.
type rustCodec struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

const rustAnswerBytesMax = 16 << 20

func startRustCodec(t testing.TB) rustCodec {
	t.Helper()
	compiler := rustc(t, "")
	folder := rustLibrary(t, compiler)
	program := filepath.Join(folder, "codec")
	runRust(t, rustSources, compiler, "--edition", "2021", "-C", "opt-level=1", "codec.rs",
		"--extern", "purser_sdk="+filepath.Join(folder, "libpurser_sdk.rlib"), "-o", program)
	// It ends by itself when its input does; the test's context ends before a fuzz target's cleanup.
	c := rustCodec{command: exec.CommandContext(context.WithoutCancel(t.Context()), program)} // #nosec G204 -- built above
	var err error
	if c.in, err = c.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	c.out.Buffer(nil, rustAnswerBytesMax)
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// stop fails the test when the codec panicked.
func (c rustCodec) stop(t testing.TB) {
	t.Helper()
	if err := errors.Join(c.in.Close(), c.command.Wait()); err != nil {
		t.Error(err)
	}
}

// answer reads the next one; ok is false when the bytes were refused.
func (c rustCodec) answer(t testing.TB) (again []byte, ok bool) {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("the codec ended: %v", c.out.Err())
	}
	digits, ok := bytes.CutPrefix(c.out.Bytes(), []byte("= "))
	if !ok {
		return nil, false
	}
	again, err := hex.AppendDecode([]byte{}, digits)
	if err != nil {
		t.Fatal(err)
	}
	return again, true
}

func TestTheRustDecoderAnswersEveryMutationLikeTheHostWould(t *testing.T) {
	oracle := readGuestOracle(t)
	c := startRustCodec(t)
	sent := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(c.in)
		for m := range mutations(t) {
			if _, err := fmt.Fprintf(out, "%s %x\n", m.message, m.wire); err != nil {
				sent <- err
				return
			}
		}
		sent <- errors.Join(out.Flush(), c.in.Close())
	}()
	cases, accepted := 0, 0
	for m := range mutations(t) {
		cases++
		got, ok := c.answer(t)
		want, wanted := oracle.reads(m.message, m.wire)
		if wanted {
			accepted++
		}
		if ok != wanted || !bytes.Equal(got, want) {
			t.Fatalf("%s %x: Rust says %t and writes %x, the host %t and %x", m.message, m.wire, ok, got, wanted, want)
		}
	}
	if err := errors.Join(<-sent, c.command.Wait()); err != nil {
		t.Error(err)
	}
	if accepted == 0 || accepted == cases {
		t.Errorf("%d of %d mutations were accepted, so not both answers were compared", accepted, cases)
	}
	t.Logf("%d mutations, %d of them messages", cases, accepted)
}

// FuzzTheRustDecoderAnswersLikeTheHost asks both about the same bytes. What Rust writes again equals its input exactly
// when the host reads that input: there is one spelling, and what only a guest skips is not written again.
func FuzzTheRustDecoderAnswersLikeTheHost(f *testing.F) {
	names := abi.MessageNames()
	for i, name := range names {
		for _, v := range readCVectors(f, name).Valid {
			f.Add(uint8(i), hexBytes(f, v.Hex)) // #nosec G115 -- 48 messages
		}
	}
	c := startRustCodec(f)
	f.Cleanup(func() { c.stop(f) })
	f.Fuzz(func(t *testing.T, index uint8, wire []byte) {
		name := names[int(index)%len(names)]
		if _, err := fmt.Fprintf(c.in, "%s %x\n\n", name, wire); err != nil {
			t.Fatal(err)
		}
		got, ok := c.answer(t)
		read := abi.NewMessage(name).Unmarshal(wire) == nil
		if same := ok && bytes.Equal(got, wire); same != read {
			t.Fatalf("%s %x: Rust says %t and writes %x, the host reads it: %t", name, wire, ok, got, read)
		}
	})
}
