package judge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

func priceSanity(t testing.TB) string {
	t.Helper()
	module := bundled(t, "price-sanity")
	return writePolicy(t, map[string][]byte{"price-sanity": module}, fmt.Sprintf(
		"    plugins: [{use: price-sanity.wasm, sha256: %x, config: {ceiling: \"30000000\", samples_min: 1, first_max: \"10000000\"}, grants: {facts: [quotes]}}]\n",
		sha256.Sum256(module)))
}

func TestARecordedRequestGivesTheSameDecisionBytesOnAFreshJudge(t *testing.T) {
	path := priceSanity(t)
	first, ledger := mustJudge(t, path), openLedger(t)
	for _, dollars := range []uint64{1, 15, 25, 31, 55, 65} { // allowed, held and denied, by rules and by the plugin
		c := caseOf(dollars)
		recorded := rule(t, first, ledger, c).Decision
		want, err := recorded.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again := mustJudge(t, path)
		policy, ok := again.Bundle().For(c.Intent.Agent)
		if !ok {
			t.Fatal("no policy")
		}
		var request abi.DecideRequest
		if err := request.Unmarshal(recorded.Request); err != nil {
			t.Fatal(err)
		}
		replayed := again.Decide(t.Context(), policy, &request, recorded.Request)
		replayed.Side = recorded.Side
		got, err := replayed.Marshal()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d dollars: %v\n%s", dollars, err, cmp.Diff(recorded, replayed))
		}
		if len(recorded.Verdicts) < 2 || recorded.Verdicts[1].Run == nil || len(recorded.Verdicts[1].Run.ModuleSHA256) != sha256.Size {
			t.Errorf("%d dollars: the plugin's run is not recorded: %+v", dollars, recorded.Verdicts)
		}
	}
}

func TestTheStrictestVerdictWinsAndEveryReasonIsKept(t *testing.T) {
	j, ledger := mustJudge(t, priceSanity(t)), openLedger(t)
	for dollars, want := range map[uint64]struct {
		outcome abi.Outcome
		codes   []string
	}{
		1:  {abi.Allow, []string{"rules/allowed"}},
		15: {abi.Hold, []string{"price-sanity/first_price_above_max"}},
		25: {abi.Hold, []string{"rules/approval_required", "price-sanity/first_price_above_max"}},
		31: {abi.Deny, []string{"price-sanity/price_above_ceiling"}},
		55: {abi.Deny, []string{"rules/over_max_transaction", "price-sanity/price_above_ceiling"}},
	} {
		ruling := rule(t, j, ledger, caseOf(dollars))
		codes := codesOf(ruling.Decision)
		for _, code := range want.codes {
			if !slices.Contains(codes, code) {
				t.Errorf("%d dollars: codes %v lack %s", dollars, codes, code)
			}
		}
		if ruling.Decision.Outcome != want.outcome || (len(ruling.Reserve) > 0) != (want.outcome == abi.Allow) {
			t.Errorf("%d dollars: %s with %d reservations, want %s", dollars, ruling.Decision.Outcome, len(ruling.Reserve), want.outcome)
		}
	}
}

func TestWhateverAPluginDoesWrongDeniesWithItsCode(t *testing.T) {
	module := buildHostile(t)
	host, ledger := openHost(t), openLedger(t)
	for _, test := range []struct {
		does, code string
		outcome    abi.Outcome
	}{
		{"do-nothing", "", abi.Allow},
		{"do-loop", "fuel_exhausted", abi.Deny},
		{"do-trap", "trap", abi.Deny},
		{"do-grow", "trap", abi.Deny},
		{"do-garbage", "bad_result", abi.Deny},
		{"do-trailing", "bad_result", abi.Deny},
		{"do-outside", "bad_result", abi.Deny},
		{"do-fail", "bad_result", abi.Deny},
		{"do-huge", "output_too_large", abi.Deny},
		{"do-empty", "reason_missing", abi.Deny},
	} {
		t.Run(test.does, func(t *testing.T) {
			path := writePolicy(t, map[string][]byte{"hostile": module},
				fmt.Sprintf("    plugins: [{use: hostile.wasm, sha256: %x, config: {what: %s}}]\n", sha256.Sum256(module), test.does))
			j, err := openJudge(t, host, path)
			if err != nil {
				t.Fatal(err)
			}
			ruling := rule(t, j, ledger, caseOf(1))
			if ruling.Decision.Outcome != test.outcome || test.outcome == abi.Deny && len(ruling.Reserve) != 0 {
				t.Fatalf("got %+v", ruling)
			}
			if codes := codesOf(ruling.Decision); test.outcome == abi.Deny && len(codes) == 0 ||
				test.code != "" && !slices.Contains(codes, "hostile/"+test.code) {
				t.Errorf("codes %v, want hostile/%s", codes, test.code)
			}
		})
	}
}

func TestAPluginThatIsNotLoadedDenies(t *testing.T) {
	j, ledger := mustJudge(t, priceSanity(t)), openLedger(t)
	j.guests = nil
	ruling := rule(t, j, ledger, caseOf(1))
	if codes := codesOf(ruling.Decision); ruling.Decision.Outcome != abi.Deny || !slices.Contains(codes, "price-sanity/plugin_missing") {
		t.Errorf("%s %v", ruling.Decision.Outcome, codes)
	}
}

