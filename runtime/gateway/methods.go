package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/signer/request"
)

// call is one request, however it came in.
type call struct {
	ctx    context.Context
	who    caller
	params []byte
	// http is set over HTTP, where path values and query are parameters too.
	http *http.Request
}

// method is one operation of the API, the same over HTTP and WebSocket.
type method func(*Gateway, call) (any, error)

// methods are the names of the WebSocket protocol.
var methods = map[string]method{
	"pay":                (*Gateway).pay,
	"authorize":          (*Gateway).authorize,
	"payment.get":        (*Gateway).payment,
	"approvals.list":     (*Gateway).held,
	"approval.statement": (*Gateway).statement,
	"approve":            (*Gateway).approve,
	"agents.list":        (*Gateway).agents,
	"agent.get":          (*Gateway).agent,
	"agent.create":       (*Gateway).createAgent,
	"order.submit":       (*Gateway).submitOrder,
	"agent.rotate":       (*Gateway).rotateAgent,
	"agent.revoke":       (*Gateway).revokeAgent,
	"quarantine.list":    (*Gateway).quarantines,
	"quarantine.clear":   (*Gateway).clearQuarantine,
	"merchants.list":     (*Gateway).merchants,
	"sessions.list":      (*Gateway).sessions,
	"merchant.reset":     (*Gateway).resetMerchant,
}

// routes are the same operations over HTTP.
var routes = map[string]method{
	"POST /v1/pay":                    (*Gateway).pay,
	"POST /v1/authorize":              (*Gateway).authorize,
	"GET /v1/payments/{id}":           (*Gateway).payment,
	"GET /v1/approvals":               (*Gateway).held,
	"GET /v1/payments/{id}/statement": (*Gateway).statement,
	"POST /v1/approvals":              (*Gateway).approve,
	"GET /v1/agents":                  (*Gateway).agents,
	"GET /v1/agents/{agent}":          (*Gateway).agent,
	"POST /v1/agents":                 (*Gateway).createAgent,
	"POST /v1/orders":                 (*Gateway).submitOrder,
	"POST /v1/agents/{agent}/rotate":  (*Gateway).rotateAgent,
	"POST /v1/agents/{agent}/revoke":  (*Gateway).revokeAgent,
	"GET /v1/quarantine":              (*Gateway).quarantines,
	"POST /v1/quarantine/clear":       (*Gateway).clearQuarantine,
	"GET /v1/merchants":               (*Gateway).merchants,
	"GET /v1/sessions":                (*Gateway).sessions,
	"POST /v1/merchants/reset":        (*Gateway).resetMerchant,
	"GET /v1/events":                  (*Gateway).events,
}

// QuoteReader reads a 402 answer that an agent holds: the value of its PAYMENT-REQUIRED header.
type QuoteReader interface {
	ReadRequired(header string, resource settle.Resource) (settle.Quoted, error)
}

func (g *Gateway) pay(c call) (any, error) {
	params, err := g.payParams(c)
	if err != nil {
		return nil, err
	}
	if params.Required != "" {
		return nil, invalid("payment_required", "pay reads the terms itself", "leave it out, or call authorize")
	}
	return g.submit(c, params, runtime.Ask{})
}

// authorize signs for a 402 that the agent holds and hands the signed payment out. Nobody but the agent says who the
// payee is, so policy holds it unless the operator pinned the payee.
func (g *Gateway) authorize(c call) (any, error) {
	params, err := g.payParams(c)
	if err != nil {
		return nil, err
	}
	if g.config.Quotes == nil || params.Required == "" {
		return nil, invalid("payment_required", "authorize needs the 402's PAYMENT-REQUIRED header", "")
	}
	quoted, err := g.config.Quotes.ReadRequired(params.Required, settle.Resource{Method: params.Method, URL: params.URL})
	if err != nil {
		return nil, err
	}
	return g.submit(c, params, runtime.Ask{Required: &quoted, HandOut: true})
}

func (g *Gateway) payParams(c call) (api.PayParams, error) {
	var params api.PayParams
	if c.who.agent == "" {
		return params, forbidden("only an agent pays")
	}
	if err := c.decode(&params); err != nil {
		return params, err
	}
	if err := checkHeaders(params.Header); err != nil {
		return params, err
	}
	if c.http != nil && params.Key == "" {
		params.Key = c.http.Header.Get("Idempotency-Key")
	}
	return params, nil
}

// checkHeaders refuses what is no header of one request: a line break would begin another, and of two spellings of one
// name it would be chance which is sent.
func checkHeaders(header map[string]string) error {
	seen := make(map[string]bool, len(header))
	for name, value := range header {
		canonical := http.CanonicalHeaderKey(name)
		if !isToken(name) || seen[canonical] || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return invalid("headers", fmt.Sprintf("%.60q is not a header, or is there twice", name), "send each header once, in one line")
		}
		seen[canonical] = true
	}
	return nil
}

