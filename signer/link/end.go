package link

import (
	"context"
	"sync"

	"github.com/purserhq/purser/signer"
)

// end is the co-signer's end of a session. What we send is queued, so that two parties that both send first do not
// wait for each other; what the peer sends is not: a frame is taken from the stream when the party asks for it, and a
// peer that sends more fills its own window.
type end struct {
	out  chan []byte
	in   chan signer.Frame
	once sync.Once
	done chan struct{}
}

var _ signer.Transport = (*end)(nil)

func newEnd() *end {
	return &end{out: make(chan []byte, signer.FramesInFlightMax), in: make(chan signer.Frame), done: make(chan struct{})}
}

// Send queues the frame and waits while the queue is full.
func (e *end) Send(ctx context.Context, frame signer.Frame) error {
	data, err := frame.MarshalBinary()
	if err != nil {
		return err
	}
	if err := e.ended(ctx); err != nil {
		return err
	}
	select {
	case e.out <- data:
		return nil
	case <-e.done:
		return signer.ErrTransportClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Receive waits for the peer's next frame.
func (e *end) Receive(ctx context.Context) (signer.Frame, error) {
	if err := ctx.Err(); err != nil {
		return signer.Frame{}, err
	}
	select {
	case frame := <-e.in:
		return frame, nil
	case <-e.done:
		return signer.Frame{}, signer.ErrTransportClosed
	case <-ctx.Done():
		return signer.Frame{}, ctx.Err()
	}
}

// Done is closed when either side has ended the session.
func (e *end) Done() <-chan struct{} { return e.done }

// Close ends the session. What is queued still leaves. It never fails.
func (e *end) Close() error {
	e.once.Do(func() { close(e.done) })
	return nil
}

func (e *end) ended(ctx context.Context) error {
	select {
	case <-e.done:
		return signer.ErrTransportClosed
	default:
		return ctx.Err()
	}
}

// deliver hands a frame of the peer to the party, and waits until it is taken.
func (e *end) deliver(ctx context.Context, frame signer.Frame) error {
	select {
	case e.in <- frame:
		return nil
	case <-e.done:
		return signer.ErrTransportClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queued returns all that waits to leave, waiting for the first. Nothing means that the session is over.
func (e *end) queued(ctx context.Context) [][]byte {
	var waiting [][]byte
	select {
	case data := <-e.out:
		waiting = append(waiting, data)
	case <-e.done: // what was queued before still counts
	case <-ctx.Done():
		return nil
	}
	for len(waiting) < signer.FramesInFlightMax {
		select {
		case data := <-e.out:
			waiting = append(waiting, data)
		default:
			return waiting
		}
	}
	return waiting
}
