package sdktest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

// cRefuseUnknown compiles the decoder as strict as the host's, for exact comparison with it.
const cRefuseUnknown = "-DPURSER_REFUSE_UNKNOWN_FIELDS"

type cVectors struct {
	Valid []struct {
		Name, Hex string
		View      json.RawMessage
	}
	Refused []struct{ Name, Hex, Guest string }
}

func readCVectors(t testing.TB, message string) (v cVectors) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, filepath.Join(root, "abi/testdata/v1", message+".json")), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Valid) == 0 || len(v.Refused) == 0 {
		t.Fatalf("no vectors of %s", message)
	}
	return v
}

func hexBytes(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheCSDK(t *testing.T) {
	guest, strict := buildCHarness(t), buildCHarness(t, cRefuseUnknown)
	t.Run("reads and writes every vector", func(t *testing.T) { provesTheCVectors(t, guest.start(t), strict.start(t)) })
	t.Run("answers every mutation like the Go decoder", func(t *testing.T) { provesTheCMutations(t, strict.start(t)) })
	t.Run("calculates like the host", func(t *testing.T) { provesTheCAmounts(t, guest.start(t)) })
	t.Run("spells amounts in one way", func(t *testing.T) { provesTheCSpellings(t, guest.start(t)) })
}

// TestWhatTheCSDKPromisesAndNoVectorShows runs testdata/c/claims.c, where each claim is a line.
func TestWhatTheCSDKPromisesAndNoVectorShows(t *testing.T) {
	program := sanitizedC(t, filepath.Join(root, cSources, "claims.c"))
	if output, err := exec.CommandContext(t.Context(), program).CombinedOutput(); err != nil { // #nosec G204 -- built by this test
		t.Errorf("%v\n%s", err, output)
	}
}

func provesTheCVectors(t *testing.T, guest, strict *cHarness) {
	t.Helper()
	valid, refused := 0, 0
	for _, message := range abi.MessageNames() {
		vectors := readCVectors(t, message)
		for _, v := range vectors.Valid {
			valid++
			wire := hexBytes(t, v.Hex)
			for _, h := range []*cHarness{guest, strict} {
				if again, ok := h.ask(t, 'r', message, wire); !ok || !bytes.Equal(again, wire) {
					t.Errorf("%s, %s: %t, written as %x", message, v.Name, ok, again)
				}
			}
			view, ok := guest.ask(t, 'v', message, wire)
			if !ok || !sameJSON(t, view, v.View) {
				t.Errorf("%s, %s: reads as %s, want %s", message, v.Name, view, v.View)
			}
		}
		for _, v := range vectors.Refused {
			refused++
			wire := hexBytes(t, v.Hex)
			if again, ok := guest.ask(t, 'r', message, wire); ok != (v.Guest == "skips") {
				t.Errorf("%s, %s: %t, %x, but a guest %s", message, v.Name, ok, again, v.Guest)
			}
			if again, ok := strict.ask(t, 'r', message, wire); ok {
				t.Errorf("%s, %s: %x", message, v.Name, again)
			}
		}
	}
	guest.stop(t)
	strict.stop(t)
	t.Logf("%d messages, %d valid and %d refused vectors", len(abi.MessageNames()), valid, refused)
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var values [2]any
	for i, text := range [][]byte{a, b} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&values[i]); err != nil {
			t.Errorf("%s: %v", text, err)
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

type cCase struct {
	message string
	wire    []byte
}

// validCVectors are the bytes of every valid vector.
func validCVectors(t testing.TB) (list []cCase) {
	t.Helper()
	for _, message := range abi.MessageNames() {
		for _, v := range readCVectors(t, message).Valid {
			list = append(list, cCase{message, hexBytes(t, v.Hex)})
		}
	}
	return list
}

// mutations are every prefix of every valid vector and every bit of it flipped. The sequence can be walked any number of
// times and from any goroutine.
func mutations(t testing.TB) iter.Seq[cCase] {
	t.Helper()
	vectors := validCVectors(t)
	return func(yield func(cCase) bool) {
		for _, v := range vectors {
			for size := range v.wire {
				if !yield(cCase{v.message, v.wire[:size]}) {
					return
				}
			}
			for bit := range 8 * len(v.wire) {
				flipped := bytes.Clone(v.wire)
				flipped[bit/8] ^= 1 << (bit % 8)
				if !yield(cCase{v.message, flipped}) {
					return
				}
			}
		}
	}
}

func provesTheCMutations(t *testing.T, h *cHarness) {
	t.Helper()
	all := mutations(t)
	sent := make(chan error, 1)
	go func() {
		for c := range all {
			if err := h.send('R', c.message, c.wire); err != nil {
				sent <- err
				return
			}
		}
		sent <- errors.Join(h.in.Flush(), h.closeIn.Close())
	}()
	cases, accepted := 0, 0
	for c := range all {
		got, ok, err := h.receive()
		if err != nil {
			_ = h.command.Wait() // it says why
			t.Fatalf("%s %x: %v\n%s", c.message, c.wire, err, h.stderr.String())
		}
		cases++
		want, wanted := goReads(t, c.message, c.wire)
		if wanted {
			accepted++
		}
		if ok != wanted || !bytes.Equal(got, want) {
			t.Fatalf("%s %x: C says %t and writes %x, Go %t and %x", c.message, c.wire, ok, got, wanted, want)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if err := h.command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, h.stderr.String())
	}
	if accepted == 0 || accepted == cases {
		t.Errorf("%d of %d mutations were accepted, so not both answers were compared", accepted, cases)
	}
	t.Logf("%d mutations, %d of them messages", cases, accepted)
}

// goReads is the host's answer: the message written again, when the bytes are one.
func goReads(t testing.TB, message string, wire []byte) (again []byte, ok bool) {
	t.Helper()
	m := abi.NewMessage(message)
	if err := m.Unmarshal(wire); err != nil {
		return nil, false
	}
	again, err := m.Marshal()
	if err != nil {
		t.Fatalf("%s %x: %v", message, wire, err)
	}
	return again, true
}

// FuzzTheCDecoderAnswersLikeTheGoDecoder asks both about the same bytes; the harness is one process for all inputs.
func FuzzTheCDecoderAnswersLikeTheGoDecoder(f *testing.F) {
	names := abi.MessageNames()
	for _, v := range validCVectors(f) {
		f.Add(uint8(slices.Index(names, v.message)), v.wire) // #nosec G115 -- 48 messages
	}
	h := buildCHarness(f, cRefuseUnknown).start(f)
	f.Cleanup(func() { h.stop(f) })
	f.Fuzz(func(t *testing.T, index uint8, wire []byte) {
		name := names[int(index)%len(names)]
		want, wanted := goReads(t, name, wire)
		if got, ok := h.ask(t, 'r', name, wire); ok != wanted || !bytes.Equal(got, want) {
			t.Fatalf("%s %x: C says %t and writes %x, Go %t and %x", name, wire, ok, got, wanted, want)
		}
	})
}

// TestTheCReadmeIsTheExampleAndItsCommandsWork takes the policy and the two commands that need no purser out of the
// README, into a folder like the one it describes.
func TestTheCReadmeIsTheExampleAndItsCommandsWork(t *testing.T) {
	readme := string(readFile(t, filepath.Join(root, cSDK, "README.md")))
	source := string(readFile(t, filepath.Join(root, cExample, "ceiling.c")))
	if !strings.Contains(readme, "```c\n"+source+"```\n") {
		t.Fatal("README.md shows another policy than the example's")
	}
	folder := t.TempDir()
	for from, to := range map[string]string{cSDK: "purser-sdk", cExample: "."} {
		if err := os.CopyFS(filepath.Join(folder, to), os.DirFS(filepath.Join(root, from))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ tool, command string }{
		{"clang", "sh purser-sdk/build.sh ceiling.wasm ceiling.c"},
		{"gcc", "gcc -std=c11 -g -Wall -Wextra -fsanitize=address,undefined -I purser-sdk/include -o ceiling_test test/ceiling_test.c ceiling.c purser-sdk/src/*.c\n./ceiling_test"},
	} {
		if !strings.Contains(readme, "```sh\n"+c.command+"\n```\n") {
			t.Errorf("README.md does not say %s", c.command)
		}
		if !hasTool(c.tool) {
			skipWithout(t, "no %s", c.tool)
		}
		run := exec.CommandContext(t.Context(), "sh", "-e", "-c", c.command) // #nosec G204 -- a constant
		run.Dir = folder
		if output, err := run.CombinedOutput(); err != nil || len(output) > 0 {
			t.Errorf("%s: %v\n%s", c.command, err, output)
		}
	}
}

// hasTool knows that Debian's clang has a number in its name.
func hasTool(name string) bool {
	for _, candidate := range []string{name, name + "-14"} {
		if _, err := exec.LookPath(candidate); err == nil {
			return true
		}
	}
	return false
}
