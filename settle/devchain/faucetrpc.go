//go:build !nodevchain

package devchain

import (
	"context"

	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/purserhq/purser/abi"
)

const (
	faucetNamespace = "devchain"
	// faucetErrorCode is in the range JSON-RPC 2.0 leaves to servers.
	faucetErrorCode = -32010
)

// faucetAPI serves devchain_fund and devchain_info on the chain's own port. That
// port is loopback only and refuses browsers, so being able to reach it is the
// permission.
type faucetAPI struct{ chain *Chain }

func registerFaucet(stack *node.Node, c *Chain) {
	stack.RegisterAPIs([]rpc.API{{Namespace: faucetNamespace, Service: &faucetAPI{c}}})
}

// Fund is devchain_fund(address, tokens, wei) with decimal strings in smallest units.
func (a *faucetAPI) Fund(ctx context.Context, address, tokens, wei string) (Funded, error) {
	tokenAmount, err := abi.ParseAmount(tokens)
	if err != nil {
		return Funded{}, rpcError{asPublic(err)}
	}
	weiAmount, err := abi.ParseAmount(wei)
	if err != nil {
		return Funded{}, rpcError{asPublic(err)}
	}
	funded, err := a.chain.Fund(ctx, address, tokenAmount, weiAmount)
	if err != nil {
		return Funded{}, rpcError{asPublic(err)}
	}
	return funded, nil
}

// info is what devchain_info answers.
type info struct {
	Network      abi.Network `json:"network"`
	Token        abi.Asset   `json:"token"`
	Faucet       string      `json:"faucet"`
	Relayer      string      `json:"relayer"`
	BlockSeconds int64       `json:"blockSeconds"`
	HeadNumber   uint64      `json:"headNumber"`
	HeadTime     uint64      `json:"headTimeUnixS"`
}

// Info is devchain_info().
func (a *faucetAPI) Info() info {
	number, timeUnixS := a.chain.Head()
	return info{
		Network: a.chain.Network(), Token: a.chain.Token(), Faucet: a.chain.Faucet().Address,
		Relayer: a.chain.relayer.Address, BlockSeconds: int64(a.chain.config.BlockTime.Seconds()),
		HeadNumber: number, HeadTime: timeUnixS,
	}
}

// rpcError carries an abi.Error through JSON-RPC: its public part is the data.
type rpcError struct{ public *abi.Error }

var _ rpc.DataError = rpcError{}

func (e rpcError) Error() string  { return e.public.Code + ": " + e.public.Message }
func (e rpcError) ErrorCode() int { return faucetErrorCode }
func (e rpcError) ErrorData() any { return e.public }
