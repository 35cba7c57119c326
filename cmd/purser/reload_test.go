package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
)

// versions are policies that say in each verdict which module and which configuration they are: the guest of
// runtime/judge/testdata/versions. Under an odd digit they deny.
type versions struct {
	world  *testWorld
	policy string
	config stackConfig
	// texts are the policy files by what their plugin says, such as "a_2"; marks are what a decision's record says of
	// the same.
	texts map[string][]byte
	marks map[string]string
}

func newVersions(t *testing.T, says ...string) *versions {
	t.Helper()
	key := testWallet(t)
	world := newWorld(t, []paidRoute{{"/cheap", abi.NewAmount(10_000), demoReport}}, key)
	path := world.testPolicy(t, "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"1000\"\n    repeats: parallel\n"+
		"    plugins: [{use: ./PLACE/versions.wasm, sha256: DIGEST, config: {v: \"VALUE\"}}]")
	template, err := os.ReadFile(path) // #nosec G304 -- a test's own file
	if err != nil {
		t.Fatal(err)
	}
	v := &versions{world: world, policy: path, config: world.stackFor(t.TempDir(), path, key), texts: map[string][]byte{}, marks: map[string]string{}}
	for _, say := range says {
		letter, value, _ := strings.Cut(say, "_")
		folder := filepath.Join(filepath.Dir(path), letter)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		module := versionModule(t, letter[0], "")
		replace(t, filepath.Join(folder, "versions.wasm"), module)
		text := strings.NewReplacer("PLACE", letter, "DIGEST", fmt.Sprintf("%x", sha256.Sum256(module)), "VALUE", value).Replace(string(template))
		v.texts[say] = []byte(text)
	}
	v.use(t, says[0])
	return v
}

// use puts a version in the place of the policy file.
func (v *versions) use(t testing.TB, say string) {
	t.Helper()
	replace(t, v.policy, v.texts[say])
}