// isToken reports whether s may be a header's name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func (g *Gateway) submit(c call, params api.PayParams, ask runtime.Ask) (any, error) {
	agent, err := g.config.Runtime.Agent(c.ctx, c.who.agent)
	if err != nil {
		return nil, err
	}
	ask.Resource = settle.Resource{Method: params.Method, URL: params.URL, Header: params.Header, Body: params.Body}
	ask.AmountMax, ask.Purpose = params.AmountMax, params.Purpose
	if params.Signed != "" {
		if ask.Signed, err = request.Decode(params.Signed); err != nil {
			return nil, err
		}
	}
	done, err := g.config.Runtime.Submit(c.ctx, agent, params.Key, ask)
	if err != nil {
		return nil, err
	}
	view := done.Payment.AgentView()
	view.DuplicateOf = done.DuplicateOf
	return view, nil
}

func (g *Gateway) payment(c call) (any, error) {
	var params struct {
		ID string `json:"id"`
	}
	if err := c.decode(&params); err != nil {
		return nil, err
	}
	p, err := g.visible(c, c.path("id", params.ID))
	if err != nil {
		return nil, err
	}
	return c.view(p), nil
}

// visible reads a payment that the caller may know of. Another agent's looks like one that does not exist.
func (g *Gateway) visible(c call, id string) (runtime.Payment, error) {
	p, err := g.config.Runtime.Payment(c.ctx, id)
	if err == nil && !c.who.operator && p.Agent != c.who.agent {
		return runtime.Payment{}, &abi.Error{Code: "not_found", Where: id, Message: "no such payment", Fix: "check the id"}
	}
	return p, err
}

func (g *Gateway) held(c call) (any, error) {
	if !c.who.operator {
		return nil, forbidden("only the operator lists held payments")
	}
	held, err := g.config.Runtime.Held(c.ctx)
	if err != nil {
		return nil, err
	}
	views := make([]api.View, 0, len(held))
	for _, p := range held {
		views = append(views, p.View())
	}
	return map[string]any{"held": views}, nil
}

func (g *Gateway) statement(c call) (any, error) {
	params := struct {
		ID       string `json:"id"`
		Approver string `json:"approver"`
		Approve  bool   `json:"approve"`
	}{Approve: true}
	if err := c.decode(&params); err != nil {
		return nil, err
	}
	if !c.who.operator {
		return nil, forbidden("only the operator reads statements to approve")
	}
	if c.http != nil {
		params.Approver = c.http.URL.Query().Get("approver")
		params.Approve = c.http.URL.Query().Get("approve") != "false"
	}
	return g.config.Runtime.Statement(c.ctx, c.path("id", params.ID), params.Approver, params.Approve)
}

// approve takes statements from the operator, and from an agent about its own payments: what counts is the approver's
// signature in the statement.
func (g *Gateway) approve(c call) (any, error) {
	var statement abi.ApprovalStatement
	if err := c.decode(&statement); err != nil {
		return nil, err
	}
	if _, err := g.visible(c, statement.Payment); err != nil {
		return nil, err
	}
	p, err := g.config.Runtime.Approve(c.ctx, statement)
	if err != nil {
		return nil, err
	}
	return c.view(p), nil
}

// view is a payment as the caller may see it.
func (c call) view(p runtime.Payment) api.View {
	if c.who.operator {
		return p.View()
	}
	return p.AgentView()
}

// decode reads the parameters strictly: an unknown member is a mistake that must not be ignored where money moves.
func (c call) decode(into any) error {
	if len(bytes.TrimSpace(c.params)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(c.params))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		var coded *abi.Error
		if errors.As(err, &coded) {
			return coded
		}
		return &abi.Error{Code: "request_invalid", Message: fmt.Sprintf("the parameters cannot be read: %.200s", err), Fix: "see docs/api.md for their form"}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return invalid("params", "there is something after the parameters", "send one JSON object")
	}
	return nil
}

// path prefers the value in the URL's path.
func (c call) path(name, given string) string {
	if c.http != nil {
		if value := c.http.PathValue(name); value != "" {
			return value
		}
	}
	return given
}

// number reads a query parameter.
func (c call) number(name string) (uint64, error) {
	text := c.http.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return 0, invalid(name, "not a number", "")
	}
	return n, nil
}

func invalid(where, message, fix string) error {
	return &abi.Error{Code: "request_invalid", Where: where, Message: message, Fix: fix}
}

func forbidden(message string) error { return &abi.Error{Code: "forbidden", Message: message} }
