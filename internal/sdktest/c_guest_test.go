package sdktest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/internal/toolchain"
)

const (
	cNowUnixS     = 1_800_000_000
	cEchoManifest = cSources + "/echo/manifest.json"
	// cModuleBytesMax is far above what a small plugin has: a libc that slipped in would show.
	cModuleBytesMax = 64 << 10
)

// builtC runs one of the SDK's scripts, which end with a module at out.
func builtC(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	if !hasTool("clang") {
		skipWithout(t, "no clang; on Debian: apt-get install --no-install-recommends clang-14 lld-14")
	}
	out := filepath.Join(t.TempDir(), "plugin.wasm")
	build := exec.CommandContext(t.Context(), "sh", append([]string{filepath.Join(root, script), out}, args...)...) // #nosec G204 -- constant scripts
	if output, err := build.CombinedOutput(); err != nil || len(output) > 0 {                                       // a warning is a failure here
		t.Fatalf("%v\n%s", err, output)
	}
	return readFile(t, out)
}

func cCeiling(t testing.TB) []byte {
	t.Helper()
	return builtC(t, filepath.Join(cExample, "build.sh"))
}

func cEcho(t testing.TB) []byte {
	t.Helper()
	module := builtC(t, filepath.Join(cSDK, "build.sh"), filepath.Join(root, cSources, "echo", "adapter.c"))
	plugin, err := toolchain.Embed(module, readFile(t, filepath.Join(root, cEchoManifest)))
	if err != nil {
		t.Fatal(err)
	}
	return plugin
}

