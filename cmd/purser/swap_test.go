package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
)

// build compiles a guest from a folder as plugin authors do, with its manifest in it.
func build(t testing.TB, folder string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	compile := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".") // #nosec G204 -- a constant command
	compile.Dir = folder
	compile.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=-buildvcs=false", "GOWASM=")
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", folder, err, text)
	}
	embed := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "run", "../../internal/gen/manifest", // #nosec G204 -- a constant command
		"-manifest", filepath.Join(folder, "manifest.json"), "-wasm", out, "-out", out)
	if text, err := embed.CombinedOutput(); err != nil {
		t.Fatalf("embed the manifest of %s: %v\n%s", folder, err, text)
	}
	module, err := os.ReadFile(out) // #nosec G304 -- made above
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// fork copies a bundled plugin's sources, edits them as its author would for a next release, and builds that.
func fork(t testing.TB, plugin string, edits map[string][2]string) []byte {
	t.Helper()
	source, err := filepath.Abs(filepath.Join("..", "..", "plugins", plugin))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(folder, "go.mod"), "../../sdk/go", filepath.Join(source, "..", "..", "sdk", "go"))
	for file, change := range edits {
		edit(t, filepath.Join(folder, file), change[0], change[1])
	}
	return build(t, folder)
}

// nextPlugins builds a chain adapter and a policy of another release from changed copies of the bundled sources: the
// policy refuses every price above half of the ceiling in its configuration.
func nextPlugins(t testing.TB) (adapter, policy []byte) {
	t.Helper()
	adapter = fork(t, defaultAdapter, map[string][2]string{
		"manifest.json": {`"version": "0.1.0"`, `"version": "0.2.0"`},
		"main.go":       {"gasMaxDefault = 200_000", "gasMaxDefault = 250_000"},
	})
	const ceiling = `settings.ceiling = positive(c, "/ceiling")`
	policy = fork(t, pluginName, map[string][2]string{
		"manifest.json": {`"version": "0.1.0"`, `"version": "0.2.0"`},
		"main.go":       {ceiling, ceiling + "\n\twhole, _ := settings.ceiling.Uint64()\n\tsettings.ceiling = abi.NewAmount(whole / 2)"},
	})
	return adapter, policy
}

// installed is a stack over plugins in files.
type installed struct {
	world          *testWorld
	config         stackConfig
	adapter, guard string // files
	keys           int
}

func install(t *testing.T) *installed {
	t.Helper()
	key := testWallet(t)
	world := newWorld(t, []paidRoute{{"/cheap", abi.NewAmount(10_000), demoReport}, {"/dear", abi.NewAmount(80_000), demoReport}}, key)
	policy := world.testPolicy(t, "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"1\"\n    repeats: parallel\n"+
		"    plugins: [{use: ./guard.wasm, sha256: "+strings.Repeat("0", 64)+", config: {ceiling: \"100000\"}, grants: {facts: [quotes]}}]")
	folder := filepath.Dir(policy)
	i := &installed{world: world, adapter: filepath.Join(folder, "adapter.wasm"), guard: filepath.Join(folder, "guard.wasm")}
	for name, file := range map[string]string{defaultAdapter: i.adapter, pluginName: i.guard} {
		module, err := bundle.Module(name)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, file, module)
	}
	i.config = world.stackFor(t.TempDir(), policy, key)
	i.config.adapter = i.adapter
	i.pin(t, strings.Repeat("0", 64), i.sum(t, i.guard))
	return i
}

// replace puts a file in the place of another, as a deployment does.
func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func (i *installed) sum(t testing.TB, path string) string {
	t.Helper()
	module, err := os.ReadFile(path) // #nosec G304 -- a test's own file
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(module))
}

// pin writes another digest into the policy.
func (i *installed) pin(t testing.TB, old, next string) {
	t.Helper()
	edit(t, i.config.policy, "sha256: "+old, "sha256: "+next)
}

// pay buys a path and returns the payment, the digest of the policy module that judged it, and of the adapter that
// built it, from the records.
func (i *installed) pay(t testing.TB, s *stack, agent *client.Client, path string) (view api.View, guard, adapter string) {
	t.Helper()
	i.keys++
	view, err := agent.Pay(t.Context(), api.PayParams{Key: fmt.Sprintf("swap-%06d", i.keys), URL: i.world.merchantURL + path})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.runtime.Payment(t.Context(), view.ID)
	if err != nil {
		t.Fatal(err)
	}
	if p.Prepared != nil {
		adapter = fmt.Sprintf("%x", p.Prepared.Adapter)
	}
	return view, judgedBy(t, s, view.ID), adapter
}

