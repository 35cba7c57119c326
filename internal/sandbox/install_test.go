package sandbox

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

func TestInstallRefusesByNameWhatBreaksTheContract(t *testing.T) {
	h := openHost(t, Config{})
	cases := []struct {
		guest, code, where string
	}{
		{"missing_export", CodeInstallRefused, "purser_policy_decide"},
		{"wrong_signature", CodeInstallRefused, "purser_policy_decide"},
		{"extra_import", CodeInstallRefused, "wasi_snapshot_preview1.sock_open"},
		{"import_signature", CodeInstallRefused, "purser_host_1.log"},
		{"import_global", CodeInstallRefused, "purser_host_1.fuel"},
		{"imported_memory", CodeInstallRefused, "env.memory"},
		{"shared_memory", CodeInstallRefused, "memory"},
		{"two_memory_names", CodeInstallRefused, "memory"},
		{"hidden_memory", CodeInstallRefused, "memory"},
		{"no_memory", CodeInstallRefused, "memory"},
		{"big_memory", CodeInstallRefused, "memory"},
		{"big_memory_max", CodeInstallRefused, "memory"},
		{"big_table", CodeInstallRefused, "section table"},
		{"two_kinds", CodeInstallRefused, "purser_chain_build"},
		{"start_section", CodeInstallRefused, "section start"},
		{"command", CodeInstallRefused, "_start"},
		{"simd", CodeInstallRefused, "function 3"},
		{"next_abi", CodeABIUnsupported, "purser_abi_1"},
		{"newer_minor", CodeABIUnsupported, "purser_abi_1"},
		{"two_manifests", CodeManifestInvalid, "purser.manifest"},
		{"no_manifest", CodeManifestInvalid, "purser.manifest"},
		{"trap_initialize", CodeInstallRefused, "purser_abi_1"},
		{"trap_abi", CodeInstallRefused, "purser_abi_1"},
	}
	for _, c := range cases {
		t.Run(c.guest, func(t *testing.T) {
			p, err := h.Install(context.Background(), guest(t, c.guest), abi.KindPolicy, everything)
			if p != nil {
				t.Error("got a plugin")
			}
			wantCode(t, err, c.code)
			var e *abi.Error
			if errors.As(err, &e) && e.Where != c.where {
				t.Errorf("names %q, want %q: %v", e.Where, c.where, err)
			}
		})
	}
	if len(h.plugins) != 0 {
		t.Errorf("%d refused plugins are still held", len(h.plugins))
	}
}

func TestAFailureAtStartKeepsItsReason(t *testing.T) {
	cases := map[string]struct {
		code   string
		limits Limits
	}{
		"trap_initialize": {CodeTrap, Limits{}},
		"loop_initialize": {CodeFuelExhausted, Limits{StartFuel: 1_000_000}},
	}
	for name, c := range cases {
		h := openHost(t, Config{Policy: c.limits})
		_, err := h.Install(context.Background(), guest(t, name), abi.KindPolicy, Grants{})
		wantCode(t, err, CodeInstallRefused)
		code := c.code
		if !errors.Is(err, &abi.Error{Code: code}) {
			t.Errorf("%s: %v does not contain %s", name, err, code)
		}
	}
}

func TestAPolicyIsNoChainAdapterAndTheReverse(t *testing.T) {
	h := openHost(t, Config{})
	for name, kind := range map[string]abi.Kind{"echo_policy": abi.KindChain, "echo_chain": abi.KindPolicy, "hostile": "wallet"} {
		_, err := h.Install(context.Background(), guest(t, name), kind, everything)
		want := CodeInstallRefused
		if kind == "wallet" {
			want = CodeInputInvalid
		}
		wantCode(t, err, want)
	}
	// The manifest can lie about the kind; the exports cannot.
	lying := withManifest(withoutManifest(t, "echo_chain"), goGuestManifest)
	_, err := h.Install(context.Background(), lying, abi.KindPolicy, Grants{})
	wantCode(t, err, CodeInstallRefused)
	if err == nil || !strings.Contains(err.Error(), "purser_policy_decide") {
		t.Errorf("not refused for its exports: %v", err)
	}
}

func TestAMissingGrantRefusesToLoad(t *testing.T) {
	h := openHost(t, Config{})
	_, err := h.Install(context.Background(), guest(t, "echo_policy"), abi.KindPolicy, Grants{Facts: []string{"quote"}})
	wantCode(t, err, CodeGrantMissing)
	_, err = h.Install(context.Background(), guest(t, "echo_chain"), abi.KindChain, Grants{RPCMethods: []string{"eth_call"}})
	wantCode(t, err, CodeGrantMissing)
}

