package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if got := abi.CodeOf(err); got != code {
		t.Fatalf("got error code %q, want %q; error: %v", got, code, err)
	}
}

func someFrame() Frame {
	return Frame{Session: [32]byte{1, 2, 3}, Armed: [32]byte{4, 5, 6}, From: RoleRuntime, To: RoleCoSigner, Type: "sign3-theta", Seq: 258, Body: []byte("body")}
}

func TestAFrameHasOneEncoding(t *testing.T) {
	frame := someFrame()
	data, err := frame.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	want := "\x02\x01\x02\x03" + strings.Repeat("\x00", 29) + "\x04\x05\x06" + strings.Repeat("\x00", 29) + "\x01\x02\x00\x00\x01\x02\x0bsign3-theta\x00\x00\x00\x04body"
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("the encoding changed: peers of another version would not understand it (-want +got)\n%s", diff)
	}
	var got Frame
	if err := got.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(frame, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	data[len(data)-1] = 'x'
	if string(got.Body) != "body" {
		t.Error("the body aliases the caller's buffer")
	}
}

func TestHostileFramesAreRefused(t *testing.T) {
	good, err := someFrame().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, to byte) []byte {
		data := bytes.Clone(good)
		data[at] = to
		return data
	}
	tests := map[string][]byte{
		"nothing":                nil,
		"another version":        change(0, 1),
		"role 0":                 change(65, 0),
		"role 4":                 change(66, 4),
		"to oneself":             change(66, 1),
		"no type":                change(71, 0),
		"a longer type":          change(71, 200),
		"capitals in the type":   change(72, 'S'),
		"a long body":            change(83, 0xff),
		"one byte more":          append(bytes.Clone(good), 0),
		"too long for any frame": make([]byte, FrameBytesMax+1),
	}
	for n := range good {
		tests[fmt.Sprintf("cut to %d bytes", n)] = good[:n]
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			frame := someFrame()
			wantCode(t, frame.UnmarshalBinary(data), CodeFrameInvalid)
			if diff := cmp.Diff(someFrame(), frame); diff != "" {
				t.Errorf("a failed decode changed the frame\n%s", diff)
			}
		})
	}
	for name, edit := range map[string]func(*Frame){
		"no body":     func(f *Frame) { f.Body = nil },
		"a huge body": func(f *Frame) { f.Body = make([]byte, FrameBodyBytesMax+1) },
		"a long type": func(f *Frame) { f.Type = strings.Repeat("a", frameTypeBytesMax+1) },
	} {
		t.Run("encode "+name, func(t *testing.T) {
			frame := someFrame()
			edit(&frame)
			_, err := frame.MarshalBinary()
			wantCode(t, err, CodeFrameInvalid)
		})
	}
}

func FuzzFrameDecoder(f *testing.F) {
	good, err := someFrame().MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:72])
	f.Add([]byte{frameVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		var frame Frame
		if err := frame.UnmarshalBinary(data); err != nil {
			wantCode(t, err, CodeFrameInvalid)
			return
		}
		again, err := frame.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("a decoded frame encodes to something else: %v", err)
		}
	})
}

func TestAPipeIsBoundedAndEndsWithItsContext(t *testing.T) {
	a, b := Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	for range FramesInFlightMax {
		if err := a.Send(ctx, someFrame()); err != nil {
			t.Fatal(err)
		}
	}
	blocked := make(chan error)
	go func() { blocked <- a.Send(ctx, someFrame()) }()
	cancel()
	if err := <-blocked; !errors.Is(err, context.Canceled) {
		t.Errorf("a send beyond the bound: %v", err)
	}
	if _, err := b.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a receive after the end: %v", err)
	}
}

func TestAClosedPipeStillDeliversWhatWasSent(t *testing.T) {
	a, b := Pipe()
	if err := a.Send(t.Context(), someFrame()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(someFrame(), got); diff != "" {
		t.Error(diff)
	}
	if _, err := b.Receive(t.Context()); !errors.Is(err, ErrTransportClosed) {
		t.Errorf("receive: %v", err)
	}
	if err := b.Send(t.Context(), someFrame()); !errors.Is(err, ErrTransportClosed) {
		t.Errorf("send: %v", err)
	}
}
