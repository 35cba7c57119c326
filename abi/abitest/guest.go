package abitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/internal/schema"
)

// Engine is one of the two ways to run a guest. Both must give the same bytes and the same fuel.
type Engine string

// The engines.
const (
	// Compiler runs native code, as production does.
	Compiler Engine = "compiler"
	// Interpreter runs the same module instruction by instruction.
	Interpreter Engine = "interpreter"
)

// GuestConfig says how to open a module. The zero value works.
type GuestConfig struct {
	// Engine is Compiler unless set.
	Engine Engine
	// CacheDir keeps compiled modules between runs; it must be private to this user. Empty compiles anew.
	CacheDir string
}

// Guest is a module installed in a sandbox of its own, with everything granted that its manifest asks for. It is safe
// for concurrent use.
type Guest struct {
	host     *sandbox.Host
	plugin   *sandbox.Plugin
	manifest abi.Manifest
	schema   *schema.Schema
}

// Open installs a module as a host would. Errors have the codes of an install: install_refused, manifest_invalid,
// abi_unsupported, cache_unsafe. The caller must Close the guest.
func Open(ctx context.Context, wasm []byte, config GuestConfig) (_ *Guest, err error) {
	manifest, err := ManifestOf(wasm)
	if err != nil {
		return nil, err
	}
	checked, err := schema.Parse(manifest.ConfigSchema)
	if err != nil {
		return nil, err
	}
	host, err := sandbox.Open(sandboxConfig(config))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, host.Close())
		}
	}()
	grants := sandbox.Grants{RPCMethods: manifest.RPCMethods}
	for _, fact := range manifest.Facts {
		grants.Facts = append(grants.Facts, fact.Name)
	}
	plugin, err := host.Install(ctx, wasm, manifest.Kind, grants)
	if err != nil {
		return nil, err
	}
	return &Guest{host: host, plugin: plugin, manifest: *manifest, schema: checked}, nil
}

// queueWait is long, because a check may share its machine with anything.
const queueWait = time.Minute

// Close waits for running calls and frees the module.
func (g *Guest) Close() error { return g.host.Close() }

// Manifest is what the module says about itself. The caller must not change its slices.
func (g *Guest) Manifest() abi.Manifest { return g.manifest }

// Identity is the JSON view of what a decision record says about the code: hashes, engine, meter.
func (g *Guest) Identity() (json.RawMessage, error) { return json.Marshal(g.plugin.Identity()) }

// Limits are the fuel and memory that one call may use.
func (g *Guest) Limits() (fuel, memoryPages uint64) {
	limits := g.plugin.Limits()
	return limits.Fuel, limits.MemoryPages
}

// Configured is a guest with a configuration.
type Configured struct {
	guest *Guest
	box   *sandbox.Configured
}

// Configure checks a configuration against the manifest's schema, hands it to the guest, and fails with
// configure_failed when either objects. An empty configuration is {}. The caller must Close it.
func (g *Guest) Configure(ctx context.Context, config []byte) (*Configured, error) {
	config = orEmpty(config)
	if err := schema.Check(g.manifest.ConfigSchema, config); err != nil {
		return nil, err
	}
	configured, answer, err := g.configureUnchecked(ctx, config)
	if err != nil {
		return nil, err
	}
	if !answer.Ok {
		return nil, errors.Join(&abi.Error{
			Code: abi.ReasonConfigureFailed, Where: "config", Message: "the plugin refuses its configuration: " + problems(answer),
			Fix: "correct the configuration",
		}, configured.Close())
	}
	return configured, nil
}