// versionModule is the guest as version a or b, with more members in its manifest.
func versionModule(t testing.TB, letter byte, members string) []byte {
	t.Helper()
	module, err := os.ReadFile(filepath.Join("..", "..", "runtime", "judge", "testdata", "versions", "versions.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	module = bytes.Replace(module, []byte("\x0a\x03a_"), []byte{0x0a, 0x03, letter, '_'}, 1)
	manifest := `{"name":"versions","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0","config_schema":{"type":"object"}` + members + `}`
	const name = "purser.manifest"
	section := append(append([]byte{byte(len(name))}, name...), manifest...)
	return append(binary.AppendUvarint(append(module, 0), uint64(len(section))), section...)
}

// clients registers agents on one listener.
func (s *stack) clients(t testing.TB, n int) (agents []*client.Client, operator *client.Client) {
	t.Helper()
	server := httptest.NewServer(s.gateway)
	t.Cleanup(server.Close)
	open := func(token string) *client.Client {
		c, err := client.New(server.URL, client.Token(token), server.Client())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for i := range n {
		token, err := s.runtime.CreateAgent(t.Context(), fmt.Sprintf("agent-%02d", i), demoWalletID, nil)
		if err != nil {
			t.Fatal(err)
		}
		agents = append(agents, open(token.Reveal()))
	}
	return agents, open(s.operator)
}

// decisionsOf reads a ledger's log: by payment, what each decision's plugin said, with its mark.
func decisionsOf(t testing.TB, ledger store.Store) map[string][][2]string {
	t.Helper()
	found := map[string][][2]string{}
	for after := uint64(0); ; {
		records, err := ledger.Log(t.Context(), store.LogQuery{Tenant: defaultTenant, After: after, Max: store.LogMax})
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range records {
			after = record.Position
			var entry abi.Entry
			var body struct{ Decision *abi.Decision }
			if err := errors.Join(entry.Unmarshal(record.Entry), json.Unmarshal(entry.Body, &body)); err != nil {
				t.Fatal(err)
			}
			if body.Decision == nil {
				continue
			}
			say, mark := "", ""
			for _, verdict := range body.Decision.Verdicts {
				if verdict.Run != nil {
					say = verdict.Reasons[0].Code
					mark += fmt.Sprintf("%x %x %x", verdict.Run.ModuleSHA256, verdict.Run.ConfigSHA256, body.Decision.PolicySHA256)
				}
			}
			if mark == "" { // nobody asked a plugin: say who decided
				for _, verdict := range body.Decision.Verdicts {
					for _, reason := range verdict.Reasons {
						say += reason.Rule + "/" + reason.Code + " "
					}
				}
			}
			found[entry.Payment] = append(found[entry.Payment], [2]string{say, mark})
		}
		if len(records) == 0 {
			return found
		}
	}
}

const (
	underLoadSwaps  = 200
	underLoadAgents = 64
	// underLoadSwapsShort is for -short: with the race detector on a busy machine the rest takes minutes.
	underLoadSwapsShort = 40
	// agentPause is what an agent does between two payments. Without it the machine is full of denials, and the swaps
	// take minutes.
	agentPause = 150 * time.Millisecond
)

// The whole runtime reloads two hundred times, by module and by configuration, while sixty-four agents pay through it:
// every payment comes to its end, and every decision of either side is one generation's from its module to its policy.
func TestTwoHundredReloadsWhileSixtyFourAgentsPay(t *testing.T) {
	order := []string{"a_3", "b_2", "a_5", "b_3", "a_7", "b_5"}
	v := newVersions(t, order...)
	s := openTestStack(t, v.config)
	agents, _ := s.clients(t, underLoadAgents)
	ctx := t.Context()
	pay := func(agent, n int) (api.View, error) {
		return insist(ctx, func() *client.Client { return agents[agent] }, api.PayParams{Key: fmt.Sprintf("reload-%06d", n), URL: v.world.merchantURL + "/cheap"})
	}
	for _, say := range order { // what each version's records say
		v.use(t, say)
		if _, err := s.reload(ctx); err != nil {
			t.Fatal(err)
		}
		view, err := pay(0, len(v.marks))
		if err != nil {
			t.Fatal(err)
		}
		decisions := decisionsOf(t, s.ledgers[roleRuntime])[view.ID]
		if len(decisions) != 1 || decisions[0][0] != say {
			t.Fatalf("under %s: %v", say, decisions)
		}
		v.marks[say] = decisions[0][1]
	}
	goroutines := goruntime.NumGoroutine()

	stop := make(chan struct{})
	var mu sync.Mutex
	answered, reasons := map[string]int{}, map[string]int{}
	payments := map[string]bool{}
	var asked atomic.Int64
	var paying sync.WaitGroup
	for i := range underLoadAgents {
		paying.Go(func() {
			for n := 1000; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				view, err := pay(i, n)
				if err != nil {
					t.Errorf("agent %d: %v", i, err)
					return
				}
				mu.Lock()
				answered[view.State]++
				for _, code := range codesOf(view) {
					reasons[code]++
				}
				payments[view.ID] = true
				mu.Unlock()
				time.Sleep(agentPause)
			}
		})
	}
	stages, swaps := map[judge.Stage]time.Duration{}, underLoadSwaps
	if testing.Short() {
		swaps = underLoadSwapsShort
	}
	for n := range swaps {
		v.use(t, order[n%len(order)])
		report, err := s.reload(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if report.Shadow[roleRuntime].Unchanged {
			t.Fatalf("reload %d changed nothing", n)
		}
		for _, step := range report.Steps {
			stages[step.Stage] += step.Took / time.Duration(swaps)
		}
	}
	close(stop)
	paying.Wait()
	t.Logf("%d payments over %d reloads: %v for %v; a reload's stages took on average %v", asked.Load(), swaps, answered, reasons, stages)
	if len(payments) != int(asked.Load()) || answered[string(runtime.Delivered)] == 0 || answered[string(runtime.Denied)] == 0 ||
		answered[string(runtime.Delivered)]+answered[string(runtime.Denied)] != len(payments) {
		t.Errorf("%d asked, %d payments: %v", asked.Load(), len(payments), answered)
	}
	v.checkDecisions(t, s, payments)
	s.waitUntilFreed(t, goroutines)
	if err := s.Close(); err != nil { // the co-signer looks at the chain by itself
		t.Fatal(err)
	}
	v.world.evidenceOf(t, v.config.data, v.config.keys[0], 64_000_000_000).mustHold(t)
}

// checkDecisions reads both sides' logs.
func (v *versions) checkDecisions(t *testing.T, s *stack, payments map[string]bool) {
	t.Helper()
	// Known defect: about one decision in some thousands meets a plugin that is already closed, and is denied for it.
	const closedMax = 3
	closed := 0
	defer func() {
		t.Logf("%d decisions met a closed plugin and denied", closed)
		if closed > closedMax {
			t.Errorf("%d decisions met a closed plugin, at most %d are the known defect", closed, closedMax)
		}
	}()
	for _, role := range roles {
		decided := decisionsOf(t, s.ledgers[role])
		for payment, decisions := range decided {
			if role == roleRuntime && len(decisions) != 1 {
				t.Errorf("payment %s was decided %d times", payment, len(decisions))
			}
			for _, d := range decisions {
				if strings.Contains(d[0], "closed") {
					closed++
					continue
				}
				if d[1] == "" { // before any policy is asked, the ledgers, the clock or an order may deny: that is no generation's
					if rule, _, _ := strings.Cut(d[0], "/"); !slices.Contains([]string{"ledgers", "clock", "orders"}, rule) {
						t.Errorf("%s: a decision on %s by no plugin: %q", role, payment, d[0])
					}
					continue
				}
				if say, mark := d[0], d[1]; role == roleRuntime && v.marks[say] != mark || !strings.Contains(mark, strings.Join(strings.Fields(v.marks[say])[:2], " ")) {
					t.Errorf("%s: a decision on %s is of two generations: it says %q, its record %s", role, payment, say, mark)
				}
			}
		}
		for payment := range payments {
			if role == roleRuntime && len(decided[payment]) == 0 {
				t.Errorf("no decision on payment %s is in the log", payment)
			}
		}
	}
}

// waitUntilFreed waits until only the serving generation is in memory: one policy and one adapter.
func (s *stack) waitUntilFreed(t *testing.T, goroutines int) {
	t.Helper()
	s.cosigner.DropSessions("the test counts what is left") // prepared ones wait for payments that do not come
	// Idle connections between the parts of the test come and go.
	const idleConnections = 2 * underLoadAgents
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		modules, configurations := s.plugins.Loaded()
		running := goruntime.NumGoroutine()
		if modules == 2 && configurations == 2 && running <= goroutines+idleConnections {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d modules, %d configurations and %d goroutines are left, of 2, 2 and %d", modules, configurations, running, goroutines)
		}
	}
}

func TestAReloadReportsItsStagesAndWhatWouldBeDecidedOtherwise(t *testing.T) {
	v := newVersions(t, "a_2", "a_3", "b_3")
	s := openTestStack(t, v.config)
	agents, _ := s.clients(t, 1)
	for n := range 3 {
		if view, err := agents[0].Pay(t.Context(), api.PayParams{Key: fmt.Sprintf("shadow-%04d", n), URL: v.world.merchantURL + "/cheap"}); err != nil || view.State != string(runtime.Delivered) {
			t.Fatal(view, err)
		}
	}
	v.use(t, "b_3")
	report, err := s.reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		found := report.Shadow[role]
		wanted := 3
		if role == roleCosigner {
			wanted = 6 // consult and arm
		}
		if found.Compared != wanted || found.Changed["allow->deny"] != wanted || len(found.Examples) != wanted || found.Examples[0].Agent != "agent-00" {
			t.Errorf("%s: %+v", role, found)
		}
	}
	var stages []judge.Stage
	for _, step := range report.Steps {
		if !step.Shared && (step.Side != roleCosigner || step.Stage == judge.StageShadow) {
			stages = append(stages, step.Stage)
		}
	}
	want := []judge.Stage{judge.StagePolicy, judge.StageRead, judge.StageVerify, judge.StageInstall, judge.StageConfigure, judge.StageVectors, judge.StageShadow, judge.StageShadow, judge.StageSwap, judge.StageDrain}
	if !slices.Equal(stages, want) || !report.Drained {
		t.Errorf("%v, want %v; drained %v", stages, want, report.Drained)
	}
	text := report.text()
	for _, part := range []string{"reloaded policy", "test/versions", "allow->deny 3", "new versions: b_3", "install"} {
		if !strings.Contains(text, part) {
			t.Errorf("the report has no %q:\n%s", part, text)
		}
	}
	if encoded, err := json.Marshal(report); err != nil || !bytes.Contains(encoded, []byte(`"allow-\u003edeny":3`)) {
		t.Errorf("%s %v", encoded, err)
	}
	if report, err = s.reload(t.Context()); err != nil || !report.Shadow[roleRuntime].Unchanged {
		t.Errorf("the same files again: %+v %v", report.Shadow, err)
	}
}

func TestAReloadThatLoosensIsRefusedWhereTheOperatorSaysSo(t *testing.T) {
	v := newVersions(t, "a_3", "b_2", "b_5")
	v.config.refuseLoosening = true
	s := openTestStack(t, v.config)
	agents, _ := s.clients(t, 1)
	denied := func(key, code string) {
		t.Helper()
		view, err := agents[0].Pay(t.Context(), api.PayParams{Key: key, URL: v.world.merchantURL + "/cheap"})
		if err != nil || view.State != string(runtime.Denied) || !slices.Contains(codesOf(view), code) {
			t.Errorf("%s %v %v, want a denial with %s", view.State, codesOf(view), err, code)
		}
	}
	denied("loosen-0001", "a_3")
	v.use(t, "b_2")
	_, err := s.reload(t.Context())
	var failed *judge.StageError
	if abi.CodeOf(err) != "reload_loosens" || !errors.As(err, &failed) || failed.Stage != judge.StageShadow {
		t.Errorf("%v", err)
	}
	if modules, configurations := s.plugins.Loaded(); modules != 2 || configurations != 2 {
		t.Errorf("what was refused is still loaded: %d modules, %d configurations", modules, configurations)
	}
	denied("loosen-0002", "a_3")
	v.use(t, "b_5")
	if _, err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	denied("loosen-0003", "b_5")
}

func TestAFailingPluginIsQuarantinedStreamedAndClearedByTheOperator(t *testing.T) {
	v := newVersions(t, "a_2", "b_2")
	s := openTestStack(t, v.config)
	agents, operator := s.clients(t, 3)
	keys := 0
	pay := func(agent int, purpose string, codes ...string) {
		t.Helper()
		keys++
		view, err := agents[agent].Pay(t.Context(), api.PayParams{Key: fmt.Sprintf("quarantine-%04d", keys), URL: v.world.merchantURL + "/cheap", Purpose: purpose})
		if err != nil || (view.State == string(runtime.Denied)) != (len(codes) > 0) {
			t.Fatalf("%s %v %v, want %v", view.State, codesOf(view), err, codes)
		}
		for _, code := range codes {
			if !slices.Contains(codesOf(view), code) {
				t.Errorf("codes %v lack %s", codesOf(view), code)
			}
		}
	}
	for range 3 {
		pay(0, "trap", "trap")
	}
	pay(0, "", abi.ReasonPluginQuarantined)
	pay(1, "")
	all, err := operator.Quarantines(t.Context())
	if err != nil || len(all) != 1 || all[0].Agent != "agent-00" || all[0].Plugin != "versions" || all[0].Policy != "test" || all[0].Code != "trap" {
		t.Fatalf("%+v %v", all, err)
	}
	if _, err := s.reload(t.Context()); err != nil { // the same module again clears nobody
		t.Fatal(err)
	}
	pay(0, "", abi.ReasonPluginQuarantined)
	params := api.QuarantineParams{Policy: "test", Plugin: "versions", Agent: "agent-00"}
	if _, err := agents[0].ClearQuarantine(t.Context(), params); abi.CodeOf(err) != "forbidden" {
		t.Errorf("an agent cleared it: %v", err)
	}
	if _, err := agents[0].Quarantines(t.Context()); abi.CodeOf(err) != "forbidden" {
		t.Errorf("an agent listed it: %v", err)
	}
	if _, err := operator.ClearQuarantine(t.Context(), api.QuarantineParams{Policy: "test", Plugin: "versions"}); abi.CodeOf(err) != "not_found" {
		t.Errorf("another quarantine was cleared: %v", err)
	}
	if cleared, err := operator.ClearQuarantine(t.Context(), params); err != nil || cleared.Agent != "agent-00" {
		t.Errorf("%+v %v", cleared, err)
	}
	pay(0, "")
	for agent := range 3 { // three agents: it is the plugin
		pay(agent, "trap", "trap")
	}
	pay(1, "", abi.ReasonPluginQuarantined)
	v.use(t, "b_2") // another module
	if _, err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	pay(1, "")
	want := []string{"plugin.quarantined agent-00 agent-00", "plugin.cleared agent-00 agent-00", "plugin.quarantined agent-02 "}
	if got := quarantineEvents(t, s, len(want)); !slices.Equal(got, want) {
		t.Errorf("the stream says %q, want %q", got, want)
	}
	v.world.evidenceOf(t, v.config.data, v.config.keys[0], 1_000_000_000).mustHold(t)
}

// quarantineEvents reads the stream for what it says of quarantines: kind, chain, and for whom.
func quarantineEvents(t *testing.T, s *stack, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var events []string
	for after := uint64(0); len(events) < n; {
		records, err := s.runtime.Records(ctx, after)
		if err != nil {
			t.Fatalf("%v, after %q", err, events)
		}
		for _, record := range records {
			after = record.Position
			var entry abi.Entry
			if err := entry.Unmarshal(record.Entry); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(entry.Kind, "plugin.") {
				continue
			}
			var body judge.Quarantine
			if err := json.Unmarshal(entry.Body, &body); err != nil || body.Code != "trap" {
				t.Fatalf("%s %v", entry.Body, err)
			}
			events = append(events, entry.Kind+" "+entry.Agent+" "+body.Agent)
		}
	}
	return events
}