// judgedBy reads the log for the module behind the latest decision on a payment.
func judgedBy(t testing.TB, s *stack, payment string) (module string) {
	t.Helper()
	for after := uint64(0); ; {
		ctx, cancel := context.WithCancel(t.Context())
		records, err := s.runtime.Records(ctx, after)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range records {
			var entry abi.Entry
			if err := entry.Unmarshal(record.Entry); err != nil {
				t.Fatal(err)
			}
			after = record.Position
			var body struct{ Decision *abi.Decision }
			if entry.Payment != payment {
				continue
			}
			if err := json.Unmarshal(entry.Body, &body); err != nil {
				t.Fatal(err)
			}
			if body.Decision == nil {
				continue
			}
			for _, verdict := range body.Decision.Verdicts {
				if verdict.Run != nil {
					return fmt.Sprintf("%x", verdict.Run.ModuleSHA256)
				}
			}
		}
	}
}

func TestAdapterAndPolicyAreSwappedWithoutRebuilding(t *testing.T) {
	nextAdapter, nextGuard := nextPlugins(t)
	i := install(t)
	oldAdapter, oldGuard := i.sum(t, i.adapter), i.sum(t, i.guard)
	wants := func(t *testing.T, view api.View, state runtime.State, guard, wantGuard, adapter, wantAdapter string) {
		t.Helper()
		if view.State != string(state) || guard != wantGuard || adapter != wantAdapter {
			t.Errorf("%s %v by policy %.8s and adapter %.8s, want %s by %.8s and %.8s", view.State, codesOf(view), guard, adapter, state, wantGuard, wantAdapter)
		}
	}
	s := openTestStack(t, i.config)
	agent, _ := s.agentClient(t, "shopper")
	for _, path := range []string{"/cheap", "/dear"} {
		view, guard, adapter := i.pay(t, s, agent, path)
		wants(t, view, runtime.Delivered, guard, oldGuard, adapter, oldAdapter)
	}
	replace(t, i.adapter, nextAdapter)
	replace(t, i.guard, nextGuard)
	newAdapter, newGuard := i.sum(t, i.adapter), i.sum(t, i.guard)
	if newAdapter == oldAdapter || newGuard == oldGuard {
		t.Fatal("the next release has the same bytes")
	}
	i.pin(t, oldGuard, newGuard)
	t.Run("by a reload", func(t *testing.T) {
		if _, err := s.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		view, guard, adapter := i.pay(t, s, agent, "/cheap")
		wants(t, view, runtime.Delivered, guard, newGuard, adapter, newAdapter)
		view, guard, adapter = i.pay(t, s, agent, "/dear") // the next policy's own rule
		wants(t, view, runtime.Denied, guard, newGuard, adapter, "")
		if !slices.Contains(codesOf(view), "price_above_ceiling") {
			t.Errorf("%v", codesOf(view))
		}
	})
	t.Run("by a restart", func(t *testing.T) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := openTestStack(t, i.config)
		agent, _ := again.agentClient(t, "shopper-after-the-restart")
		view, guard, adapter := i.pay(t, again, agent, "/cheap")
		wants(t, view, runtime.Delivered, guard, newGuard, adapter, newAdapter)
	})
	i.world.evidenceOf(t, i.config.data, i.config.keys[0], 1_000_000).mustHold(t)
}

// The Rust policy has the same manifest and configuration: it takes the place of the Go one while payments run.
func TestAPolicyInAnotherLanguageTakesOver(t *testing.T) {
	needRust(t)
	i := install(t)
	old := i.sum(t, i.guard)
	s := openTestStack(t, i.config)
	agent, _ := s.agentClient(t, "shopper")
	if view, guard, _ := i.pay(t, s, agent, "/cheap"); view.State != string(runtime.Delivered) || guard != old {
		t.Fatalf("%s by %.8s", view.State, guard)
	}
	out := filepath.Join(t.TempDir(), "rust.wasm")
	compile := exec.CommandContext(t.Context(), "sh", filepath.Join("..", "..", "examples", "policy-rust", "build.sh"), out) // #nosec G204 -- a constant script
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	module, err := os.ReadFile(out) // #nosec G304 -- made above
	if err != nil {
		t.Fatal(err)
	}
	replace(t, i.guard, module)
	i.pin(t, old, i.sum(t, i.guard))
	if _, err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if view, guard, _ := i.pay(t, s, agent, "/cheap"); view.State != string(runtime.Delivered) || guard != i.sum(t, i.guard) {
		t.Errorf("%s %v by %.8s, want the Rust policy %.8s", view.State, codesOf(view), guard, i.sum(t, i.guard))
	}
}

