// Package client is the Go client of the gateway, for agents and operators. It speaks HTTP for calls and WebSocket for
// the stream; it holds no policy, and no key but the one that an agent may sign its requests with.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

// responseBytesMax bounds an answer: a payment's response is at most a few megabytes, base64 in JSON.
const responseBytesMax = 16 << 20

// Token is a bearer credential. It prints as [redacted].
type Token string

const redacted = "[redacted]"

// Format prints [redacted] for every verb: without it fmt shows the text under a verb that is not for strings.
func (Token) Format(state fmt.State, _ rune) {
	// fmt has no way to take an error from a Formatter, and a failed write shows nothing.
	_, _ = io.WriteString(state, redacted)
}

func (Token) String() string { return redacted }

// GoString prints like String.
func (Token) GoString() string { return redacted }

// MarshalText prints like String.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue prints like String.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// Client calls one gateway. It is safe for concurrent use.
type Client struct {
	server string
	token  Token
	http   *http.Client
	// sign completes the parameters of a payment; nil: they go as they are.
	sign func(api.PayParams) (api.PayParams, error)
}

// New returns a client of a gateway such as http://127.0.0.1:4020. A nil http client means the default one.
func New(server string, token Token, httpClient *http.Client) (*Client, error) {
	target, err := url.Parse(server)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, &abi.Error{Code: "request_invalid", Where: "server", Message: fmt.Sprintf("%.200q is not a server address", server), Fix: "write it like http://127.0.0.1:4020"}
	}
	if httpClient == nil {
		httpClient = http.DefaultClient
	}
	own := *httpClient
	// A gateway redirects nobody: what an agent buys is not for another server to read.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{server: strings.TrimRight(server, "/"), token: token, http: &own}, nil
}

// Pay has the runtime pay for a resource and returns the payment at rest. Repeat with the same key after any error.
func (c *Client) Pay(ctx context.Context, params api.PayParams) (api.View, error) {
	return c.payment(ctx, "/v1/pay", params)
}

// Authorize has the runtime sign a payment that the caller presents itself.
func (c *Client) Authorize(ctx context.Context, params api.PayParams) (api.View, error) {
	return c.payment(ctx, "/v1/authorize", params)
}

// Payment reads one payment.
func (c *Client) Payment(ctx context.Context, id string) (api.View, error) {
	return get[api.View](ctx, c, "/v1/payments/"+url.PathEscape(id))
}

// Held lists the payments that wait for a person. Operators only.
func (c *Client) Held(ctx context.Context) ([]api.View, error) {
	answer, err := get[struct {
		Held []api.View `json:"held"`
	}](ctx, c, "/v1/approvals")
	return answer.Held, err
}

// Statement reads what an approver would sign for a held payment. Operators only.
func (c *Client) Statement(ctx context.Context, payment, approver string, approve bool) (abi.ApprovalStatement, error) {
	query := url.Values{"approver": {approver}, "approve": {fmt.Sprint(approve)}}
	return get[abi.ApprovalStatement](ctx, c, "/v1/payments/"+url.PathEscape(payment)+"/statement?"+query.Encode())
}

// Approve sends a signed statement and returns the payment at rest.
func (c *Client) Approve(ctx context.Context, statement abi.ApprovalStatement) (api.View, error) {
	return post[api.View](ctx, c, "/v1/approvals", statement)
}

// Agents lists the agents. Operators only.
func (c *Client) Agents(ctx context.Context) ([]api.AgentView, error) {
	answer, err := get[struct {
		Agents []api.AgentView `json:"agents"`
	}](ctx, c, "/v1/agents")
	return answer.Agents, err
}

// Agent reads one agent. Operators only.
func (c *Client) Agent(ctx context.Context, agent string) (api.AgentView, error) {
	return get[api.AgentView](ctx, c, "/v1/agents/"+url.PathEscape(agent))
}

// SubmitOrder hands over an operators' order. The token of an agent that an enrolment makes is in the answer and nowhere
// else. Operators only.
func (c *Client) SubmitOrder(ctx context.Context, params api.OrderParams) (api.OrderView, error) {
	return post[api.OrderView](ctx, c, "/v1/orders", params)
}

// CreateAgent registers an agent; its token is in the answer and nowhere else.
func (c *Client) CreateAgent(ctx context.Context, params api.AgentParams) (api.AgentView, error) {
	return post[api.AgentView](ctx, c, "/v1/agents", params)
}

