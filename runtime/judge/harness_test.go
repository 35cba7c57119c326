package judge

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
)

const (
	testAsset  = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	testPayee  = "0x1111111111111111111111111111111111111111"
	testOrigin = "https://api.example.com"
	testHead   = `version: 1
approvers: {ada: "%x", bea: "%x"}
merchants: [{origin: "https://api.example.com", pay_to: ["0x1111111111111111111111111111111111111111"]}]
agents: {shopper: {policy: test}}
policies:
  test:
    max_transaction_usdc: "50"
    daily_spending_limit: "60"
    require_human_approval_above: "20"
    approvals: {quorum: 2, approvers: [ada, bea], expires: 15m}
`
)

// testNow is later than the ledger's own time, so that it is the one that counts.
var testNow = time.Date(2100, 3, 1, 12, 0, 0, 0, time.UTC)

// writePolicy writes a policy whose plugins are the modules, by name, each with its YAML members.
func writePolicy(t testing.TB, modules map[string][]byte, plugins string) string {
	t.Helper()
	folder := t.TempDir()
	for name, module := range modules {
		if err := os.WriteFile(filepath.Join(folder, name+".wasm"), module, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf(testHead, approverOf("ada").Public(), approverOf("bea").Public()) + plugins
	path := filepath.Join(folder, "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openHost(t testing.TB) *Host {
	t.Helper()
	host, err := OpenHost(HostConfig{CacheDir: filepath.Join(cacheFolder, "wasm"), QueueWait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return host
}

// cacheFolder is shared by the tests of one run: compiling a plugin takes a second.
var cacheFolder string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if cacheFolder, err = os.MkdirTemp("", "purser-judge-test-"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(cacheFolder) }() // best effort
		return m.Run()
	}())
}

func openJudge(t testing.TB, host *Host, path string) (*Judge, error) {
	t.Helper()
	compiled, err := policy.Load(path, policy.Options{})
	if err != nil {
		return nil, err
	}
	return Open(t.Context(), host, Source{Bundle: compiled.Bundle, Tokens: compiled.Tokens(), Read: func(plugin rules.Plugin) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(path), plugin.Path))
	}})
}

func mustJudge(t testing.TB, path string) *Judge {
	t.Helper()
	j, err := openJudge(t, openHost(t), path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func openLedger(t testing.TB) store.Store {
	t.Helper()
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "ledger.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledger
}

// caseOf is an intent to pay whole dollars, with its quote.
func caseOf(dollars uint64) Case {
	amount := abi.NewAmount(dollars * 1_000_000)
	body := sha256.Sum256(nil)
	return Case{
		Intent: abi.Intent{
			Payment: PaymentID("default", "shopper", "key-00000001"), Tenant: "default", Agent: "shopper", Key: "key-00000001",
			Method: "GET", URL: testOrigin + "/report", Origin: testOrigin, BodySHA256: body[:],
			Scheme: "exact", Network: "eip155:8453", Asset: testAsset, Payee: testPayee, Amount: amount,
		},
		Quote: abi.Quote{
			Requirement: []byte("{}"), Scheme: "exact", Network: "eip155:8453", Asset: testAsset, Payee: testPayee, Amount: amount,
			TimeoutS: 60, ResourceURL: testOrigin + "/report", Evidence: abi.EvidenceFetched, ObservedUnixS: unixOf(testNow),
		},
		Side: Runtime, Now: testNow,
	}
}

func rule(t testing.TB, j *Judge, ledger store.Store, c Case) Ruling {
	t.Helper()
	ruling, err := j.Rule(t.Context(), ledger, c)
	if err != nil {
		t.Fatal(err)
	}
	return ruling
}

// codesOf are the reason codes of the verdicts that have the decision's outcome.
func codesOf(decision abi.Decision) []string {
	var codes []string
	for _, verdict := range decision.Verdicts {
		for _, reason := range verdict.Reasons {
			if verdict.Outcome == decision.Outcome {
				codes = append(codes, verdict.Source+"/"+reason.Code)
			}
		}
	}
	return codes
}

func bundled(t testing.TB, name string) []byte {
	t.Helper()
	module, err := bundle.Module(name)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

var hostileGuest struct {
	once   sync.Once
	module []byte
	err    error
}

// buildHostile compiles testdata/hostile, once a run.
func buildHostile(t testing.TB) []byte {
	t.Helper()
	hostileGuest.once.Do(func() { hostileGuest.module, hostileGuest.err = compileHostile(cacheFolder) })
	if hostileGuest.err != nil {
		t.Fatal(hostileGuest.err)
	}
	return hostileGuest.module
}

func compileHostile(folder string) ([]byte, error) {
	out := filepath.Join(folder, "hostile.wasm")
	const source = "testdata/hostile"
	build := exec.CommandContext(context.Background(), "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".") // #nosec G204 -- a constant command
	build.Dir = source
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the hostile guest: %w\n%s", err, text)
	}
	embed := exec.CommandContext(context.Background(), "go", "run", "../../internal/gen/manifest", // #nosec G204 -- a constant command
		"-manifest", source+"/manifest.json", "-wasm", out, "-out", out)
	if text, err := embed.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("embed the manifest: %w\n%s", err, text)
	}
	return os.ReadFile(out) // #nosec G304 -- made above
}
