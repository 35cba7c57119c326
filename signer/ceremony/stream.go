package ceremony

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

const frameLengthBytes = 4

// stream carries frames over a connection, each after its length. A goroutine reads ahead as many as a party may send
// before it receives one, and no more.
type stream struct {
	conn net.Conn
	in   chan signer.Frame
	done chan struct{}
	once sync.Once
	// cause is why the stream ended; it is set before done is closed.
	cause error
}

var _ signer.Transport = (*stream)(nil)

// newStream takes over an authenticated connection.
func newStream(conn net.Conn) *stream {
	s := &stream{conn: conn, in: make(chan signer.Frame, signer.FramesInFlightMax), done: make(chan struct{})}
	go s.read()
	return s
}

func (s *stream) read() {
	source := bufio.NewReader(s.conn)
	for {
		frame, err := readFrame(source)
		if err != nil {
			s.end(err)
			return
		}
		select {
		case s.in <- frame:
		case <-s.done:
			return
		}
	}
}

// readFrame refuses a long frame before it has a place for it.
func readFrame(source io.Reader) (signer.Frame, error) {
	var frame signer.Frame
	var head [frameLengthBytes]byte
	if _, err := io.ReadFull(source, head[:]); err != nil {
		return frame, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > signer.FrameBytesMax {
		return frame, &abi.Error{Code: signer.CodeFrameInvalid, Message: "the frame is too long", Fix: "update the peer or treat it as compromised", Retry: abi.RetryNever}
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(source, data); err != nil {
		return frame, fmt.Errorf("the connection ended within a message: %w", err)
	}
	err := frame.UnmarshalBinary(data)
	clear(data) // a message may hold a part of a share
	return frame, err
}

// Send writes one frame. A context that ends in the middle of it ends the stream: half a frame cannot be taken back.
func (s *stream) Send(ctx context.Context, frame signer.Frame) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	data, err := frame.MarshalBinary()
	if err != nil {
		return err
	}
	data = append(binary.BigEndian.AppendUint32(make([]byte, 0, frameLengthBytes+len(data)), uint32(len(data))), data...) // #nosec G115 -- at most FrameBytesMax
	select {
	case <-s.done:
		return s.ended()
	default:
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetWriteDeadline(time.Unix(1, 0)) }) // an ended connection fails anyway
	_, err = s.conn.Write(data)
	if !stop() || err != nil {
		s.end(errors.Join(err, ctx.Err()))
		return errors.Join(ctx.Err(), s.ended())
	}
	return nil
}

// Receive waits for the next frame. What came before the end of the stream is still received.
func (s *stream) Receive(ctx context.Context) (signer.Frame, error) {
	if err := ctx.Err(); err != nil {
		return signer.Frame{}, err
	}
	select {
	case frame := <-s.in:
		return frame, nil
	default:
	}
	select {
	case frame := <-s.in:
		return frame, nil
	case <-ctx.Done():
		return signer.Frame{}, ctx.Err()
	case <-s.done:
	}
	select {
	case frame := <-s.in: // it came together with the end
		return frame, nil
	default:
		return signer.Frame{}, s.ended()
	}
}

// ended is called after done was closed.
func (s *stream) ended() error {
	<-s.done
	if abi.CodeOf(s.cause) != "" {
		return s.cause
	}
	return errors.Join(signer.ErrTransportClosed, s.cause)
}

func (s *stream) end(cause error) {
	s.once.Do(func() {
		if !errors.Is(cause, io.EOF) {
			s.cause = cause
		}
		close(s.done)
		_ = s.conn.Close() // nothing is left to be told
	})
}

// Done is closed when either side has ended the stream.
func (s *stream) Done() <-chan struct{} { return s.done }

// Close ends the stream for both sides.
func (s *stream) Close() error {
	s.end(nil)
	return nil
}