// RotateAgent replaces an agent's token.
func (c *Client) RotateAgent(ctx context.Context, agent string) (api.AgentView, error) {
	return post[api.AgentView](ctx, c, "/v1/agents/"+url.PathEscape(agent)+"/rotate", struct{}{})
}

// RevokeAgent ends an agent's access.
func (c *Client) RevokeAgent(ctx context.Context, agent string) (api.AgentView, error) {
	return post[api.AgentView](ctx, c, "/v1/agents/"+url.PathEscape(agent)+"/revoke", struct{}{})
}

// Quarantines lists the policy plugins that are not called any more. Operators only.
func (c *Client) Quarantines(ctx context.Context) ([]api.QuarantineView, error) {
	answer, err := get[struct {
		Quarantine []api.QuarantineView `json:"quarantine"`
	}](ctx, c, "/v1/quarantine")
	return answer.Quarantine, err
}

// Merchants lists the origins that took payments and did not deliver. Operators only.
func (c *Client) Merchants(ctx context.Context) ([]api.MerchantView, error) {
	answer, err := get[struct {
		Merchants []api.MerchantView `json:"merchants"`
	}](ctx, c, "/v1/merchants")
	return answer.Merchants, err
}

// Sessions tells how many signing sessions are prepared ahead for each wallet. Operators only.
func (c *Client) Sessions(ctx context.Context) ([]api.SessionsView, error) {
	answer, err := get[struct {
		Sessions []api.SessionsView `json:"sessions"`
	}](ctx, c, "/v1/sessions")
	return answer.Sessions, err
}

// ResetMerchant lets payments to an origin go on and returns what was held against it. Operators only.
func (c *Client) ResetMerchant(ctx context.Context, origin string) (api.MerchantView, error) {
	return post[api.MerchantView](ctx, c, "/v1/merchants/reset", api.MerchantParams{Origin: origin})
}

// ClearQuarantine has a plugin called again and returns what was cleared. Operators only.
func (c *Client) ClearQuarantine(ctx context.Context, params api.QuarantineParams) (api.QuarantineView, error) {
	return post[api.QuarantineView](ctx, c, "/v1/quarantine/clear", params)
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return do[T](ctx, c, http.MethodGet, path, nil)
}

func post[T any](ctx context.Context, c *Client, path string, params any) (T, error) {
	body, err := json.Marshal(params)
	if err != nil {
		var none T
		return none, fmt.Errorf("encode parameters: %w", err)
	}
	return do[T](ctx, c, http.MethodPost, path, body)
}

func do[T any](ctx context.Context, c *Client, method, path string, body []byte) (T, error) {
	var result T
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return result, fmt.Errorf("call %s: %w", path, err)
	}
	request.Header.Set("Authorization", "Bearer "+string(c.token))
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return result, unreachable(c.server, err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end or abandoned
	answer, err := io.ReadAll(io.LimitReader(response.Body, responseBytesMax+1))
	if err != nil || len(answer) > responseBytesMax {
		return result, unreachable(c.server, errors.Join(err, fmt.Errorf("the answer has more than %d bytes or broke off", responseBytesMax)))
	}
	var failure struct {
		Error *abi.Error `json:"error"`
	}
	if json.Unmarshal(answer, &failure) == nil && failure.Error != nil && failure.Error.Code != "" {
		return result, failure.Error
	}
	err = json.Unmarshal(answer, &result)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices && !isPayment(result) {
		err = errors.New("no gateway answers so")
	}
	if err != nil {
		return result, &abi.Error{
			Code: "answer_invalid", Where: c.server, Message: fmt.Sprintf("the server answered %d with something that is no answer of a gateway", response.StatusCode),
			Retry: abi.RetrySameKey, Fix: "check the address, and whether a proxy answers for the server; a payment may exist: repeat with the same key", Cause: err,
		}
	}
	return result, nil
}

// isPayment tells a payment that was denied or is dead, which has a status of its own, from what a proxy answers in the
// gateway's place: JSON too, perhaps, but about no payment.
func isPayment(result any) bool {
	view, ok := result.(api.View)
	return ok && view.ID != ""
}

func unreachable(server string, err error) error {
	return &abi.Error{
		Code: "unreachable", Where: server, Message: "the runtime does not answer", Retry: abi.RetrySameKey,
		Fix: "start it with: purser dev, or name another with --server; a payment may exist: repeat with the same key", Cause: err,
	}
}