// configureUnchecked skips the schema: what a guest does with a configuration that no host hands over.
func (g *Guest) configureUnchecked(ctx context.Context, config []byte) (*Configured, *abi.ConfigureResult, error) {
	canonical, entries, err := abi.Flatten(config)
	if err != nil {
		return nil, nil, err
	}
	request, err := (&abi.ConfigureRequest{Config: canonical, Entries: entries}).Marshal()
	if err != nil {
		return nil, nil, err
	}
	box, raw, err := g.plugin.Configure(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	configured := &Configured{guest: g, box: box}
	answer := &abi.ConfigureResult{}
	if err := answer.Unmarshal(raw); err != nil {
		return nil, nil, errors.Join(badResult("ConfigureResult", err), configured.Close())
	}
	return configured, answer, nil
}

// Close waits for running calls and frees the configuration's instances.
func (c *Configured) Close() error { return c.box.Close() }

// Answer is what one call gave.
type Answer struct {
	// Bytes are the encoded result, View its JSON view.
	Bytes []byte          `json:"-"`
	View  json.RawMessage `json:"result,omitempty"`
	// Outcome is a policy's, spelled out: the view leaves out the zero value, which is deny.
	Outcome string `json:"outcome,omitempty"`
	// Fuel is the metered work, also after an error; MemoryPages is the guest's memory in pages of 64 KiB.
	Fuel        uint64        `json:"fuel"`
	MemoryPages uint32        `json:"memory_pages"`
	Elapsed     time.Duration `json:"elapsed_ns"`
	Log         []string      `json:"log,omitempty"`
	positive    bool
}

// Call runs one call, named as in a manifest's vectors, with the JSON view of its request. Errors are those of a call
// (trap, fuel_exhausted, bad_result …) and end with the guest's last words, and json_invalid or bad_message for a request that cannot be encoded.
func (c *Configured) Call(ctx context.Context, call string, request []byte) (Answer, error) {
	known, ok := c.guest.manifest.Kind.Call(call)
	if !ok || known.Export == abi.ExportConfigure {
		return Answer{}, unknownCall(c.guest.manifest.Kind, call)
	}
	encoded, now, err := encode(known, orEmpty(request))
	if err != nil {
		return Answer{}, err
	}
	return c.send(ctx, known, encoded, now)
}

// send runs a call with encoded bytes and reads its result as strictly as a host does.
func (c *Configured) send(ctx context.Context, call abi.Call, request []byte, now uint64) (Answer, error) {
	got, err := c.box.Call(ctx, sandbox.Call{Export: call.Export, Request: request, Now: now})
	answer := Answer{Fuel: got.Fuel, MemoryPages: got.MemoryPages, Elapsed: got.Elapsed}
	for _, line := range got.Log {
		answer.Log = append(answer.Log, line.Text)
	}
	if err != nil {
		return answer, sandbox.WithLastWords(err, got.Log)
	}
	result := abi.NewMessage(call.Result)
	if err := result.Unmarshal(got.Bytes); err != nil {
		return answer, sandbox.WithLastWords(badResult(call.Result, err), got.Log)
	}
	answer.Bytes, answer.positive = bytes.Clone(got.Bytes), positive(result)
	if decided, ok := result.(*abi.DecideResult); ok {
		answer.Outcome = decided.Outcome.String()
	}
	answer.View, err = result.MarshalJSON()
	return answer, err
}

// encode turns a view into the bytes that the guest gets, and the time that it sees.
func encode(call abi.Call, view []byte) (encoded []byte, now uint64, err error) {
	message := abi.NewMessage(call.Request)
	if err := message.UnmarshalJSON(view); err != nil {
		return nil, 0, err
	}
	encoded, err = message.Marshal()
	return encoded, timeOf(message), err
}

// timeOf is the time a request carries, the only one its guest sees.
func timeOf(message abi.Message) uint64 {
	switch request := message.(type) {
	case *abi.DecideRequest:
		return request.NowUnixS
	case *abi.BuildRequest:
		return request.NowUnixS
	}
	return 0
}

// positive says whether a result lets a payment go on.
func positive(result abi.Message) bool {
	switch r := result.(type) {
	case *abi.DecideResult:
		return r.Outcome == abi.Allow
	case *abi.NeedsResult:
		return r.Ok
	case *abi.BuildResult:
		return r.Ok
	case *abi.AssembleResult:
		return r.Ok
	case *abi.VerifyResult:
		return r.Ok
	case *abi.PlanResult:
		return r.Ok
	case *abi.FactsResult:
		return r.Ok
	}
	return false // describe answers a question without a payment
}

func orEmpty(document []byte) []byte {
	if len(bytes.TrimSpace(document)) == 0 {
		return []byte("{}")
	}
	return document
}

func problems(answer *abi.ConfigureResult) string {
	text := ""
	for i, problem := range answer.Problems {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%s: %s", problem.Pointer, problem.Message)
	}
	if text == "" {
		return "it gives no reason"
	}
	return Printable(text)
}

func badResult(message string, cause error) error {
	return &abi.Error{Code: abi.ReasonBadResult, Message: "the guest's answer is no canonical " + message, Cause: cause, Fix: "encode it as abi/v1.md describes"}
}

func unknownCall(kind abi.Kind, call string) error {
	return &abi.Error{Code: "input_invalid", Message: fmt.Sprintf("%.40q is no call of a %s", call, kind), Fix: "decide for a policy; describe, needs, build, assemble, verify, plan or facts for a chain adapter"}
}
