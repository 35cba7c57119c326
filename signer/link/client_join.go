package link

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// Join implements [signer.CoSigner]. The transport is the far end of the runtime's own: the client stands in for the
// co-signer's party there and carries its frames, until one side closes.
func (c *Client) Join(ctx context.Context, request *abi.SessionRequest, transport signer.Transport) (*abi.SessionAnswer, error) {
	opening, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	if len(opening) > openingBytesMax {
		return nil, requestInvalid("the request is too long", nil)
	}
	if err := c.enterSession(); err != nil {
		return nil, err
	}
	// The session outlives the call that opens it.
	life, end := context.WithTimeout(c.life, c.timing.session)
	opened := &carried{client: c, life: life, end: end, transport: transport}
	answer, err := opened.open(ctx, opening)
	if err != nil {
		end()
		c.leaveSession()
		return nil, err
	}
	go func() {
		defer c.leaveSession()
		opened.run()
	}()
	return answer, nil
}

func (c *Client) enterSession() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return closedError()
	}
	if c.sessions >= sessionsMax {
		return busy("too many signing sessions are open")
	}
	c.sessions++
	c.working.Add(1)
	return nil
}

func (c *Client) leaveSession() {
	c.mu.Lock()
	c.sessions--
	c.mu.Unlock()
	c.working.Done()
}

// carried is a session on its stream.
type carried struct {
	client    *Client
	life      context.Context
	end       context.CancelFunc
	transport signer.Transport
	body      io.ReadCloser
	frames    frames
}

// open sends what opens the session and waits for the answer, until ctx ends.
func (s *carried) open(ctx context.Context, opening []byte) (*abi.SessionAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timing.opening)
	defer cancel()
	late := context.AfterFunc(ctx, s.end)
	defer late()
	request, err := http.NewRequestWithContext(s.life, http.MethodPost, s.client.url(pathJoin), newOutgoing(s.life, s.transport, opening))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", streamType)
	transport, err := s.client.transport()
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	answer, err := s.answered(response)
	if err == nil && !late() { // ctx has ended, and with it the stream
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(s.failed(ctx, err), response.Body.Close())
	}
	return answer, nil
}

// failed keeps what the co-signer or this package said and explains the rest.
func (s *carried) failed(ctx context.Context, err error) error {
	var known *abi.Error
	var refused *signer.Refused
	if errors.As(err, &refused) || errors.As(err, &known) {
		return err
	}
	if ctx.Err() != nil { // why the stream was cut
		err = ctx.Err()
	}
	return s.client.carriage(ctx, err)
}

func (s *carried) answered(response *http.Response) (*abi.SessionAnswer, error) {
	contentType := response.Header.Get("Content-Type")
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, callBytesMax))
		if err != nil {
			return nil, err
		}
		return nil, decodeProblem(response.StatusCode, contentType, body)
	}
	if contentType != streamType {
		return nil, answerInvalid("the answer is of another type", nil)
	}
	s.body = response.Body
	s.frames = frames{
		stream: bufio.NewReader(response.Body), from: signer.RoleCoSigner, to: signer.RoleRuntime,
		frameTimeMax: s.client.timing.frame, abort: s.end,
	}
	data, err := readSized(s.frames.stream, openingBytesMax)
	if err != nil {
		return nil, err
	}
	answer := new(abi.SessionAnswer)
	if err := answer.Unmarshal(data); err != nil {
		return nil, answerInvalid("the answer cannot be read", err)
	}
	return answer, nil
}

// run carries the co-signer's frames to our party; net/http carries ours, by reading outgoing. When our party ends the
// session, what it queued still leaves, for as long as linger.
func (s *carried) run() {
	var watching sync.WaitGroup
	over := make(chan struct{})
	watching.Go(func() {
		select {
		case <-s.transport.Done():
		case <-over:
			return
		}
		linger := time.NewTimer(s.client.timing.linger)
		defer linger.Stop()
		select {
		case <-linger.C:
			s.end()
		case <-over:
		}
	})
	if err := s.receive(); err != nil {
		s.client.config.Log.Warn("signing session broke off", "code", abi.CodeOf(err), "error", err.Error())
	}
	_ = s.transport.Close() // our party has nobody to wait for
	close(over)
	s.end()
	_ = s.body.Close() // the stream is over, whatever it says
	watching.Wait()
}

// receive returns an error only for what no honest co-signer sends: that either side ended the session, or that the
// connection broke, is for the parties to notice.
func (s *carried) receive() error {
	for {
		frame, err := s.frames.next()
		if err != nil {
			return onlyWrong(err)
		}
		if err := s.transport.Send(s.life, frame); err != nil { // our party ended it; until all of ours has left, theirs is dropped
			_, _ = io.Copy(io.Discard, io.LimitReader(s.frames.stream, sessionBytesMax))
			return onlyWrong(err)
		}
	}
}

// outgoing is the body of the request: what opens the session, then our party's frames. net/http reads it from one
// goroutine and may close it from another.
type outgoing struct {
	transport signer.Transport
	life      context.Context
	end       context.CancelFunc
	rest      []byte
	buffer    []byte
	closed    bool
}

func newOutgoing(life context.Context, transport signer.Transport, opening []byte) *outgoing {
	life, end := context.WithCancel(life)
	buffer := appendSized(nil, opening)
	return &outgoing{transport: transport, life: life, end: end, rest: buffer, buffer: buffer}
}

// Read waits for our party's next frame. The end of the session is the end of the body.
func (o *outgoing) Read(data []byte) (int, error) {
	if len(o.rest) == 0 {
		frame, err := o.next()
		if errors.Is(err, signer.ErrTransportClosed) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		encoded, err := frame.MarshalBinary()
		if err != nil {
			return 0, err
		}
		o.buffer = appendSized(o.buffer[:0], encoded)
		o.rest = o.buffer
	}
	count := copy(data, o.rest)
	o.rest = o.rest[count:]
	return count, nil
}

// next asks once more after the end: a frame and the end that came right after it are ready at the same time, and a
// pipe takes either. From then on the end cannot come first.
func (o *outgoing) next() (signer.Frame, error) {
	frame, err := o.transport.Receive(o.life)
	if errors.Is(err, signer.ErrTransportClosed) && !o.closed {
		o.closed = true
		return o.transport.Receive(o.life)
	}
	return frame, err
}

// Close makes a Read that waits return.
func (o *outgoing) Close() error {
	o.end()
	return nil
}
