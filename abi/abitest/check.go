// Package abitest is the conformance kit for plugins: it runs a module against its own vectors, on both engines, and
// against everything a bad host, a bad configuration or a bad request could do to it. It refuses to call a module good
// that it could not run, and it never lets a warning hide a failure.
//
// `purser plugin test` prints what Check reports; Test does the same in a Go test:
//
//	func TestMyPolicy(t *testing.T) {
//		module, err := os.ReadFile("my-policy.wasm")
//		if err != nil {
//			t.Fatal(err)
//		}
//		abitest.Test(t, module, abitest.Options{Monotonic: []string{abitest.MonotonicAmount}})
//	}
//
// What is invented (configurations, damaged requests) comes from a seed that the report names: the same module, seed
// and options give the same report, apart from times.
package abitest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
)

// MonotonicAmount is the property that more money never makes a policy more lenient: raising intent.amount and
// quote.amount together never turns deny into hold or allow, nor hold into allow.
const MonotonicAmount = "amount"

// Options say how hard to check. The zero value is what `purser plugin test` does.
type Options struct {
	// Seed starts the pseudo-random inputs. Default 1.
	Seed uint64
	// Runs is how often each vector runs on each engine. Default 20.
	Runs int
	// Configs is how many valid and how many invalid configurations are tried. Default 40.
	Configs int
	// Requests is how many damaged requests are made of each vector. Default 60.
	Requests int
	// Monotonic lists properties that the author promises; MonotonicAmount is the one there is.
	Monotonic []string
	// File is what the report calls a module that has no name, because it does not install. Optional.
	File string
	// CacheDir keeps compiled modules between runs; it must be private to this user. Empty compiles anew.
	CacheDir string
	// Progress, when set, hears what is being done.
	Progress func(what string)
}

const (
	runsDefault, runsMax         = 20, 1_000
	configsDefault, configsMax   = 40, 1_000
	requestsDefault, requestsMax = 60, 10_000
)

