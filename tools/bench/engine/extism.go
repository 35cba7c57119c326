package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	extism "github.com/extism/go-sdk"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/jsonread"
	"github.com/purserhq/purser/tools/bench/policy"
)

type extismPlugin struct{ plugin *extism.Plugin }

var _ Engine = (*extismPlugin)(nil)

// OpenExtism loads a guest into the Extism SDK with the memory limit that purser's guests have. A timeout of zero is
// none: a loop in the guest stops the process then.
func OpenExtism(ctx context.Context, module []byte, c Config, timeout time.Duration) (Engine, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	plugin, err := extism.NewPlugin(ctx, extism.Manifest{
		Wasm:    []extism.Wasm{extism.WasmData{Data: module, Name: "main"}},
		Memory:  &extism.ManifestMemory{MaxPages: abi.PolicyMemoryPagesMax, MaxHttpResponseBytes: -1, MaxVarBytes: -1},
		Config:  map[string]string{"policy": string(config)},
		Timeout: uint64(timeout.Milliseconds()), //nolint:gosec // never negative
	}, extism.PluginConfig{EnableWasi: true}, nil)
	if err != nil {
		return nil, err
	}
	return &extismPlugin{plugin}, nil
}

// OpenExtismWire is OpenExtism with purser's encoding instead of JSON: what is left is the two hosts.
func OpenExtismWire(ctx context.Context, module []byte, c Config, timeout time.Duration) (Engine, error) {
	e, err := OpenExtism(ctx, module, c, timeout)
	if err != nil {
		return nil, err
	}
	return extismWire{e.(*extismPlugin)}, nil
}

type extismWire struct{ *extismPlugin }

func (e extismWire) Decide(ctx context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	request, err := r.Marshal()
	if err != nil {
		return policy.Verdict{}, err
	}
	out, err := e.call(ctx, "decide_wire", request)
	if err != nil {
		return policy.Verdict{}, err
	}
	return verdictOf(out)
}

func (e *extismPlugin) call(ctx context.Context, name string, input []byte) ([]byte, error) {
	status, out, err := e.plugin.CallWithContext(ctx, name, input)
	if err == nil && status != 0 {
		err = fmt.Errorf("the guest returned %d", status)
	}
	return out, err
}

func (e *extismPlugin) Decide(ctx context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	document, err := r.MarshalJSON() // generated code without reflection
	if err != nil {
		return policy.Verdict{}, err
	}
	out, err := e.call(ctx, "decide", document)
	if err != nil {
		return policy.Verdict{}, err
	}
	return jsonread.Verdict(string(out))
}

func (e *extismPlugin) Close(ctx context.Context) error { return e.plugin.Close(ctx) }