func TestACallerWhoseTimeIsOverGetsNoAllow(t *testing.T) {
	j, ledger := mustJudge(t, priceSanity(t)), openLedger(t)
	c := caseOf(1)
	recorded := rule(t, j, ledger, c).Decision
	policy, _ := j.Bundle().For(c.Intent.Agent)
	var request abi.DecideRequest
	if err := request.Unmarshal(recorded.Request); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	decision := j.Decide(ended, policy, &request, recorded.Request)
	if codes := codesOf(decision); decision.Outcome != abi.Deny || !slices.Contains(codes, "price-sanity/deadline") {
		t.Errorf("%s %v", decision.Outcome, codes)
	}
}

func TestAJudgeIsNotOpenedOverAModuleThatIsNotThePinnedOne(t *testing.T) {
	honest, adapter := bundled(t, "price-sanity"), bundled(t, "chain-evm")
	for name, test := range map[string]struct {
		module []byte
		entry  string
		code   string
	}{
		"another digest":             {honest, fmt.Sprintf("sha256: %x, config: {ceiling: \"1\"}, grants: {facts: [quotes]}", sha256.Sum256(adapter)), "plugin_digest_mismatch"},
		"a chain adapter":            {adapter, fmt.Sprintf("sha256: %x", sha256.Sum256(adapter)), "install_refused"},
		"a fact that nobody granted": {honest, fmt.Sprintf("sha256: %x, config: {ceiling: \"1\"}", sha256.Sum256(honest)), "grant_missing"},
		"a configuration it refuses": {honest, fmt.Sprintf("sha256: %x, config: {ceiling: \"0\"}, grants: {facts: [quotes]}", sha256.Sum256(honest)), "configure_failed"},
		"bytes that are no module":   {[]byte("no"), fmt.Sprintf("sha256: %x", sha256.Sum256([]byte("no"))), "install_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writePolicy(t, map[string][]byte{"plugin": test.module}, "    plugins: [{use: plugin.wasm, "+test.entry+"}]\n")
			_, err := openJudge(t, openHost(t), path)
			if got := abi.CodeOf(err); got != test.code {
				t.Errorf("code %q, want %q: %v", got, test.code, err)
			}
		})
	}
}

func TestAnAgentWithoutAPolicyIsDenied(t *testing.T) {
	j, ledger := mustJudge(t, priceSanity(t)), openLedger(t)
	c := caseOf(1)
	c.Intent.Agent = "stranger"
	ruling := rule(t, j, ledger, c)
	if ruling.Decision.Outcome != abi.Deny || !slices.Contains(codesOf(ruling.Decision), "rules/"+abi.ReasonNoPolicy) {
		t.Errorf("%+v", ruling)
	}
	if j.ValidityMax("stranger") != 0 || j.ValidityMax("shopper") == 0 {
		t.Error("an agent without a policy has a validity")
	}
}

func TestALedgerThatDoesNotAnswerIsAnErrorAndNotADecision(t *testing.T) {
	j, ledger := mustJudge(t, priceSanity(t)), openLedger(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if ruling, err := j.Rule(ended, ledger, caseOf(1)); err == nil || ruling.Decision.Outcome == abi.Allow {
		t.Errorf("%+v, %v", ruling, err)
	}
}

func TestAnIntentThatIsNotItsQuoteIsDenied(t *testing.T) {
	j, ledger := mustJudge(t, priceSanity(t)), openLedger(t)
	for name, edit := range map[string]func(*Case){
		"amount":  func(c *Case) { c.Quote.Amount = abi.NewAmount(1) },
		"payee":   func(c *Case) { c.Quote.Payee = "0x2222222222222222222222222222222222222222" },
		"asset":   func(c *Case) { c.Quote.Asset = "eip155:8453/erc20:0x2222222222222222222222222222222222222222" },
		"network": func(c *Case) { c.Quote.Network = "eip155:1" },
		"scheme":  func(c *Case) { c.Quote.Scheme = "upto" },
	} {
		c := caseOf(1)
		edit(&c)
		if ruling := rule(t, j, ledger, c); ruling.Decision.Outcome != abi.Deny || len(ruling.Reserve) != 0 {
			t.Errorf("%s: %s", name, ruling.Decision.Outcome)
		}
	}
}

// A full meter denies before anything is reserved, whoever asks the judge.
func TestASpentBudgetDenies(t *testing.T) {
	j, ledger := mustJudge(t, priceSanity(t)), openLedger(t)
	c := caseOf(10)
	for n := range 6 { // 60 dollars, the whole day
		ruling := rule(t, j, ledger, c)
		if ruling.Decision.Outcome != abi.Allow {
			t.Fatalf("payment %d: %v", n, codesOf(ruling.Decision))
		}
		id := PaymentID("default", "shopper", fmt.Sprintf("key-%08d", n))
		row, _, err := ledger.Insert(t.Context(), store.Row{Tenant: "default", Agent: "shopper", ID: id, Key: fmt.Sprintf("key-%08d", n), State: "a", Body: []byte("{}")},
			store.Entry{Kind: "test", Payment: id, Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Commit(t.Context(), store.Change{
			Tenant: "default", ID: id, Version: row.Version, State: "b", Body: []byte("{}"), Reserve: ruling.Reserve,
			Entry: store.Entry{Kind: "test", Payment: id, Body: []byte("{}")},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if ruling := rule(t, j, ledger, c); ruling.Decision.Outcome != abi.Deny || !slices.Contains(codesOf(ruling.Decision), "rules/"+abi.ReasonBudgetExceeded) {
		t.Errorf("%s %v", ruling.Decision.Outcome, codesOf(ruling.Decision))
	}
}