// installedC is a module in a sandbox of its own.
func installedC(t testing.TB, module []byte, kind abi.Kind, limits sandbox.Limits) *sandbox.Plugin {
	t.Helper()
	host, err := sandbox.Open(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	grants := sandbox.Grants{Limits: limits}
	if kind == abi.KindChain {
		grants.RPCMethods = []string{"eth_call", "eth_getCode"}
	}
	plugin, err := host.Install(t.Context(), module, kind, grants)
	if err != nil {
		t.Fatal(err)
	}
	return plugin
}

func configureBytes(t testing.TB, config []byte) []byte {
	t.Helper()
	canonical, entries, err := abi.Flatten(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := (&abi.ConfigureRequest{Config: canonical, Entries: entries}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func viewOf(t testing.TB, message string, view []byte) []byte {
	t.Helper()
	m := abi.NewMessage(message)
	if err := m.UnmarshalJSON(view); err != nil {
		t.Fatalf("%s: %v", view, err)
	}
	wire, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// eachVector calls f for every vector of a manifest with the bytes of its views.
func eachVector(t *testing.T, manifestPath string, f func(t *testing.T, call abi.Call, configure, request, want []byte)) {
	t.Helper()
	manifest, err := abi.ParseManifest(readFile(t, filepath.Join(root, manifestPath)))
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Vectors) == 0 {
		t.Fatalf("%s has no vectors", manifestPath)
	}
	for _, v := range manifest.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			call, ok := manifest.Kind.Call(v.Call)
			if !ok {
				t.Fatalf("no call %s", v.Call)
			}
			f(t, call, configureBytes(t, v.Config), viewOf(t, call.Request, v.Request), viewOf(t, call.Result, v.Result))
		})
	}
}

func givesEveryCVector(t *testing.T, module []byte, kind abi.Kind, manifestPath string) {
	t.Helper()
	plugin := installedC(t, module, kind, sandbox.Limits{})
	var fuel, pages []uint64
	eachVector(t, manifestPath, func(t *testing.T, call abi.Call, configure, request, want []byte) {
		configured, answer, err := plugin.Configure(t.Context(), configure)
		if err != nil {
			t.Fatal(err)
		}
		var accepted abi.ConfigureResult
		if err := accepted.Unmarshal(answer); err != nil || !accepted.Ok {
			t.Fatalf("%v %v", accepted.Problems, err)
		}
		// Twice, because the second call must meet the guest as configure left it.
		for range 2 {
			got, err := configured.Call(t.Context(), sandbox.Call{Export: call.Export, Request: request, Now: cNowUnixS})
			if err != nil || !bytes.Equal(got.Bytes, want) {
				t.Errorf("%v\n got %q\nwant %q", err, got.Bytes, want)
			}
			fuel, pages = append(fuel, got.Fuel), append(pages, uint64(got.MemoryPages))
		}
	})
	if len(pages) > 0 {
		t.Logf("module %d bytes, memory %d KiB, fuel of one call at most %d", len(module), 64*slices.Max(pages), slices.Max(fuel))
	}
}

func TestCPluginsInTheSandbox(t *testing.T) {
	ceiling, echo := cCeiling(t), cEcho(t)
	t.Run("the ceiling gives every vector", func(t *testing.T) {
		givesEveryCVector(t, ceiling, abi.KindPolicy, filepath.Join(cExample, "manifest.json"))
	})
	t.Run("the adapter gives every vector", func(t *testing.T) {
		givesEveryCVector(t, echo, abi.KindChain, cEchoManifest)
	})
	t.Run("a plugin that runs out of memory fails its call", func(t *testing.T) { failsWithoutMemory(t, echo) })
	t.Run("damaged requests never allow more", func(t *testing.T) { neverAllowsDamage(t, ceiling) })
	t.Run("a stack that overflows traps", func(t *testing.T) { trapsBelowItsStack(t) })
	t.Run("what a module is made of", func(t *testing.T) { isSmallAndTheSameTwice(t, ceiling, cCeiling(t)) })
}

// TestTheCAdapterUnderSanitizers makes the same calls natively, where the sanitizers watch the plugin's own memory too.
func TestTheCAdapterUnderSanitizers(t *testing.T) {
	harness := buildCHarness(t, "-DHARNESS_PLUGIN", filepath.Join(root, cSources, "echo", "adapter.c"))
	t.Run("it gives every vector", func(t *testing.T) { givesEveryCVectorNatively(t, harness) })
	t.Run("it reports every problem of its settings", func(t *testing.T) { reportsEveryCProblem(t, harness, cEcho(t)) })
}

func givesEveryCVectorNatively(t *testing.T, harness *cHarness) {
	t.Helper()
	eachVector(t, cEchoManifest, func(t *testing.T, call abi.Call, configure, request, want []byte) {
		h := harness.start(t)
		answer, ok := h.ask(t, 'k', "configure", configure)
		var accepted abi.ConfigureResult
		if err := accepted.Unmarshal(answer); err != nil || !ok || !accepted.Ok {
			t.Fatalf("%v %v", accepted.Problems, err)
		}
		if got, ok := h.ask(t, 'k', call.Name, request); !ok || !bytes.Equal(got, want) {
			t.Errorf("%t\n got %q\nwant %q", ok, got, want)
		}
		h.stop(t)
	})
}

func reportsEveryCProblem(t *testing.T, harness *cHarness, module []byte) {
	t.Helper()
	plugin := installedC(t, module, abi.KindChain, sandbox.Limits{})
	const whole = `"network": "n", "schemes": [], "quorum": 1`
	for config, want := range map[string][]string{
		`{}`: {"/network is missing", "/schemes is missing", "/quorum is missing"},
		`{"network": 1, "schemes": "s", "quorum": "q"}`: {
			"/network must be of type string", "/schemes must be of type array", "/quorum must be of type number",
		},
		`{"network": null, "schemes": {}, "quorum": true}`: {
			"/network must be of type string", "/schemes must be of type array", "/quorum must be of type number",
		},
		`{"network": "n", "schemes": ["a", 1, ["b"], {"c/d": "e"}], "quorum": 1}`: {
			"/schemes/1 must be a string", "/schemes/2 must be a string", "/schemes/3 must be a string",
		},
		`{"network": "n", "schemes": [], "quorum": -1}`: {"/quorum must not be negative"},
		`{` + whole + `, "quorums": 1}`:                 {"/quorums is not a setting of this plugin"},
		`{` + whole + `, "comments": {"by": [null]}}`:   {"/comments/by/0 is not a setting of this plugin"},
		`{` + whole + `, "fees": null}`:                 {"/fees is not a setting of this plugin"},
		`{` + whole + `, "fees": [{"most": "01", "ignored": 1}, {}]}`: {
			"/fees/0/most amount is not a plain decimal integer below 2^256 without leading zeros", "/fees/0/ignored must be of type bool",
			"/fees/1/most is missing", "/fees/1/ignored is missing",
		},
		`{` + whole + `, "x": [` + strings.Repeat("0,", 99) + `0]}`: slices.Repeat([]string{"/x/ is not a setting of this plugin"}, 64),
		`[]`:    {"/network is missing", "/schemes is missing", "/quorum is missing"},
		`"all"`: {"/network is missing", "/schemes is missing", "/quorum is missing", " is not a setting of this plugin"},
	} {
		request := configureBytes(t, []byte(config))
		h := harness.start(t)
		native, ok := h.ask(t, 'k', "configure", request)
		h.stop(t)
		_, answer, err := plugin.Configure(t.Context(), request)
		if err != nil || !ok || !bytes.Equal(answer, native) {
			t.Errorf("%s: %q in the sandbox, %v, natively %q, %t", config, answer, err, native, ok)
			continue
		}
		if got := problems(t, answer); !slices.EqualFunc(got, want, samePlace) {
			t.Errorf("%s: %s", config, cmp.Diff(want, got))
		}
	}
}

// samePlace lets a pointer that ends with a slash stand for every element.
func samePlace(got, want string) bool {
	pointer, says, _ := strings.Cut(want, " ")
	return got == want || strings.HasSuffix(pointer, "/") && strings.HasPrefix(got, pointer) && strings.HasSuffix(got, says)
}

func problems(t testing.TB, answer []byte) (list []string) {
	t.Helper()
	var result abi.ConfigureResult
	if err := result.Unmarshal(answer); err != nil {
		t.Fatal(err)
	}
	if result.Ok {
		t.Errorf("accepted with %v", result.Problems)
	}
	for _, p := range result.Problems {
		list = append(list, p.Pointer+" "+p.Message)
	}
	return list
}

// failsWithoutMemory: what could not be allocated must never be missing from a result.
func failsWithoutMemory(t *testing.T, module []byte) {
	t.Helper()
	one, two, four := sandbox.Limits{MemoryPages: 1}, sandbox.Limits{MemoryPages: 2}, sandbox.Limits{MemoryPages: 4}
	for _, c := range []struct {
		limits  sandbox.Limits
		payer   int
		answers bool
	}{{one, 100, true}, {one, 60_000, false}, {two, 100, true}, {two, 60_000, false}, {four, 60_000, true}, {one, 1, true}} {
		request, err := (&abi.NeedsRequest{Operation: "build", Payer: strings.Repeat("p", c.payer)}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		plugin := installedC(t, module, abi.KindChain, c.limits)
		configured, _, err := plugin.Configure(t.Context(), configureBytes(t, []byte(`{"network": "n", "schemes": [], "quorum": 1}`)))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := configured.Call(t.Context(), sandbox.Call{Export: abi.ExportNeeds, Request: request, Now: cNowUnixS})
			if (err == nil) != c.answers || c.answers && len(got.Bytes) < c.payer {
				t.Errorf("%d pages, a payer of %d: %d bytes, %v", c.limits.MemoryPages, c.payer, len(got.Bytes), err)
			}
		}
	}
}

// neverAllowsDamage: in the sandbox too, a request that is not canonical is a failed call.
func neverAllowsDamage(t *testing.T, module []byte) {
	t.Helper()
	plugin := installedC(t, module, abi.KindPolicy, sandbox.Limits{})
	configured, _, err := plugin.Configure(t.Context(), configureBytes(t, []byte(`{"ceiling": "50000"}`)))
	if err != nil {
		t.Fatal(err)
	}
	request := viewOf(t, "DecideRequest", []byte(`{"intent": {"payment": "p", "amount": "50000"}, "quote": {}, "agent": {"id": "bot", "groups": ["a"]}}`))
	allowed, denied, failed := 0, 0, 0
	for bit := range 8 * len(request) {
		damaged := bytes.Clone(request)
		damaged[bit/8] ^= 1 << (bit % 8)
		var asked abi.DecideRequest
		var result abi.DecideResult
		readable := asked.Unmarshal(damaged) == nil
		got, err := configured.Call(t.Context(), sandbox.Call{Export: abi.ExportDecide, Request: damaged, Now: cNowUnixS})
		if err == nil {
			err = result.Unmarshal(got.Bytes)
		}
		whole := readable && asked.Intent != nil && asked.Quote != nil && asked.Agent != nil
		switch {
		case err != nil:
			failed++
		case result.Outcome == abi.Allow:
			allowed++
		default:
			denied++
		}
		if readable && err != nil {
			t.Errorf("bit %d: %v", bit, err)
		}
		// A guest skips fields that the host does not know, so it may answer where the host cannot read.
		if readable && (result.Outcome == abi.Allow) != (whole && asked.Intent.Amount.Cmp(abi.NewAmount(50_000)) <= 0) {
			t.Errorf("bit %d: %s for %s", bit, result.Outcome, asked.Intent.Amount)
		}
	}
	if allowed == 0 || denied == 0 || failed == 0 {
		t.Errorf("%d allowed, %d denied, %d failed: not all was compared", allowed, denied, failed)
	}
	t.Logf("%d damaged requests: %d allowed, %d denied, %d failed", 8*len(request), allowed, denied, failed)
}

func trapsBelowItsStack(t *testing.T) {
	t.Helper()
	module, err := toolchain.Embed(builtC(t, filepath.Join(cSDK, "build.sh"), filepath.Join(root, cSources, "overflow.c")), []byte(`{
		"name": "overflow", "version": "1.0.0", "kind": "policy", "abi": {"major": 1}, "description": "overflows its stack",
		"license": "Apache-2.0", "config_schema": {"type": "object"}}`))
	if err != nil {
		t.Fatal(err)
	}
	plugin := installedC(t, module, abi.KindPolicy, sandbox.Limits{})
	for config, code := range map[string]string{`{"deep": 0}`: "", `{"deep": 1}`: sandbox.CodeTrap} {
		configured, _, err := plugin.Configure(t.Context(), configureBytes(t, []byte(config)))
		if err != nil {
			t.Fatal(err)
		}
		request := viewOf(t, "DecideRequest", []byte(`{"intent": {}, "quote": {}, "agent": {}}`))
		if _, err := configured.Call(t.Context(), sandbox.Call{Export: abi.ExportDecide, Request: request, Now: cNowUnixS}); abi.CodeOf(err) != code {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func isSmallAndTheSameTwice(t *testing.T, module, again []byte) {
	t.Helper()
	if !bytes.Equal(module, again) {
		t.Error("two builds differ")
	}
	if len(module) > cModuleBytesMax {
		t.Errorf("the module has %d bytes", len(module))
	}
	folder, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(module, []byte(folder)) {
		t.Error("the module names a folder of this machine")
	}
}