func TestLimitsNarrowAndNeverWiden(t *testing.T) {
	_, err := Open(Config{Policy: Limits{MemoryPages: abi.PolicyMemoryPagesMax + 1}})
	wantCode(t, err, CodeLimitWidened)
	_, err = Open(Config{Chain: Limits{Fuel: abi.ChainFuelMax + 1}})
	wantCode(t, err, CodeLimitWidened)

	h := openHost(t, Config{Policy: Limits{MemoryPages: 100}})
	grants := everything
	grants.Limits.MemoryPages = 101
	_, err = h.Install(context.Background(), guest(t, "echo_policy"), abi.KindPolicy, grants)
	wantCode(t, err, CodeLimitWidened)
	grants.Limits.MemoryPages = 50
	p, err := h.Install(context.Background(), guest(t, "echo_policy"), abi.KindPolicy, grants)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Limits().MemoryPages; got != 50 {
		t.Errorf("%d pages, want the grant's 50", got)
	}
	greedy := withManifest(withoutManifest(t, "echo_policy"), `{"name":"g","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0","limits":{"memory_pages":257}}`)
	_, err = h.Install(context.Background(), greedy, abi.KindPolicy, everything)
	wantCode(t, err, CodeManifestInvalid)
	modest := withManifest(withoutManifest(t, "echo_policy"), `{"name":"g","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0","limits":{"fuel":7000,"memory_pages":256,"output_bytes":9}}`)
	p, err = h.Install(context.Background(), modest, abi.KindPolicy, everything)
	if err != nil {
		t.Fatal(err)
	}
	if l := p.Limits(); l.MemoryPages != 100 || l.OutputBytes != 9 || l.Fuel != 7000 {
		t.Errorf("limits %+v, want the host's 100 pages and the manifest's fuel and 9 bytes", l)
	}
}

// withoutManifest cuts the last section, which is the manifest in every guest of testdata.
func withoutManifest(t testing.TB, name string) []byte {
	t.Helper()
	module := guest(t, name)
	at := bytes.LastIndex(module, []byte(abi.ManifestSection))
	for cut := at - 1; cut > 0; cut-- {
		if module[cut] != wasm.SectionCustom {
			continue
		}
		c := &wasm.Cursor{Data: module[cut+1:]}
		if size := c.U32(); uint64(size) == uint64(c.Left()) {
			return module[:cut]
		}
	}
	t.Fatalf("%s has no manifest at its end", name)
	return nil
}

func TestIdentityChangesWithModuleConfigurationAndGrants(t *testing.T) {
	h := openHost(t, Config{})
	p := install(t, h, "echo_policy")
	again := install(t, h, "echo_policy")
	if p.Identity() != again.Identity() {
		t.Error("two installs of one module differ")
	}
	if p.Identity().Module == install(t, h, "hostile").Identity().Module {
		t.Error("two modules have one hash")
	}
	a, b := configure(t, p, "a"), configure(t, p, "b")
	if a.Identity() == b.Identity() || a.Identity() == p.Identity() {
		t.Error("the configuration is not in the identity")
	}
	wide := everything
	wide.Facts = append([]string{"payee", "quotes"}, wide.Facts...)
	other, err := h.Install(context.Background(), guest(t, "echo_policy"), abi.KindPolicy, wide)
	if err != nil {
		t.Fatal(err)
	}
	if other.Identity().Grants == p.Identity().Grants {
		t.Error("the grants are not in the identity")
	}
	ordered, err1 := Grants{Facts: []string{"a", "b"}}.hash()
	shuffled, err2 := Grants{Facts: []string{"b", "a", "b"}, RPCMethods: []string{}}.hash()
	if err1 != nil || err2 != nil || ordered != shuffled {
		t.Errorf("order, repetition or an empty list changes the grants' hash: %v %v", err1, err2)
	}
}

func TestTheManifestComesBackAsItWas(t *testing.T) {
	p := install(t, openHost(t, Config{}), "echo_chain")
	m := p.Manifest()
	if m.Name != "echo-chain" || m.Kind != abi.KindChain || len(m.RPCMethods) != 2 {
		t.Errorf("manifest %+v", m)
	}
	if !bytes.Contains(guest(t, "echo_chain"), p.ManifestBytes()) || len(p.ManifestBytes()) == 0 {
		t.Error("the manifest's bytes are not those of the module")
	}
}

