package signer

import (
	"context"
	"errors"
	"sync"
)

// ErrTransportClosed is what a transport returns once either side has closed it.
var ErrTransportClosed = errors.New("transport closed")

// FramesInFlightMax is how many frames a party may send before it receives one. A transport must be able to take
// that many without waiting for the peer's Receive, or two parties that both send first wait for each other.
const FramesInFlightMax = 8

// Transport carries the frames of one session between this party and one authenticated peer, in order. It gives
// confidentiality and authenticity when the parties do not share a process; this package gives neither.
//
// Send and Receive return when ctx ends. They are called from one goroutine.
type Transport interface {
	// Send hands over one frame. An error means that the frame may or may not arrive.
	Send(ctx context.Context, frame Frame) error
	// Receive waits for the next frame. What it returns is a claim: the guard checks it.
	Receive(ctx context.Context) (Frame, error)
	// Done is closed when the transport has ended, by either side. A session that waits for its digest watches it.
	Done() <-chan struct{}
	// Close ends the transport for both sides. It may be called more than once.
	Close() error
}

// PipeEnd is one end of an in-memory transport. It is safe for concurrent use.
type PipeEnd struct {
	out    chan<- []byte
	in     <-chan []byte
	closed *pipeClosed
}

type pipeClosed struct {
	once sync.Once
	done chan struct{}
}

var _ Transport = (*PipeEnd)(nil)

// Pipe returns the two ends of a bounded in-memory transport for two parties in one process. Frames cross it in
// their encoding, so that it exercises the bytes a network would carry.
func Pipe() (*PipeEnd, *PipeEnd) {
	there, back := make(chan []byte, FramesInFlightMax), make(chan []byte, FramesInFlightMax)
	closed := &pipeClosed{done: make(chan struct{})}
	return &PipeEnd{out: there, in: back, closed: closed}, &PipeEnd{out: back, in: there, closed: closed}
}

// Send encodes the frame and queues it, waiting while FramesInFlightMax frames are queued already.
func (p *PipeEnd) Send(ctx context.Context, frame Frame) error {
	data, err := frame.MarshalBinary()
	if err != nil {
		return err
	}
	// Looked at first: select picks at random between a free queue and an ended context.
	if err := p.ended(ctx); err != nil {
		return err
	}
	select {
	case p.out <- data:
		return nil
	case <-p.closed.done:
		return ErrTransportClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Receive waits for the next frame and decodes it.
func (p *PipeEnd) Receive(ctx context.Context) (Frame, error) {
	if err := ctx.Err(); err != nil {
		return Frame{}, err
	}
	select {
	case data := <-p.in:
		return decodeFrame(data)
	default:
	}
	select {
	case data := <-p.in:
		return decodeFrame(data)
	case <-p.closed.done:
		// The last frame and the end may have come together.
		select {
		case data := <-p.in:
			return decodeFrame(data)
		default:
			return Frame{}, ErrTransportClosed
		}
	case <-ctx.Done():
		return Frame{}, ctx.Err()
	}
}

// Done is closed with the transport.
func (p *PipeEnd) Done() <-chan struct{} { return p.closed.done }

// Close ends the transport for both sides. Frames already queued can still be received. It never fails and may be
// called more than once.
func (p *PipeEnd) Close() error {
	p.closed.once.Do(func() { close(p.closed.done) })
	return nil
}

func (p *PipeEnd) ended(ctx context.Context) error {
	select {
	case <-p.closed.done:
		return ErrTransportClosed
	default:
		return ctx.Err()
	}
}

func decodeFrame(data []byte) (Frame, error) {
	var frame Frame
	err := frame.UnmarshalBinary(data)
	return frame, err
}
