package link

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	goruntime "runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// FuzzFrames reads any bytes as a stream of frames: it never panics, never takes more than it was given, and what it
// takes for a frame is one, written in the only way there is.
func FuzzFrames(f *testing.F) {
	good, err := frameOf("body").MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(appendSized(nil, good))
	f.Add(appendSized(appendSized(nil, good), good))
	f.Add(appendSized(nil, good)[:9])
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 2})
	f.Add(appendSized(nil, append(bytes.Clone(good), 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		reader := frames{
			stream: bufio.NewReader(bytes.NewReader(data)), from: signer.RoleRuntime, to: signer.RoleCoSigner,
			frameTimeMax: time.Hour, abort: func() {},
		}
		var written []byte
		for {
			frame, err := reader.next()
			if err != nil {
				if errors.Is(err, io.EOF) && !bytes.Equal(written, data) {
					t.Fatalf("the stream ended after %d of %d bytes", len(written), len(data))
				}
				break
			}
			if frame.From != signer.RoleRuntime || frame.To != signer.RoleCoSigner {
				t.Fatalf("a frame from the %s to the %s", frame.From, frame.To)
			}
			encoded, err := frame.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			written = appendSized(written, encoded)
		}
		if !bytes.HasPrefix(data, written) {
			t.Fatal("a frame has two spellings")
		}
	})
}

// FuzzProblem reads any answer as an error.
func FuzzProblem(f *testing.F) {
	for _, err := range []error{
		&abi.Error{Code: "busy", Message: "m", Retry: abi.RetryLater}, errors.New("private"),
		&signer.Refused{Decision: &abi.Decision{Outcome: abi.Deny, Side: "cosigner"}},
	} {
		status, contentType, body := encodeProblem(err)
		f.Add(status, contentType, body)
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		err := decodeProblem(status, contentType, body)
		var refused *signer.Refused
		if errors.As(err, &refused) {
			if refused.Decision == nil || refused.Decision.Outcome == abi.Allow || status != 403 || contentType != refusedType {
				t.Fatalf("%d %q became a refusal", status, contentType)
			}
			return
		}
		var known *abi.Error
		if !errors.As(err, &known) || !codeLike(known.Code) || len(known.Message) > 4*problemTextMax {
			t.Fatalf("%d %q became %v", status, contentType, err)
		}
		// What was understood is understood the same once more.
		again := decodeProblem(encodeProblem(known))
		var repeated *abi.Error
		if known.Code != CodeAnswerInvalid && (!errors.As(again, &repeated) || repeated.Code != known.Code || repeated.Retry != known.Retry) {
			t.Fatalf("%s became %v", cmp.Diff(known, repeated), again)
		}
	})
}

// A length that is only claimed must not cost what it claims.
func TestAClaimedLengthCostsNothing(t *testing.T) {
	const runs = 200
	claim := []byte{0, 3, 0, 0, 1} // 192 KiB, of which one byte comes
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	for range runs {
		if _, err := readSized(bufio.NewReaderSize(bytes.NewReader(claim), 16), signer.FrameBytesMax); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("a cut message was read: %v", err)
		}
	}
	goruntime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / runs; each > 4*frameGrowBytes {
		t.Errorf("%d bytes for a message that did not come", each)
	}
}
