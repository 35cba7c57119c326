package facilitator

import (
	"context"
	"fmt"
	"sync"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
)

// Facilitator settles payments. It may be used from any goroutine.
type Facilitator struct {
	config  Config
	chainID uint64
	tokens  map[abi.Asset]token
	relayer *relayer
	// requests has one token for each request being served.
	requests chan struct{}

	mu sync.Mutex
	// busy holds the authorizations a settle request is working on.
	busy map[ClaimKey]struct{}

	closing sync.Once
}

// Open reads the tokens from the chain, takes up what an earlier run left open and
// starts watching. Codes: facilitator_config_invalid, relayer_nonce_gap, those of the
// RPC and of the journal. Close it after its HTTP server has stopped.
func Open(ctx context.Context, cfg Config) (*Facilitator, error) {
	cfg, err := cfg.validated()
	if err != nil {
		return nil, err
	}
	chainID, ok := cfg.RPC.Network().EIP155()
	if !ok {
		return nil, configFault("RPC", "serves no eip155 network")
	}
	f := &Facilitator{
		config: cfg, chainID: chainID, tokens: map[abi.Asset]token{}, busy: map[ClaimKey]struct{}{},
		requests: make(chan struct{}, cfg.RequestsMax),
	}
	for _, asset := range cfg.Assets {
		if f.tokens[asset], err = readToken(ctx, cfg.RPC, asset); err != nil {
			return nil, fmt.Errorf("read token %s: %w", asset, err)
		}
	}
	f.relayer = newRelayer(cfg, chainID)
	if err := f.relayer.open(ctx); err != nil {
		return nil, fmt.Errorf("open relayer %s: %w", f.relayer.address, err)
	}
	return f, nil
}

// Close stops watching the chain. Settlements in flight stay in the journal and are
// taken up by the next Open; callers still waiting are told settlement_pending.
func (f *Facilitator) Close() error {
	f.closing.Do(f.relayer.close)
	return nil
}

// Relayer is the address of the account that pays for gas.
func (f *Facilitator) Relayer() string { return f.relayer.address.String() }

// readToken takes the domain from the contract: the name of USDC differs by network,
// and a wrong one makes every signature invalid.
func readToken(ctx context.Context, rpc *evm.RPC, asset abi.Asset) (token, error) {
	contract, err := rpc.Contract(asset)
	if err != nil {
		return token{}, err
	}
	name, err := rpc.TokenName(ctx, asset)
	if err != nil {
		return token{}, err
	}
	version, err := rpc.TokenVersion(ctx, asset)
	if err != nil {
		return token{}, err
	}
	// A token without EIP-3009 cannot be settled here; say so now.
	if _, err := rpc.AuthorizationState(ctx, asset, evm.Address{1}, evm.Hash{1}, evm.AtTag(evm.Latest)); err != nil {
		return token{}, err
	}
	return token{asset: asset, contract: contract, name: name, version: version}, nil
}