func (o Options) complete() (Options, error) {
	for _, option := range []struct {
		name            string
		value           *int
		usual, mostEver int
	}{
		{"runs", &o.Runs, runsDefault, runsMax},
		{"configs", &o.Configs, configsDefault, configsMax},
		{"requests", &o.Requests, requestsDefault, requestsMax},
	} {
		if *option.value == 0 {
			*option.value = option.usual
		}
		if *option.value < 1 || *option.value > option.mostEver {
			return o, optionFault(option.name, fmt.Sprintf("want a number from 1 to %d", option.mostEver))
		}
	}
	for _, property := range o.Monotonic {
		if property != MonotonicAmount {
			return o, optionFault("monotonic", fmt.Sprintf("%.40q is no known property; there is %q", property, MonotonicAmount))
		}
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o, nil
}

func optionFault(where, message string) error {
	return &abi.Error{Code: "request_invalid", Where: where, Message: message, Fix: "correct the option"}
}

// Check runs every check there is on a module. Whatever is wrong with the module is a row of the report; an error means
// that there is no report: bad options, or ctx ended.
func Check(ctx context.Context, wasm []byte, options Options) (*Report, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	c := &checker{options: options, report: &Report{File: options.File, Seed: options.Seed, SHA256: fmt.Sprintf("%x", sha256.Sum256(wasm)), Bytes: len(wasm)}}
	defer c.close()
	for _, part := range []struct {
		name string
		run  func(context.Context)
	}{
		{"install", func(ctx context.Context) { c.install(ctx, wasm) }},
		{"vectors", c.vectors},
		{"determinism", c.determinism},
		{"headroom", c.headroom},
		{"config", c.configs},
		{"requests", c.requests},
		{"monotonic", c.monotonic},
	} {
		if len(c.guests) == 0 && part.name != "install" {
			break // nothing else can be known of a module that does not install
		}
		options.Progress(part.name)
		part.run(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("check plugin: %w", context.Cause(ctx))
		}
	}
	return c.report, nil
}

// T is what Test needs of a *testing.T or *testing.B.
type T interface {
	Helper()
	Context() context.Context
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Test runs Check and fails the test for every failure; warnings are logged.
func Test(t T, wasm []byte, options Options) {
	t.Helper()
	report, err := Check(t.Context(), wasm, options)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	for _, row := range report.Rows {
		switch row.Status {
		case Fail:
			t.Errorf("%s: %s: %s (seed %d)", row.Check, row.Case, row.Detail, report.Seed)
		case Warn, Skip:
			t.Logf("%s: %s: %s: %s", row.Status, row.Check, row.Case, row.Detail)
		case Pass:
		}
	}
}

// checker carries one Check.
type checker struct {
	options  Options
	report   *Report
	manifest abi.Manifest
	// guests holds the module on each engine.
	guests map[Engine]*Guest
	// ran are the vectors as the compiler ran them, in the manifest's order; nil entries gave no answer.
	ran []*Answer
}

func (c *checker) close() {
	for engine, guest := range c.guests {
		if err := guest.Close(); err != nil {
			c.report.fail("install", string(engine), "closing the module: "+err.Error())
		}
	}
}

// install puts the module on both engines.
func (c *checker) install(ctx context.Context, wasm []byte) {
	guests := map[Engine]*Guest{}
	for _, engine := range []Engine{Compiler, Interpreter} {
		config := GuestConfig{Engine: engine}
		if engine == Compiler {
			config.CacheDir = c.options.CacheDir
		}
		guest, err := Open(ctx, wasm, config)
		if err != nil {
			c.report.failed("install", string(engine), err)
			break
		}
		guests[engine] = guest
		c.report.pass("install", string(engine), "manifest, imports, exports and ABI version")
	}
	c.guests = guests
	if len(guests) < 2 {
		c.close()
		c.guests = nil
		return
	}
	c.manifest = guests[Compiler].Manifest()
	c.report.Plugin, c.report.Version, c.report.Kind = c.manifest.Name, c.manifest.Version, c.manifest.Kind
	c.ran = make([]*Answer, len(c.manifest.Vectors))
}

// vectors compares every vector's answer with the promised one.
func (c *checker) vectors(ctx context.Context) {
	if len(c.manifest.Vectors) == 0 {
		c.report.warn("vectors", "none", "the manifest has no vectors, so nothing shows that the plugin does what it is for")
	}
	for i, vector := range c.manifest.Vectors {
		answer, err := c.guests[Compiler].RunVector(ctx, vector)
		if err != nil {
			c.report.failed("vectors", vector.Name, err)
			continue
		}
		c.ran[i] = &answer
		want, err := c.promised(vector)
		switch {
		case err != nil:
			c.report.fail("vectors", vector.Name, "the promised result cannot be encoded: "+describe(err))
		case !slices.Equal(want.Bytes, answer.Bytes):
			c.report.fail("vectors", vector.Name, fmt.Sprintf("answers %s, the manifest promises %s", clip(answer.View), clip(want.View)))
		default:
			c.report.add(Row{Check: "vectors", Case: vector.Name, Status: Pass, Fuel: answer.Fuel, MemoryPages: answer.MemoryPages})
		}
	}
}

// promised is a vector's result as an answer.
func (c *checker) promised(vector abi.ManifestVector) (Answer, error) {
	call, _ := c.manifest.Kind.Call(vector.Call) // ParseManifest refuses others
	message := abi.NewMessage(call.Result)
	if err := message.UnmarshalJSON(vector.Result); err != nil {
		return Answer{}, err
	}
	encoded, err := message.Marshal()
	if err != nil {
		return Answer{}, err
	}
	view, err := message.MarshalJSON()
	return Answer{Bytes: encoded, View: view}, err
}

// RunVector runs one vector of the manifest in a fresh configuration and returns its answer.
func (g *Guest) RunVector(ctx context.Context, vector abi.ManifestVector) (_ Answer, err error) {
	call, ok := g.manifest.Kind.Call(vector.Call)
	if !ok {
		return Answer{}, unknownCall(g.manifest.Kind, vector.Call)
	}
	if call.Export == abi.ExportConfigure {
		return g.runConfigure(ctx, vector)
	}
	configured, err := g.Configure(ctx, vector.Config)
	if err != nil {
		return Answer{}, err
	}
	defer func() { err = errors.Join(err, configured.Close()) }()
	return configured.Call(ctx, vector.Call, vector.Request)
}

// runConfigure is a vector of the configure call itself, which may show what the guest objects to.
func (g *Guest) runConfigure(ctx context.Context, vector abi.ManifestVector) (Answer, error) {
	var request abi.ConfigureRequest
	if err := request.UnmarshalJSON(orEmpty(vector.Request)); err != nil {
		return Answer{}, err
	}
	encoded, err := request.Marshal()
	if err != nil {
		return Answer{}, err
	}
	box, raw, err := g.plugin.Configure(ctx, encoded)
	if err != nil {
		return Answer{}, err
	}
	var result abi.ConfigureResult
	if err := result.Unmarshal(raw); err != nil {
		return Answer{}, errors.Join(badResult("ConfigureResult", err), (&Configured{box: box}).Close())
	}
	view, err := result.MarshalJSON()
	return Answer{Bytes: raw, View: view}, errors.Join(err, (&Configured{box: box}).Close())
}
