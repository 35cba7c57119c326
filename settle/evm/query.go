package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	queryParamsBytesMax = 64 << 10
	queryMethodBytesMax = 64
)

// QueryLimits say what a chain adapter may ask. They come from the host, never from
// the adapter alone.
type QueryLimits struct {
	// Methods are the only ones allowed. Empty allows none.
	Methods []string
	// ResponseBytesMax bounds one answer. Required.
	ResponseBytesMax int
	// Timeout bounds one call. Required.
	Timeout time.Duration
}

// readPrefixes are what Query may ever ask: reads. Everything that sends, signs,
// mines or administers is out, whatever the caller's list says.
var readPrefixes = []string{
	"eth_get", "eth_call", "eth_blockNumber", "eth_chainId", "eth_gasPrice", "eth_maxPriorityFeePerGas",
	"eth_feeHistory", "eth_estimateGas", "eth_blobBaseFee", "net_version", "web3_clientVersion",
}

// Query runs one read that a chain adapter asked for and returns the node's result
// unparsed. params is a JSON array or empty. Codes: query_refused when the method is
// not on the list or does not read, query_too_large, and those of a call.
func (r *RPC) Query(ctx context.Context, limits QueryLimits, method string, params json.RawMessage) (json.RawMessage, error) {
	if len(method) > queryMethodBytesMax || !slices.Contains(limits.Methods, method) || !reads(method) {
		return nil, &abi.Error{
			Code: "query_refused", Message: fmt.Sprintf("method %.80q is not allowed", method),
			Fix: "list it in the adapter's manifest and in the host's configuration; only reads can be allowed",
		}
	}
	if limits.ResponseBytesMax <= 0 || limits.Timeout <= 0 {
		return nil, &abi.Error{Code: "query_refused", Message: "the query has no limits"}
	}
	if len(params) == 0 {
		params = json.RawMessage("[]")
	}
	var list []json.RawMessage
	if len(params) > queryParamsBytesMax || json.Unmarshal(params, &list) != nil || list == nil {
		return nil, &abi.Error{Code: "query_refused", Message: fmt.Sprintf("the parameters are not a JSON array of at most %d bytes", queryParamsBytesMax)}
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Timeout)
	defer cancel()
	answer, err := r.callWith(ctx, method, list)
	if err != nil {
		return nil, err
	}
	if len(answer) > limits.ResponseBytesMax {
		return nil, &abi.Error{Code: "query_too_large", Message: fmt.Sprintf("the answer to %s has %d bytes, at most %d are passed on",
			method, len(answer), limits.ResponseBytesMax)}
	}
	if !json.Valid(answer) {
		return nil, badAnswer(method, errors.New("not JSON"))
	}
	return answer, nil
}

func reads(method string) bool {
	return slices.ContainsFunc(readPrefixes, func(prefix string) bool { return strings.HasPrefix(method, prefix) })
}
