package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/tools/bench/policy"
)

// Purser is a guest of ABI v1 in purser's own sandbox as it ships: metered, and its whole state put back after every call.
type Purser struct {
	host   *sandbox.Host
	plugin *sandbox.Plugin
	guest  *sandbox.Configured
	others []*sandbox.Configured
}

var _ Engine = (*Purser)(nil)

// OpenPurser installs and configures a module in a host of its own. cacheDir keeps compiled modules.
func OpenPurser(ctx context.Context, module []byte, c Config, cacheDir string) (*Purser, error) {
	host, err := sandbox.Open(sandbox.Config{CacheDir: cacheDir})
	if err != nil {
		return nil, err
	}
	p := &Purser{host: host}
	p.plugin, err = host.Install(ctx, module, abi.KindPolicy, sandbox.Grants{Facts: []string{"budgets", "quotes"}})
	if err == nil {
		p.guest, err = configurePlugin(ctx, p.plugin, c)
	}
	if err != nil {
		return nil, errors.Join(err, host.Close())
	}
	return p, nil
}

func configurePlugin(ctx context.Context, plugin *sandbox.Plugin, c Config) (*sandbox.Configured, error) {
	document, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	canonical, entries, err := abi.Flatten(document)
	if err != nil {
		return nil, err
	}
	request, err := (&abi.ConfigureRequest{Config: canonical, Entries: entries}).Marshal()
	if err != nil {
		return nil, err
	}
	guest, answer, err := plugin.Configure(ctx, request)
	if err != nil {
		return nil, err
	}
	var result abi.ConfigureResult
	if err := result.Unmarshal(answer); err != nil {
		return nil, err
	}
	if !result.Ok {
		return nil, fmt.Errorf("the guest refuses its configuration: %v", result.Problems)
	}
	return guest, nil
}

// Decide is one decision as the judge makes it: encode, call, decode.
func (p *Purser) Decide(ctx context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	result, err := p.call(ctx, r)
	if err != nil {
		return policy.Verdict{}, err
	}
	return verdictOf(result.Bytes)
}

// verdictOf decodes a DecideResult.
func verdictOf(message []byte) (policy.Verdict, error) {
	var answer abi.DecideResult
	if err := answer.Unmarshal(message); err != nil {
		return policy.Verdict{}, err
	}
	verdict := policy.Verdict{Outcome: uint8(answer.Outcome)}
	for i := range answer.Reasons {
		verdict.Codes = append(verdict.Codes, answer.Reasons[i].Code)
	}
	return verdict, nil
}

func (p *Purser) call(ctx context.Context, r *abi.DecideRequest) (sandbox.Result, error) {
	request, err := r.Marshal()
	if err != nil {
		return sandbox.Result{}, err
	}
	return p.guest.Call(ctx, sandbox.Call{Export: abi.ExportDecide, Request: request, Now: r.NowUnixS})
}

// Close frees the guest with its host.
func (p *Purser) Close(context.Context) error { return p.host.Close() }

// Another configures the same module once more, lets that guest decide, and keeps it until Close: what a second policy
// with the same plugin costs. It returns the size of the guest's linear memory in bytes.
func (p *Purser) Another(ctx context.Context, c Config, r *abi.DecideRequest) (linear uint64, err error) {
	guest, err := configurePlugin(ctx, p.plugin, c)
	if err != nil {
		return 0, err
	}
	p.others = append(p.others, guest)
	result, err := (&Purser{guest: guest}).call(ctx, r)
	return uint64(result.MemoryPages) * wasmPageBytes, err
}

const wasmPageBytes = 64 << 10
