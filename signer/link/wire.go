package link

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

const (
	messageType = "application/x-purser-message"
	refusedType = "application/x-purser-refused"
	streamType  = "application/x-purser-frames"
	jsonType    = "application/json"

	pathConsult, pathArm, pathDisclaim = "/v1/consult", "/v1/arm", "/v1/disclaim"
	pathJoin, pathStatus               = "/v1/join", "/v1/status"
	prefixAdmin, prefixCeremony        = "/v1/admin/", "/v1/ceremony/"

	lengthBytes = 4
)

// message is what travels in a call: abi's generated messages.
type message interface {
	Marshal() ([]byte, error)
	Unmarshal(data []byte) error
}

// appendSized writes one message of a stream.
func appendSized(stream, message []byte) []byte {
	stream = binary.BigEndian.AppendUint32(stream, uint32(len(message))) //nolint:gosec // at most FrameBytesMax
	return append(stream, message...)
}

// readSized reads one message of at most bytesMax bytes. io.EOF means that the stream ended between messages; any
// other error ends it too. A length that is only claimed costs frameGrowBytes.
func readSized(stream *bufio.Reader, bytesMax int) ([]byte, error) {
	var head [lengthBytes]byte
	if _, err := io.ReadFull(stream, head[:]); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size == 0 || size > int64(bytesMax) {
		return nil, streamError("a message of the stream is empty or too long")
	}
	var body bytes.Buffer
	body.Grow(int(min(size, frameGrowBytes)) + bytes.MinRead)
	if _, err := io.CopyN(&body, stream, size); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return body.Bytes(), nil
}

// frames reads the frames of one direction of a session.
type frames struct {
	stream   *bufio.Reader
	from, to signer.Role
	// frameTimeMax bounds a frame that has begun; abort makes a read that waits return.
	frameTimeMax time.Duration
	abort        func()
	bytes        int
}

// next waits for a frame, without limit while none has begun. The frame is one that the authenticated sender may send
// to us; what it says is for the guard.
func (f *frames) next() (signer.Frame, error) {
	if _, err := f.stream.Peek(1); err != nil {
		return signer.Frame{}, err
	}
	stalled := time.AfterFunc(f.frameTimeMax, f.abort)
	data, err := readSized(f.stream, signer.FrameBytesMax)
	stalled.Stop()
	if err != nil {
		return signer.Frame{}, err
	}
	if f.bytes += len(data); f.bytes > sessionBytesMax {
		return signer.Frame{}, streamError("the session has more frames than any protocol needs")
	}
	var frame signer.Frame
	if err := frame.UnmarshalBinary(data); err != nil {
		return signer.Frame{}, err
	}
	if frame.From != f.from || frame.To != f.to {
		return signer.Frame{}, streamError("the frame is not from the one who sent it to us")
	}
	return frame, nil
}

// onlyWrong keeps an error about what the peer sent, and drops one that says that nothing more comes.
func onlyWrong(err error) error {
	var wrong *abi.Error
	if errors.As(err, &wrong) {
		return wrong
	}
	return nil
}

func streamError(message string) error {
	return &abi.Error{Code: "link_stream_invalid", Message: message, Fix: "update the peer or treat it as compromised", Retry: abi.RetryNever}
}