// Whatever is wrong with the files, the rules that serve go on serving, and nothing is half swapped.
func TestFilesThatAreWrongAreRefusedAndTheOldOnesGoOn(t *testing.T) {
	i := install(t)
	s := openTestStack(t, i.config)
	agent, _ := s.agentClient(t, "shopper")
	oldGuard, oldAdapter := i.sum(t, i.guard), i.sum(t, i.adapter)
	guest := func(name string) []byte {
		module, err := os.ReadFile(filepath.Join("..", "..", "internal", "sandbox", "testdata", name+".wasm")) // #nosec G304 -- a guest of the tests
		if err != nil {
			t.Fatal(err)
		}
		return module
	}
	goodPolicy, err := os.ReadFile(i.config.policy)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{i.guard: nil, i.adapter: nil, i.config.policy: goodPolicy}
	for _, file := range []string{i.guard, i.adapter} {
		if files[file], err = os.ReadFile(file); err != nil { // #nosec G304 -- a test's own file
			t.Fatal(err)
		}
	}
	pinned := func(module []byte) func() { // with the digest that the policy pins
		return func() {
			replace(t, i.guard, module)
			i.pin(t, oldGuard, i.sum(t, i.guard))
		}
	}
	for name, test := range map[string]struct {
		break_ func()
		code   string
	}{
		"a module that nobody reviewed":       {func() { replace(t, i.guard, guest("echo_policy")) }, "plugin_digest_mismatch"},
		"a digest that is another's":          {func() { i.pin(t, oldGuard, oldAdapter) }, "plugin_digest_mismatch"},
		"a digest that is none":               {func() { i.pin(t, oldGuard, "latest") }, "digest_invalid"},
		"a module that is gone":               {func() { _ = os.Remove(i.guard) }, "plugin_unreadable"},
		"a wrong export":                      {pinned(guest("missing_export")), "install_refused"},
		"a wrong signature":                   {pinned(guest("wrong_signature")), "install_refused"},
		"an import it may not have":           {pinned(guest("extra_import")), "install_refused"},
		"a newer ABI":                         {pinned(guest("next_abi")), "abi_unsupported"},
		"no manifest":                         {pinned(guest("no_manifest")), "manifest_invalid"},
		"a module that never starts":          {pinned(guest("loop_initialize")), "install_refused"},
		"a module that traps at its start":    {pinned(guest("trap_initialize")), "install_refused"},
		"a module that answers nonsense":      {pinned(guest("hostile")), "configure_failed"},
		"a chain adapter as policy":           {pinned(files[i.adapter]), "install_refused"},
		"bytes that are no module":            {pinned([]byte("not a module")), "install_refused"},
		"a policy as chain adapter":           {func() { replace(t, i.adapter, files[i.guard]) }, "install_refused"},
		"an adapter that answers nonsense":    {func() { replace(t, i.adapter, guest("echo_chain")) }, "grant_missing"},
		"an adapter that is gone":             {func() { _ = os.Remove(i.adapter) }, ""},
		"a policy that is no YAML":            {func() { replace(t, i.config.policy, []byte("version: [1")) }, ""},
		"a policy with an unknown key":        {func() { edit(t, i.config.policy, "    repeats:", "    max_transactions_usdc: \"9\"\n    repeats:") }, ""},
		"a policy that is empty":              {func() { replace(t, i.config.policy, nil) }, ""},
		"a policy without the tenant's limit": {func() { edit(t, i.config.policy, "tenant:", "#") }, ""},
		"a policy that is gone":               {func() { _ = os.Remove(i.config.policy) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.break_()
			_, err := s.reload(t.Context())
			if err == nil || test.code != "" && !strings.Contains(fmt.Sprint(err), test.code) && abi.CodeOf(err) != test.code {
				t.Errorf("%v, want %s", err, test.code)
			}
			view, guard, adapter := i.pay(t, s, agent, "/cheap")
			if view.State != string(runtime.Delivered) || guard != oldGuard || adapter != oldAdapter {
				t.Errorf("%s %v by policy %.8s and adapter %.8s", view.State, codesOf(view), guard, adapter)
			}
			fresh := i.config
			fresh.data = t.TempDir()
			if started, err := openStack(t.Context(), fresh); err == nil {
				t.Error("a new process starts with it")
				_ = started.Close() // it should not exist
			}
			for file, content := range files {
				if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, content) { // #nosec G304 -- a test's own file
					replace(t, file, content)
				}
			}
		})
	}
	if _, err := s.reload(t.Context()); err != nil {
		t.Errorf("the files as they were are refused: %v", err)
	}
}
