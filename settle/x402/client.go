package x402

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	facilitatorTimeout   = 90 * time.Second // the official default; covers reading the body
	supportedAttemptsMax = 4                // one call and three repeats after 429
	retryAfterMax        = 30 * time.Second
	errorTextBytesMax    = 300 // of a peer's text quoted in an error
	reasonPending        = "settlement_pending"
)

// ClientConfig sets up a Client. The zero values of all but URL are usable.
type ClientConfig struct {
	// URL is the facilitator's base address, http or https. Required.
	URL string
	// HTTP sends the requests. Default: http.DefaultClient's transport without
	// following redirects, because a redirect would carry the payment elsewhere.
	HTTP *http.Client
	// Timeout bounds one call and the reading of its body. Default 90 s.
	Timeout time.Duration
	// Authorize adds headers for a path: "verify", "settle" or "supported". May be nil.
	Authorize func(ctx context.Context, path string, header http.Header) error
	// Sleep waits between repeats of /supported. Default: a timer that ctx ends.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client talks to one facilitator. It may be used from any goroutine.
type Client struct {
	base   string
	config ClientConfig
}

// FacilitatorError is an answer with a status other than 200. Verify or Settle
// hold the typed body when there was one: official facilitators send refusals
// that way too.
type FacilitatorError struct {
	// Status is the HTTP status.
	Status int
	// RetryAfter is the pause the facilitator asked for, at most 30 s; zero if none.
	RetryAfter time.Duration
	// Body is the start of the answer, for logs.
	Body string
	// Verify is the typed body of a failed /verify, or nil.
	Verify *VerifyResponse
	// Settle is the typed body of a failed /settle, or nil.
	Settle *SettleResponse
}

// Error formats the status and the start of the body.
func (e *FacilitatorError) Error() string {
	return fmt.Sprintf("facilitator answered status %d: %s", e.Status, e.Body)
}

// NewClient checks the configuration. Trailing slashes of the URL are cut.
func NewClient(config ClientConfig) (*Client, error) {
	u, err := url.Parse(config.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, &abi.Error{
			Code: "facilitator_url_invalid", Message: fmt.Sprintf("%.200q is no facilitator address", config.URL),
			Fix: "write it like https://facilitator.example",
		}
	}
	if config.HTTP == nil {
		config.HTTP = &http.Client{CheckRedirect: refuseRedirect}
	}
	if config.Timeout <= 0 {
		config.Timeout = facilitatorTimeout
	}
	if config.Sleep == nil {
		config.Sleep = sleep
	}
	return &Client{base: strings.TrimRight(config.URL, "/"), config: config}, nil
}

// Verify asks whether the payment would settle. A refusal is a VerifyResponse
// with IsValid false and a nil error. Another status than 200 is a
// *FacilitatorError; an answer that cannot be read has code x402_response_invalid,
// x402_json_invalid or x402_too_large. Nothing moves, so repeating is safe.
func (c *Client) Verify(ctx context.Context, r FacilitatorRequest) (VerifyResponse, error) {
	body, err := c.post(ctx, "verify", r)
	if err != nil {
		var refused *FacilitatorError
		if errors.As(err, &refused) {
			if answer, parseErr := ParseVerifyResponse(body); parseErr == nil {
				refused.Verify = &answer
			}
		}
		return VerifyResponse{}, err
	}
	return ParseVerifyResponse(body)
}

// Settle asks to move the money. When the answer is settlement_pending the
// identical request is sent once more, as the official merchant does: the
// facilitator then waits for the transaction it has already sent. A second
// settlement_pending is returned as it is.
//
// An error, of any kind, leaves the outcome unknown: the transfer may be on the
// chain. Only a SettleResponse that is not settlement_pending is an answer.
func (c *Client) Settle(ctx context.Context, r FacilitatorRequest) (SettleResponse, error) {
	first, err := c.settleOnce(ctx, r)
	if err != nil || first.Success || first.ErrorReason != reasonPending {
		return first, err
	}
	second, err := c.settleOnce(ctx, r)
	if err == nil && !second.Success && second.ErrorReason == reasonNonceUsed {
		// The transaction of the first answer may have landed just now, at a
		// facilitator that forgot it: still pending, not refused.
		return first, nil
	}
	return second, err
}

func (c *Client) settleOnce(ctx context.Context, r FacilitatorRequest) (SettleResponse, error) {
	body, err := c.post(ctx, "settle", r)
	if err != nil {
		var refused *FacilitatorError
		if errors.As(err, &refused) {
			if answer, parseErr := ParseSettleResponse(body); parseErr == nil {
				refused.Settle = &answer
			}
		}
		return SettleResponse{}, err
	}
	return ParseSettleResponse(body)
}

// Supported asks what the facilitator settles. Status 429 is repeated up to three
// times after the pause the facilitator names, at most 30 s.
func (c *Client) Supported(ctx context.Context) (SupportedResponse, error) {
	for attempt := 1; ; attempt++ {
		body, err := c.do(ctx, http.MethodGet, "supported", nil)
		if err == nil {
			return ParseSupportedResponse(body)
		}
		var refused *FacilitatorError
		if !errors.As(err, &refused) || refused.Status != http.StatusTooManyRequests || attempt == supportedAttemptsMax {
			return SupportedResponse{}, err
		}
		pause := refused.RetryAfter
		if pause == 0 {
			pause = time.Second << (attempt - 1)
		}
		if err := c.config.Sleep(ctx, pause); err != nil {
			return SupportedResponse{}, fmt.Errorf("wait to ask /supported again: %w", err)
		}
	}
}

func (c *Client) post(ctx context.Context, path string, r FacilitatorRequest) ([]byte, error) {
	text, err := EncodeFacilitatorRequest(r)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, http.MethodPost, path, text)
}

// do returns the body, also together with a *FacilitatorError.
func (c *Client) do(ctx context.Context, method, path string, text []byte) (body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	var content io.Reader
	if text != nil {
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+"/"+path, content)
	if err != nil {
		return nil, fmt.Errorf("build request to /%s: %w", path, err)
	}
	// A settlement is never sent twice by the transport on a connection error:
	// net/http repeats only what it may, and POST without this header it may not.
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if c.config.Authorize != nil {
		if err := c.config.Authorize(ctx, path, request.Header); err != nil {
			return nil, fmt.Errorf("authorize /%s: %w", path, err)
		}
	}
	response, err := c.config.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the facilitator /%s: %w", path, err)
	}
	defer closing(response.Body, &err)
	if body, err = readBounded(response.Body, responseBytesMax); err != nil {
		return nil, fmt.Errorf("answer of the facilitator to /%s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return body, &FacilitatorError{
			Status: response.StatusCode, RetryAfter: retryAfter(response.Header),
			Body: quotable(body),
		}
	}
	return body, nil
}

// quotable keeps the start of a peer's text for an error message, on one line.
func quotable(body []byte) string {
	if json.Valid(body) {
		var b bytes.Buffer
		if err := json.Compact(&b, body); err == nil {
			body = b.Bytes()
		}
	}
	text := strings.ToValidUTF8(string(body[:min(len(body), errorTextBytesMax)]), "")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// retryAfter reads whole seconds; dates are ignored because they need a shared clock.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, retryAfterMax) // #nosec G115 -- below 2^32
}

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
