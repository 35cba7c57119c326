package link

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

// A runtime that sends without end fills its own window, not the co-signer's memory.
func TestAFloodOfFramesWaitsForTheOneWhoReads(t *testing.T) {
	release := make(chan struct{})
	d := &desk{party: func(transport signer.Transport) { <-release }}
	o := open(t, d, hasty)
	var written atomic.Int64
	body, feed := io.Pipe()
	go func() {
		encoded, err := frameOf(strings.Repeat("x", 1000)).MarshalBinary()
		if err != nil {
			t.Error(err)
		}
		block := openingBytes(t)
		for {
			if _, err := feed.Write(block); err != nil {
				return
			}
			written.Add(int64(len(block)))
			block = appendSized(nil, encoded)
		}
	}()
	response := o.stream(t, body)
	defer response.Body.Close()
	last := int64(-1)
	eventually(t, "the flood stands still", func() bool {
		now := written.Load()
		still := now == last && now > 0
		last = now
		time.Sleep(100 * time.Millisecond)
		return still
	})
	// The stream's window, and what the two ends hold in their buffers.
	if bound := int64(streamWindowBytes + 2*readFrameBytesMax + 64<<10); last > bound {
		t.Errorf("%d bytes were taken from a peer that nobody reads, want at most %d", last, bound)
	}
	close(release)
	feed.CloseWithError(io.EOF)
	eventually(t, "the session ends", func() bool { return o.open() == 0 })
}

// One that is read, too, is cut off in the end.
func TestASessionHasABoundedNumberOfBytes(t *testing.T) {
	here := joined(t, open(t, new(desk), hasty).client(t, hasty))
	body := strings.Repeat("x", signer.FrameBodyBytesMax)
	for sent := 0; sent <= 2*sessionBytesMax; sent += len(body) {
		if _, err := pingPong(t, here, body); err != nil {
			if sent < sessionBytesMax-2*len(body) {
				t.Errorf("cut off after %d bytes: %v", sent, err)
			}
			return
		}
	}
	t.Error("no bound was met")
}

func openingBytes(t testing.TB) []byte {
	t.Helper()
	opening, err := sessionRequest().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return appendSized(nil, opening)
}

// stream opens a session by hand, as a runtime that is somebody else's program.
func (o *office) stream(t testing.TB, body io.Reader) *http.Response {
	t.Helper()
	closer, ok := body.(io.ReadCloser)
	if !ok {
		closer = io.NopCloser(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+o.address+pathJoin, closer)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", streamType)
	response, err := o.raw(t, pki.Runtime).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestAMalformedStreamEndsItsSessionAndNothingElse(t *testing.T) {
	o := open(t, new(desk), hasty)
	good, err := frameOf("good").MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	forged := frameOf("from another")
	forged.From, forged.To = signer.RoleCoSigner, signer.RoleRuntime
	asOther, err := forged.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	forged.From, forged.To = signer.RoleRecovery, signer.RoleCoSigner
	asThird, err := forged.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, rest := range map[string][]byte{
		"a length of nothing":       {0, 0, 0, 0},
		"a length beyond any frame": {0x00, 0x10, 0x00, 0x00},
		"the longest length":        {0xff, 0xff, 0xff, 0xff, 1},
		"no frame":                  appendSized(nil, []byte("hello")),
		"a byte too many":           appendSized(nil, append(bytes.Clone(good), 0)),
		"a byte too few":            appendSized(nil, good[:len(good)-1]),
		"the co-signer's own frame": appendSized(nil, asOther),
		"a third party's frame":     appendSized(nil, asThird),
		"cut within the length":     {0, 0},
		"cut within a frame":        appendSized(nil, good)[:20],
	} {
		response := o.stream(t, io.MultiReader(bytes.NewReader(openingBytes(t)), bytes.NewReader(rest)))
		stream := bufio.NewReader(response.Body)
		if _, err := readSized(stream, openingBytesMax); err != nil {
			t.Fatalf("%s: the answer: %v", name, err)
		}
		rest, err := within(t, name, func() ([]byte, error) { return io.ReadAll(stream) })
		if len(rest) != 0 {
			t.Errorf("%s: echoed %q, %v", name, rest, err)
		}
		response.Body.Close()
	}
	for name, opening := range map[string][]byte{
		"nothing":           {},
		"garbage":           appendSized(nil, []byte{0xff, 0xff}),
		"a long opening":    {0, 1, 0, 0},
		"a cut opening":     openingBytes(t)[:9],
		"a frame too early": appendSized(nil, good),
	} {
		response := o.stream(t, bytes.NewReader(opening))
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode == 200 || !strings.Contains(string(body), "link_request_invalid") {
			t.Errorf("opened by %s: %d %s %v", name, response.StatusCode, body, err)
		}
		response.Body.Close()
	}
	eventually(t, "sessions end", func() bool { return o.open() == 0 })
	if _, err := pingPong(t, joined(t, o.client(t, hasty)), "after all that"); err != nil {
		t.Error(err)
	}
}

func TestAPeerThatSpeaksSlowlyLosesItsCallAndItsSession(t *testing.T) {
	o := open(t, new(desk), hasty)
	trickle := func(before, data []byte) io.ReadCloser {
		body, feed := io.Pipe()
		go func() {
			if _, err := feed.Write(before); err != nil {
				return
			}
			for i := range data {
				if _, err := feed.Write(data[i : i+1]); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		}()
		t.Cleanup(func() { body.Close() })
		return body
	}
	status, body, err := ask(t, o.raw(t, pki.Runtime), http.MethodPost, "https://"+o.address+pathConsult, messageType, trickle(nil, make([]byte, 10_000)))
	if err == nil && status == 200 {
		t.Errorf("a call in drops: %d %s", status, body)
	}
	opening := o.stream(t, trickle(nil, openingBytes(t)[:3]))
	if text, _ := io.ReadAll(opening.Body); opening.StatusCode == 200 {
		t.Errorf("an opening in drops: %s", text)
	}
	opening.Body.Close()
	frame, err := frameOf(strings.Repeat("x", 10_000)).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	session := o.stream(t, trickle(openingBytes(t), appendSized(nil, frame)))
	defer session.Body.Close()
	within(t, "a frame in drops", func() ([]byte, error) { return io.ReadAll(session.Body) })
	eventually(t, "sessions end", func() bool { return o.open() == 0 })
}

// A runtime that does not read holds its own session only, and only until the session ends.
func TestAPeerThatDoesNotReadIsCutOff(t *testing.T) {
	d := &desk{party: func(transport signer.Transport) {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond) // an engine's own patience
		defer cancel()
		back := signer.Frame{From: signer.RoleCoSigner, To: signer.RoleRuntime, Type: "flood", Body: make([]byte, 100_000)}
		for transport.Send(ctx, back) == nil {
		}
	}}
	o := open(t, d, hasty)
	body, feed := io.Pipe()
	go feed.Write(openingBytes(t))
	response := o.stream(t, body)
	defer response.Body.Close()
	eventually(t, "the session ends", func() bool { return o.open() == 0 })
	d.working.Wait()
	feed.Close()
}
