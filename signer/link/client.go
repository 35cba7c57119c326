package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

// ClientConfig is what a client is made of. Fields without a default are required.
type ClientConfig struct {
	// Address is the co-signer's, host:port. Its certificate must name the host.
	Address string
	// Credentials are this host's.
	Credentials *pki.Credentials
	// Now is the clock that Skew compares. Default: the system's.
	Now func() time.Time
	// Log receives what an operator should see. Default: discarded.
	Log *slog.Logger
}

// Client is the co-signer as a process elsewhere. An error that is neither a [*signer.Refused] nor has a code of the
// co-signer's own is one of this package, see the codes; every call may be repeated unchanged after it. Safe for
// concurrent use.
type Client struct {
	config ClientConfig
	timing timing
	calls  chan struct{}

	life    context.Context
	end     context.CancelFunc
	working sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	sessions int
	line     *line
}

// line is the connections that were made with one state of our certificates.
type line struct {
	transport  *http.Transport
	generation uint64
	since      time.Time
}

var _ signer.CoSigner = (*Client)(nil)

// NewClient checks the configuration; the co-signer need not be there yet. Close the client when done.
func NewClient(config ClientConfig) (*Client, error) { return newClient(config, productTiming) }

func newClient(config ClientConfig, times timing) (*Client, error) {
	if config.Credentials == nil {
		return nil, errors.New("link client: Credentials are required")
	}
	host, port, err := net.SplitHostPort(config.Address)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("link client: the co-signer's address %.100q is not host:port", config.Address)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	life, end := context.WithCancel(context.Background())
	return &Client{config: config, timing: times, calls: make(chan struct{}, callsMax), life: life, end: end}, nil
}

// Close ends calls and sessions that are under way and waits for them.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	line := c.line
	c.line = nil
	c.mu.Unlock()
	c.end()
	c.working.Wait()
	if line != nil {
		line.transport.CloseIdleConnections()
	}
	return nil
}

// Consult implements [signer.CoSigner].
func (c *Client) Consult(ctx context.Context, request *abi.ConsultRequest) (*abi.Decision, error) {
	return call(ctx, c, pathConsult, request, new(abi.Decision))
}

// Arm implements [signer.CoSigner].
func (c *Client) Arm(ctx context.Context, request *abi.ArmRequest) (*abi.Armed, error) {
	return call(ctx, c, pathArm, request, new(abi.Armed))
}

// Disclaim implements [signer.CoSigner].
func (c *Client) Disclaim(ctx context.Context, armed *abi.Armed) (*abi.Tombstone, error) {
	return call(ctx, c, pathDisclaim, armed, new(abi.Tombstone))
}

// Skew is how far the co-signer's clock is ahead of ours, and by how much that may be wrong: half the time that the
// question took. The co-signer can say anything; it is for noticing an honest clock that is off.
func (c *Client) Skew(ctx context.Context) (ahead, uncertainty time.Duration, err error) {
	var asked, answered time.Time
	body, err := c.exchange(ctx, jsonType, func(ctx context.Context) (*http.Request, error) {
		asked = c.config.Now()
		return http.NewRequestWithContext(ctx, http.MethodGet, c.url(pathStatus), nil)
	}, func() { answered = c.config.Now() })
	if err != nil {
		return 0, 0, err
	}
	var status statusBody
	if err := json.Unmarshal(body, &status); err != nil || status.TimeUnixMS <= 0 || status.TimeUnixMS > abi.WireIntegerMax {
		return 0, 0, answerInvalid("the status cannot be read", err)
	}
	uncertainty = answered.Sub(asked) / 2
	return time.UnixMilli(status.TimeUnixMS).Sub(asked.Add(uncertainty)), uncertainty, nil
}

func call[Answer message](ctx context.Context, c *Client, path string, request message, answer Answer) (none Answer, _ error) {
	encoded, err := request.Marshal()
	if err != nil {
		return none, err
	}
	if len(encoded) > callBytesMax {
		return none, requestInvalid("the request is too long", nil)
	}
	body, err := c.exchange(ctx, messageType, func(ctx context.Context) (*http.Request, error) {
		made, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(path), bytes.NewReader(encoded))
		if err == nil {
			made.Header.Set("Content-Type", messageType)
		}
		return made, err
	}, func() {})
	if err != nil {
		return none, err
	}
	if err := answer.Unmarshal(body); err != nil {
		return none, answerInvalid("the answer cannot be read", err)
	}
	return answer, nil
}

func (c *Client) url(path string) string { return "https://" + c.config.Address + path }

// exchange asks until there is an answer or bridge is over: the co-signer's supervisor brings it back in less, and each
// call may be repeated.
func (c *Client) exchange(ctx context.Context, contentType string, ask func(context.Context) (*http.Request, error), answered func()) ([]byte, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.working.Done()
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	select {
	case c.calls <- struct{}{}:
		defer func() { <-c.calls }()
	case <-ctx.Done():
		return nil, c.carriage(ctx, ctx.Err())
	}
	started := time.Now()
	for pause := bridgePauseMin; ; pause *= 2 {
		body, err := c.attempt(ctx, contentType, ask, answered)
		if abi.CodeOf(err) != CodeUnreachable || time.Since(started)+pause > c.timing.bridge {
			return body, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// bridgePauseMin is the first pause between two attempts; each next one is twice as long.
const bridgePauseMin = 50 * time.Millisecond

func (c *Client) attempt(ctx context.Context, contentType string, ask func(context.Context) (*http.Request, error), answered func()) (_ []byte, err error) {
	request, err := ask(ctx)
	if err != nil {
		return nil, err
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, c.carriage(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // read whole, or given up
	answered()
	body, err := io.ReadAll(io.LimitReader(response.Body, callBytesMax+1))
	if err != nil {
		return nil, c.carriage(ctx, err)
	}
	if len(body) > callBytesMax {
		return nil, answerInvalid("the answer is too long", nil)
	}
	if response.StatusCode != http.StatusOK {
		return nil, decodeProblem(response.StatusCode, response.Header.Get("Content-Type"), body)
	}
	if response.Header.Get("Content-Type") != contentType {
		return nil, answerInvalid("the answer is of another type", nil)
	}
	return body, nil
}

// enter counts what Close must wait for.
func (c *Client) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return closedError()
	}
	c.working.Add(1)
	return nil
}

func closedError() error {
	return &abi.Error{Code: CodeClosed, Message: "the link to the co-signer was closed", Fix: "start again", Retry: abi.RetryLater}
}