// TestClaimedLengthsAreBoundedBeforeTheyAreAllocated feeds counts of four billion to each vector of the format. An
// unbounded one ends the whole process, not the test.
func TestClaimedLengthsAreBoundedBeforeTheyAreAllocated(t *testing.T) {
	h := openHost(t, Config{})
	huge := wasm.AppendU32(nil, math.MaxUint32)
	oneFunction := appendSection(appendSection([]byte(wasm.Preamble), wasm.SectionType, []byte{1, 0x60, 0, 0}), wasm.SectionFunction, []byte{1, 0})
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	cases := map[string][]byte{
		"types":            appendSection([]byte(wasm.Preamble), wasm.SectionType, huge),
		"parameters":       appendSection([]byte(wasm.Preamble), wasm.SectionType, join([]byte{1, 0x60}, huge)),
		"results":          appendSection([]byte(wasm.Preamble), wasm.SectionType, join([]byte{1, 0x60, 0}, huge)),
		"recursive types":  appendSection([]byte(wasm.Preamble), wasm.SectionType, join([]byte{1, 0x4e}, huge)),
		"imports":          appendSection([]byte(wasm.Preamble), wasm.SectionImport, huge),
		"import name":      appendSection([]byte(wasm.Preamble), wasm.SectionImport, join([]byte{1}, huge)),
		"functions":        appendSection([]byte(wasm.Preamble), wasm.SectionFunction, huge),
		"tables":           appendSection([]byte(wasm.Preamble), wasm.SectionTable, huge),
		"memories":         appendSection([]byte(wasm.Preamble), wasm.SectionMemory, huge),
		"globals":          appendSection([]byte(wasm.Preamble), wasm.SectionGlobal, huge),
		"exports":          appendSection([]byte(wasm.Preamble), wasm.SectionExport, huge),
		"element segments": appendSection([]byte(wasm.Preamble), wasm.SectionElement, huge),
		"elements":         appendSection([]byte(wasm.Preamble), wasm.SectionElement, join([]byte{1, 1, 0}, huge)),
		"functions' code":  appendSection([]byte(wasm.Preamble), wasm.SectionCode, huge),
		"body":             appendSection(oneFunction, wasm.SectionCode, join([]byte{1}, huge)),
		"locals":           appendSection(oneFunction, wasm.SectionCode, join([]byte{1, 8, 1}, huge, []byte{wasm.TypeI32, wasm.OpEnd})),
		"local groups":     appendSection(oneFunction, wasm.SectionCode, join([]byte{1, 7}, huge, []byte{wasm.TypeI32, wasm.OpEnd})),
		"branch targets":   appendSection(oneFunction, wasm.SectionCode, join([]byte{1, 8, 0, wasm.OpBrTable}, huge, []byte{wasm.OpEnd})),
		"function type":    appendSection([]byte(wasm.Preamble), wasm.SectionFunction, []byte{1, 0}),
		"data segments":    appendSection([]byte(wasm.Preamble), wasm.SectionData, huge),
		"data":             appendSection([]byte(wasm.Preamble), wasm.SectionData, join([]byte{1, 1}, huge)),
		"data count":       appendSection([]byte(wasm.Preamble), wasm.SectionDataCount, huge),
		"section":          join([]byte(wasm.Preamble), []byte{wasm.SectionType}, huge),
		"tags":             appendSection([]byte(wasm.Preamble), 13, huge),
		"empty":            {},
		"component":        {0, 'a', 's', 'm', 0x0d, 0, 1, 0},
		"17 MiB":           append(bytes.Clone([]byte(wasm.Preamble)), make([]byte, 17<<20)...),
	}
	for name, module := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := h.Install(context.Background(), module, abi.KindPolicy, Grants{})
			wantCode(t, err, CodeInstallRefused)
		})
	}
}

func TestTheNameSectionNeverReachesTheCompiler(t *testing.T) {
	// Four billion function names in a section of a few bytes: wazero would allocate room for them all.
	name := append([]byte{4, 'n', 'a', 'm', 'e', 1, 5}, wasm.AppendU32(nil, math.MaxUint32)...)
	h := openHost(t, Config{})
	p, err := h.Install(context.Background(), appendSection(guest(t, "echo_policy"), wasm.SectionCustom, name), abi.KindPolicy, everything)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
