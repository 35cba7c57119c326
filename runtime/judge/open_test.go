package judge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
)

const goodVectors = `,"vectors":[
	{"name":"allows under an even digit","call":"decide","config":{"v":"4"},"request":{},"result":{"outcome":"allow","reasons":[{"code":"a_4"}]}},
	{"name":"denies under an odd one","call":"decide","config":{"v":"5"},"request":{},"result":{"reasons":[{"code":"a_5"}]}},
	{"name":"the first again","call":"decide","config":{"v":"4"},"request":{},"result":{"outcome":"allow","reasons":[{"code":"a_4"}]}},
	{"name":"is configured","call":"configure","config":{},"request":{"config":"7b2276223a2236227d"},"result":{"ok":true}}]`

func TestAUseIsLoadedOnceAndFreedWithItsLastHolder(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	a, b := version(t, 'a', goodVectors), version(t, 'b', "")
	first := mustOpen(t, host, versioned(t, a, "2"))
	wantLoaded(t, host, 1, 1)
	again := mustOpen(t, host, versioned(t, a, "2"))
	wantLoaded(t, host, 1, 1)
	for _, step := range again.Steps() {
		if reads := step.Stage == StageRead || step.Stage == StageVerify; step.Shared == reads {
			t.Errorf("a second use of the same: %+v", step)
		}
	}
	other := mustOpen(t, host, versioned(t, a, "4"))
	wantLoaded(t, host, 1, 2)
	next := mustOpen(t, host, versioned(t, b, "2"))
	wantLoaded(t, host, 2, 3)
	for _, j := range []*Judge{first, first, other} { // a second Close of one holder is not another's
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	wantLoaded(t, host, 2, 2)
	if codes := codesOf(rule(t, again, ledger, caseOf(1)).Decision); !slices.Contains(codes, "versions/a_2") {
		t.Errorf("the judge that is left decides %v", codes)
	}
	if err := errors.Join(again.Close(), next.Close()); err != nil {
		t.Error(err)
	}
	wantLoaded(t, host, 0, 0)
	if codes := codesOf(rule(t, again, ledger, caseOf(1)).Decision); !slices.Contains(codes, "versions/closed") {
		t.Errorf("a closed judge decides %v, want a denial that says so", codes)
	}
	mustOpen(t, host, versioned(t, a, "2")) // and it loads anew
	wantLoaded(t, host, 1, 1)
}

// failingOpens are the ways in which each stage fails.
var failingOpens = map[string]struct {
	stage  Stage
	code   string
	module func(testing.TB) []byte
	config string
	edit   func(*Source)
}{
	"a module that is gone": {stage: StageRead, code: "internal", edit: func(s *Source) {
		s.Read = func(rules.Plugin) ([]byte, error) { return nil, errors.New("gone") }
	}},
	"another module": {stage: StageVerify, code: "plugin_digest_mismatch", edit: func(s *Source) {
		s.Read = func(rules.Plugin) ([]byte, error) { return []byte("another"), nil }
	}},
	"a signature that is not good": {stage: StageVerify, code: "signature_invalid", edit: func(s *Source) {
		s.Verify = func(context.Context, rules.Plugin, []byte) error {
			return &abi.Error{Code: "signature_invalid", Message: "not signed"}
		}
	}},
	"no module":                  {stage: StageInstall, code: "install_refused", module: func(testing.TB) []byte { return []byte("no module") }},
	"a configuration it refuses": {stage: StageConfigure, code: "configure_failed", config: "r"},
	"a vector with another answer": {stage: StageVectors, code: CodeVectorFailed, module: func(t testing.TB) []byte {
		return version(t, 'b', goodVectors)
	}},
	"a vector that traps": {stage: StageVectors, code: CodeVectorFailed, module: func(t testing.TB) []byte {
		return version(t, 'a', `,"vectors":[{"name":"v","call":"decide","config":{"v":"t"},"request":{},"result":{"outcome":"allow"}}]`)
	}},
	"a vector whose configuration is refused": {stage: StageVectors, code: CodeVectorFailed, module: func(t testing.TB) []byte {
		return version(t, 'a', `,"vectors":[{"name":"v","call":"decide","config":{"v":"r"},"request":{},"result":{"outcome":"allow"}}]`)
	}},
	"a vector with another configure result": {stage: StageVectors, code: CodeVectorFailed, module: func(t testing.TB) []byte {
		return version(t, 'a', `,"vectors":[{"name":"v","call":"configure","config":{},"request":{"config":"7b2276223a2272227d"},"result":{"ok":true}}]`)
	}},
}

func TestAStageThatFailsIsNamedAndTheOldJudgeServesOn(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	old := mustOpen(t, host, versioned(t, version(t, 'a', ""), "2"))
	for name, test := range failingOpens {
		t.Run(name, func(t *testing.T) {
			module, config := version(t, 'b', ""), "2"
			if test.module != nil {
				module = test.module(t)
			}
			if test.config != "" {
				config = test.config
			}
			path := versioned(t, module, config)
			compiled, err := policy.Load(path, policy.Options{})
			if err != nil {
				t.Fatal(err)
			}
			source := Source{Bundle: compiled.Bundle, Tokens: compiled.Tokens(), Read: func(rules.Plugin) ([]byte, error) { return module, nil }}
			if test.edit != nil {
				test.edit(&source)
			}
			j, err := Open(t.Context(), host, source)
			var failed *StageError
			if j != nil || !errors.As(err, &failed) || failed.Stage != test.stage || failed.Plugin != "versions" || failed.Policy != "test" || abi.CodeOf(err) != test.code {
				t.Errorf("%v: stage %+v with code %s, want %s with %s", err, failed, abi.CodeOf(err), test.stage, test.code)
			}
			wantLoaded(t, host, 1, 1)
			if codes := codesOf(rule(t, old, ledger, caseOf(1)).Decision); !slices.Contains(codes, "versions/a_2") {
				t.Errorf("the old judge decides %v", codes)
			}
		})
	}
}

func TestAFailedVectorIsNamedWithBothAnswers(t *testing.T) {
	_, err := openJudge(t, openHost(t), versioned(t, version(t, 'b', goodVectors), "2"))
	for _, want := range []string{"allows under an even digit", "a_4", "b_4", "vectors", "versions"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			var coded *abi.Error
			if errors.As(err, &coded) && strings.Contains(coded.Where, want) {
				continue
			}
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

func TestAnOpenWhoseTimeIsOverIsNoFailedVector(t *testing.T) {
	host := openHost(t)
	module := version(t, 'a', goodVectors)
	loaded, err := host.Load(t.Context(), Use{Module: module, Kind: abi.KindPolicy, Config: []byte(`{"v":"2"}`)})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := proveVectors(ended, loaded.module.plugin); abi.CodeOf(err) != abi.ReasonDeadline {
		t.Errorf("%v, want deadline", err)
	}
	if _, err := host.Load(ended, Use{Module: version(t, 'b', ""), Kind: abi.KindPolicy}); err == nil {
		t.Error("a caller whose time is over loaded a module")
	}
	wantLoaded(t, host, 1, 1)
}

func TestAPolicyWithPluginsWantsAHost(t *testing.T) {
	path := versioned(t, version(t, 'a', ""), "2")
	if _, err := openJudge(t, nil, path); err == nil {
		t.Error("opened without a host")
	}
	if _, err := openHost(t).Load(t.Context(), Use{Module: []byte("x"), Kind: abi.KindPolicy, Config: []byte("[1")}); err == nil {
		t.Error("a configuration that is no JSON was taken")
	}
	if _, err := openHost(t).Load(t.Context(), Use{Module: []byte("x"), Kind: abi.KindPolicy, Grants: []byte(`{"all":true}`)}); abi.CodeOf(err) != "grants_invalid" {
		t.Errorf("grants that nobody knows: %v", err)
	}
}
