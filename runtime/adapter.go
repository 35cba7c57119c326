package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/settle"
)

// queriesMax bounds the reads an adapter may ask for in one call.
const queriesMax = 16

// Adapter is a loaded chain adapter. What it says is a claim: this file bounds and decodes it, and the steps
// that use it compare it with what was asked for.
type Adapter struct {
	// Module is the SHA-256 of its bytes, Config that of its configuration.
	Module   [32]byte
	Config   [32]byte
	plugin   *judge.Plugin
	networks []string
	schemes  []string
	methods  []string
}

// NewAdapter asks a loaded chain adapter what it serves. granted are the RPC methods the operator lets it ask for;
// an adapter that wants others is refused. The plugin stays the caller's, who closes it when nothing uses the adapter.
func NewAdapter(ctx context.Context, plugin *judge.Plugin, granted []string) (*Adapter, error) {
	a := &Adapter{Module: plugin.Module(), Config: plugin.Config(), plugin: plugin}
	var described abi.DescribeResult
	if err := a.call(ctx, "purser_chain_describe", &abi.DescribeRequest{}, &described, 0); err != nil {
		return nil, err
	}
	for _, method := range described.RPCMethods {
		if !slices.Contains(granted, method) {
			return nil, &abi.Error{Code: "grant_missing", Where: method, Message: "the chain adapter may ask for an RPC method that nobody granted", Fix: "grant it in the adapter's configuration, or use another adapter"}
		}
	}
	a.networks, a.schemes, a.methods = described.Networks, described.Schemes, described.RPCMethods
	return a, nil
}

// serves reports whether the adapter covers a network and scheme. "eip155:*" covers every EVM network.
func (a *Adapter) serves(network abi.Network, scheme string) bool {
	namespace, _, _ := strings.Cut(string(network), ":")
	return slices.Contains(a.schemes, scheme) &&
		(slices.Contains(a.networks, string(network)) || slices.Contains(a.networks, namespace+":*"))
}

// build runs needs, the queries it names, and build. It returns the one thing to sign and the adapter's state.
func (a *Adapter) build(ctx context.Context, chain settle.Chain, request *abi.BuildRequest) (abi.SigningRequest, []byte, error) {
	var needs abi.NeedsResult
	ask := &abi.NeedsRequest{Operation: "build", Intent: request.Intent, Quote: request.Quote, Payer: request.Payer}
	if err := a.call(ctx, "purser_chain_needs", ask, &needs, request.NowUnixS); err != nil {
		return abi.SigningRequest{}, nil, err
	}
	if !needs.Ok {
		return abi.SigningRequest{}, nil, rejected(needs.Rejection)
	}
	answers, err := a.answer(ctx, chain, needs.Queries)
	if err != nil {
		return abi.SigningRequest{}, nil, err
	}
	request.Answers = answers
	var built abi.BuildResult
	if err := a.call(ctx, "purser_chain_build", request, &built, request.NowUnixS); err != nil {
		return abi.SigningRequest{}, nil, err
	}
	if !built.Ok {
		return abi.SigningRequest{}, nil, rejected(built.Rejection)
	}
	if len(built.Signing) != 1 {
		return abi.SigningRequest{}, nil, &abi.Error{
			Code: "bad_result", Where: "purser_chain_build",
			Message: fmt.Sprintf("the adapter wants %d signatures for one payment, want 1", len(built.Signing)),
		}
	}
	return built.Signing[0], built.State, nil
}

// answer runs the granted queries and refuses the others.
func (a *Adapter) answer(ctx context.Context, chain settle.Chain, queries []abi.Query) ([]abi.Answer, error) {
	if len(queries) > queriesMax {
		return nil, &abi.Error{Code: "host_call_limit", Where: "purser_chain_needs", Message: fmt.Sprintf("%d queries, want at most %d", len(queries), queriesMax)}
	}
	answers := make([]abi.Answer, 0, len(queries))
	for _, query := range queries {
		if !slices.Contains(a.methods, query.Method) {
			return nil, &abi.Error{Code: "grant_missing", Where: query.Method, Message: "the chain adapter asked for an RPC method it did not declare"}
		}
		if query.Quorum > 1 {
			return nil, &abi.Error{Code: "quorum_unavailable", Where: query.ID, Message: fmt.Sprintf("%d RPC endpoints must agree, one is configured", query.Quorum)}
		}
		result, err := chain.Query(ctx, query.Method, query.Params)
		if err != nil {
			return nil, fmt.Errorf("run query %s for the chain adapter: %w", query.ID, err)
		}
		answers = append(answers, abi.Answer{ID: query.ID, Result: result})
	}
	return answers, nil
}

func (a *Adapter) assemble(ctx context.Context, request *abi.AssembleRequest) ([]byte, error) {
	var assembled abi.AssembleResult
	if err := a.call(ctx, "purser_chain_assemble", request, &assembled, 0); err != nil {
		return nil, err
	}
	if !assembled.Ok {
		return nil, rejected(assembled.Rejection)
	}
	if !json.Valid(assembled.Payload) {
		return nil, &abi.Error{Code: "bad_result", Where: "purser_chain_assemble", Message: "the adapter's payload is not JSON"}
	}
	return assembled.Payload, nil
}

func (a *Adapter) call(ctx context.Context, export string, request interface{ Marshal() ([]byte, error) },
	result interface{ Unmarshal([]byte) error }, now uint64,
) error {
	encoded, err := request.Marshal()
	if err != nil {
		return fmt.Errorf("%s: encode request: %w", export, err)
	}
	answer, err := a.plugin.Call(ctx, export, encoded, now)
	if err != nil {
		return err
	}
	if err := result.Unmarshal(answer); err != nil {
		return &abi.Error{Code: "bad_result", Where: export, Message: "the chain adapter's answer cannot be read", Cause: err}
	}
	return nil
}

// rejected turns an adapter's own no into an error.
func rejected(rejection *abi.Rejection) error {
	if rejection == nil {
		return &abi.Error{Code: "bad_result", Message: "the chain adapter refused without a reason"}
	}
	return &abi.Error{Code: "adapter_rejected", Where: rejection.Field, Message: fmt.Sprintf("the chain adapter refused: %s: %s", rejection.Code, rejection.Text)}
}
