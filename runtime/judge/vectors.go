package judge

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

// CodeVectorFailed: a plugin does not give the answer that its own manifest promises.
const CodeVectorFailed = "vector_failed"

// vectorsFuelMax bounds what all vectors of a module may use, the configurations they need included: each alone may use
// a whole call's fuel, and a manifest may have hundreds.
const vectorsFuelMax = 2_000_000_000

// proveVectors runs every vector of a module's manifest, each under its own configuration, and refuses the module at
// the first answer that is not byte for byte the promised one. Vectors are part of the module, so one proof holds for
// all of its configurations.
func proveVectors(ctx context.Context, installed *sandbox.Plugin) error {
	p := prover{installed: installed, manifest: installed.Manifest()}
	defer func() { _ = p.let() }() // it served vectors only; its module's Close reports what is stuck
	for _, vector := range p.manifest.Vectors {
		if err := p.prove(ctx, vector); err != nil {
			return err
		}
		if p.fuel > vectorsFuelMax {
			return vectorFailed(p.manifest, vector, fmt.Sprintf("the vectors together use more than %d fuel", uint64(vectorsFuelMax)), nil)
		}
	}
	return nil
}

// prover runs vectors. One configuration is in memory at a time: a manifest may have hundreds.
type prover struct {
	installed *sandbox.Plugin
	manifest  abi.Manifest
	guest     *sandbox.Configured
	config    string
	fuel      uint64
}

// let frees the guest of the last configuration.
func (p *prover) let() error {
	guest := p.guest
	if guest == nil {
		return nil
	}
	p.guest = nil
	return guest.Close()
}

func (p *prover) prove(ctx context.Context, vector abi.ManifestVector) error {
	call, _ := p.manifest.Kind.Call(vector.Call) // ParseManifest refuses other calls and unreadable messages
	want, err := wireOf(call.Result, vector.Result)
	if err != nil {
		return vectorFailed(p.manifest, vector, "its result cannot be encoded", err)
	}
	answer, err := p.answer(ctx, call, vector)
	if code := abi.CodeOf(err); slices.Contains(hostCodes, code) {
		return err // the host's doing, which says nothing about the plugin
	}
	if err != nil {
		return vectorFailed(p.manifest, vector, "the plugin gives no answer", err)
	}
	if !bytes.Equal(answer, want) {
		return vectorFailed(p.manifest, vector, fmt.Sprintf("the plugin answers %s, its manifest promises %s", viewOf(call.Result, answer), viewOf(call.Result, want)), nil)
	}
	return nil
}

func (p *prover) answer(ctx context.Context, call abi.Call, vector abi.ManifestVector) ([]byte, error) {
	message := abi.NewMessage(call.Request)
	if err := message.UnmarshalJSON(vector.Request); err != nil {
		return nil, err
	}
	request, err := message.Marshal()
	if err != nil {
		return nil, err
	}
	if call.Export == abi.ExportConfigure {
		guest, answer, err := p.installed.Configure(ctx, request)
		if err != nil {
			return nil, err
		}
		p.fuel += guest.StartFuel()
		return answer, guest.Close()
	}
	if err := p.configureFor(ctx, vector); err != nil {
		return nil, err
	}
	answer, err := p.guest.Call(ctx, sandbox.Call{Export: call.Export, Request: request, Now: nowOf(message)})
	p.fuel += answer.Fuel
	return answer.Bytes, sandbox.WithLastWords(err, answer.Log)
}

// configureFor makes the vector's configuration the one in memory.
func (p *prover) configureFor(ctx context.Context, vector abi.ManifestVector) error {
	if p.guest != nil && p.config == string(vector.Config) {
		return nil
	}
	if err := p.let(); err != nil {
		return err
	}
	config, err := object(vector.Config)
	if err != nil {
		return err
	}
	if p.guest, err = configure(ctx, p.installed, config); err != nil {
		return err
	}
	p.config = string(vector.Config)
	p.fuel += p.guest.StartFuel()
	return nil
}

// nowOf is the time that a request carries, which is the one its guest sees.
func nowOf(message abi.Message) uint64 {
	switch request := message.(type) {
	case *abi.DecideRequest:
		return request.NowUnixS
	case *abi.BuildRequest:
		return request.NowUnixS
	}
	return 0
}

func wireOf(name string, view []byte) ([]byte, error) {
	message := abi.NewMessage(name)
	if err := message.UnmarshalJSON(view); err != nil {
		return nil, err
	}
	return message.Marshal()
}

// viewBytesMax bounds what an error shows of an answer.
const viewBytesMax = 400

func viewOf(name string, wire []byte) string {
	message := abi.NewMessage(name)
	if err := message.Unmarshal(wire); err != nil {
		return fmt.Sprintf("%d bytes that are no %s", len(wire), name)
	}
	view, err := message.MarshalJSON()
	if err != nil {
		return fmt.Sprintf("a %s without a view", name)
	}
	if len(view) > viewBytesMax {
		return string(view[:viewBytesMax]) + "…"
	}
	return string(view)
}

func vectorFailed(manifest abi.Manifest, vector abi.ManifestVector, problem string, cause error) error {
	return &abi.Error{
		Code: CodeVectorFailed, Where: fmt.Sprintf("%s %s, vector %q", manifest.Name, manifest.Version, vector.Name), Message: problem, Cause: cause,
		Fix: "the module is not what its author tested: build it again, or correct the vector",
	}
}
