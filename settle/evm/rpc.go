package evm

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
	"sync/atomic"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	callTimeoutDefault      = 10 * time.Second
	responseBytesMaxDefault = 4 << 20
	responseBytesMaxLimit   = 64 << 20
	idleConnectionsMax      = 32
	nodeMessageBytesMax     = 512
)

// Config describes the node to ask.
type Config struct {
	// URL is the http or https endpoint. It often holds an API key, so it never appears
	// in an error.
	URL string
	// Network is the chain the node must serve; Open refuses any other. Required.
	Network abi.Network
	// Timeout bounds one call. Default 10 s.
	Timeout time.Duration
	// ResponseBytesMax bounds one answer. Default 4 MiB, at most 64 MiB.
	ResponseBytesMax int64
}

// RPC asks one node. Its methods may be called concurrently.
type RPC struct {
	config Config
	client *http.Client
	nextID atomic.Uint64
}

// Open checks the configuration and that the node serves the configured network.
// Codes: rpc_config_invalid, rpc_wrong_chain, and those of a call (rpc_unreachable,
// rpc_bad_answer, rpc_refused).
func Open(ctx context.Context, cfg Config) (*RPC, error) {
	want, ok := cfg.Network.EIP155()
	if !ok {
		return nil, &abi.Error{
			Code: "rpc_config_invalid", Message: fmt.Sprintf("network %.60q is not an eip155 chain", cfg.Network),
			Where: "Network", Fix: `write it like "eip155:8453"`,
		}
	}
	endpoint, err := url.Parse(cfg.URL)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, &abi.Error{Code: "rpc_config_invalid", Message: "the RPC URL is not http or https", Where: "URL"}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = callTimeoutDefault
	}
	if cfg.ResponseBytesMax == 0 {
		cfg.ResponseBytesMax = responseBytesMaxDefault
	}
	if cfg.Timeout < 0 || cfg.ResponseBytesMax < 0 || cfg.ResponseBytesMax > responseBytesMaxLimit {
		return nil, &abi.Error{
			Code:    "rpc_config_invalid",
			Message: fmt.Sprintf("timeout or answer size is negative or above %d bytes", responseBytesMaxLimit),
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the stdlib says so
	transport.MaxIdleConnsPerHost = idleConnectionsMax
	r := &RPC{config: cfg, client: &http.Client{Transport: transport, CheckRedirect: refuseRedirect}}
	answer, err := r.call(ctx, "eth_chainId")
	if err != nil {
		return nil, fmt.Errorf("ask node for its chain id: %w", err)
	}
	got, err := uint64Of(answer)
	if err != nil {
		return nil, badAnswer("eth_chainId", err)
	}
	if got != want {
		return nil, &abi.Error{
			Code: "rpc_wrong_chain", Message: fmt.Sprintf("the node serves eip155:%d, not %s", got, cfg.Network),
			Fix: "check the RPC URL",
		}
	}
	return r, nil
}

// Close drops idle connections.
func (r *RPC) Close() { r.client.CloseIdleConnections() }

// Network is the chain this RPC was opened for.
func (r *RPC) Network() abi.Network { return r.config.Network }

// refuseRedirect keeps the API key in the URL, and the answers, with one host.
func refuseRedirect(*http.Request, []*http.Request) error {
	return errors.New("the node answered with a redirect")
}

type callWire struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

type answerWire struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *nodeErrorWire  `json:"error"`
}

type nodeErrorWire struct {
	Code    int64           `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// NodeError is what a node answered instead of a result. It is the cause of an
// *abi.Error with code rpc_refused.
type NodeError struct {
	// Code is the node's JSON-RPC error code.
	Code int64
	// Message is the node's text, cut to 512 bytes.
	Message string
	// Revert is the data a reverted call returned, or nil.
	Revert []byte
}

func (e *NodeError) Error() string { return fmt.Sprintf("node error %d: %s", e.Code, e.Message) }

// call runs one JSON-RPC call with positional parameters.
func (r *RPC) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	return r.callWith(ctx, method, params)
}

func (r *RPC) callWith(ctx context.Context, method string, params any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	id := r.nextID.Add(1)
	body, err := json.Marshal(callWire{Version: "2.0", ID: id, Method: method, Params: params})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	text, status, err := r.post(ctx, body)
	if err != nil {
		return nil, &abi.Error{
			Code: "rpc_unreachable", Message: "the node did not answer " + method, Retry: abi.RetryLater,
			Fix: "check that the node is up and the URL is right", Cause: err,
		}
	}
	var answer answerWire
	if err := json.Unmarshal(text, &answer); err != nil {
		if status != http.StatusOK {
			return nil, &abi.Error{
				Code: "rpc_unreachable", Message: fmt.Sprintf("the node answered %s with HTTP status %d", method, status),
				Retry: abi.RetryLater, Fix: "check the node's quota and the URL",
			}
		}
		return nil, badAnswer(method, errors.New("not JSON"))
	}
	if answer.Error != nil {
		return nil, refused(method, answer.Error)
	}
	if string(answer.ID) != strconv.FormatUint(id, 10) {
		return nil, badAnswer(method, errors.New("an answer to another call"))
	}
	if answer.Result == nil {
		return nil, badAnswer(method, errors.New("neither result nor error"))
	}
	return answer.Result, nil
}

func (r *RPC) post(ctx context.Context, body []byte) (text []byte, status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.config.URL, bytes.NewReader(body))
	if err != nil {
		return nil, 0, errors.New("the URL cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end or given up on
	text, err = io.ReadAll(io.LimitReader(response.Body, r.config.ResponseBytesMax+1))
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	if int64(len(text)) > r.config.ResponseBytesMax {
		return nil, 0, fmt.Errorf("answer is longer than %d bytes", r.config.ResponseBytesMax)
	}
	return text, response.StatusCode, nil
}

// withoutURL removes the URL, and the API key in it, from a transport error.
func withoutURL(err error) error {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func refused(method string, wire *nodeErrorWire) error {
	cause := &NodeError{Code: wire.Code, Message: clip(wire.Message)}
	if data, err := dataOf(wire.Data); err == nil && len(data) > 0 {
		cause.Revert = data
	}
	return &abi.Error{Code: "rpc_refused", Message: "the node refused " + method, Cause: cause}
}

// clip bounds a text a peer chose; invalid UTF-8 is left to whoever prints it with %q.
func clip(s string) string {
	if len(s) > nodeMessageBytesMax {
		return s[:nodeMessageBytesMax]
	}
	return s
}

func badAnswer(method string, cause error) error {
	return &abi.Error{
		Code: "rpc_bad_answer", Message: "the node's answer to " + method + " makes no sense", Retry: abi.RetryLater,
		Fix: "use another node", Cause: cause,
	}
}
