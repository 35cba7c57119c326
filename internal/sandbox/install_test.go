package sandbox

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
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
		"loop_initialize": {CodeTimeLimit, Limits{StartTime: hurried}},
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
	_, err = Open(Config{Chain: Limits{CallTime: chainCallTimeMax + 1}})
	wantCode(t, err, CodeLimitWidened)
	_, err = Open(Config{Chain: Limits{CallTime: -1}})
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
	modest := withManifest(withoutManifest(t, "echo_policy"), `{"name":"g","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0","limits":{"memory_pages":256,"output_bytes":9}}`)
	p, err = h.Install(context.Background(), modest, abi.KindPolicy, everything)
	if err != nil {
		t.Fatal(err)
	}
	if l := p.Limits(); l.MemoryPages != 100 || l.OutputBytes != 9 {
		t.Errorf("limits %+v, want the host's 100 pages and the manifest's 9 bytes", l)
	}
}

// withoutManifest cuts the last section, which is the manifest in every guest of testdata.
func withoutManifest(t testing.TB, name string) []byte {
	t.Helper()
	wasm := guest(t, name)
	at := bytes.LastIndex(wasm, []byte(abi.ManifestSection))
	for cut := at - 1; cut > 0; cut-- {
		if wasm[cut] != sectionCustom {
			continue
		}
		c := &cursor{data: wasm[cut+1:]}
		if size := c.u32(); uint64(size) == uint64(len(c.data)-c.pos) {
			return wasm[:cut]
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
	huge := appendU32(nil, math.MaxUint32)
	oneFunction := appendSection(appendSection(preamble, sectionType, []byte{1, 0x60, 0, 0}), sectionFunction, []byte{1, 0})
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	cases := map[string][]byte{
		"types":            appendSection(preamble, sectionType, huge),
		"parameters":       appendSection(preamble, sectionType, join([]byte{1, 0x60}, huge)),
		"results":          appendSection(preamble, sectionType, join([]byte{1, 0x60, 0}, huge)),
		"recursive types":  appendSection(preamble, sectionType, join([]byte{1, 0x4e}, huge)),
		"imports":          appendSection(preamble, sectionImport, huge),
		"import name":      appendSection(preamble, sectionImport, join([]byte{1}, huge)),
		"functions":        appendSection(preamble, sectionFunction, huge),
		"tables":           appendSection(preamble, sectionTable, huge),
		"memories":         appendSection(preamble, sectionMemory, huge),
		"globals":          appendSection(preamble, sectionGlobal, huge),
		"exports":          appendSection(preamble, sectionExport, huge),
		"element segments": appendSection(preamble, sectionElement, huge),
		"elements":         appendSection(preamble, sectionElement, join([]byte{1, 1, 0}, huge)),
		"functions' code":  appendSection(preamble, sectionCode, huge),
		"body":             appendSection(oneFunction, sectionCode, join([]byte{1}, huge)),
		"locals":           appendSection(oneFunction, sectionCode, join([]byte{1, 8, 1}, huge, []byte{typeI32, opEnd})),
		"local groups":     appendSection(oneFunction, sectionCode, join([]byte{1, 7}, huge, []byte{typeI32, opEnd})),
		"branch targets":   appendSection(oneFunction, sectionCode, join([]byte{1, 8, 0, opBrTable}, huge, []byte{opEnd})),
		"function type":    appendSection(preamble, sectionFunction, []byte{1, 0}),
		"data segments":    appendSection(preamble, sectionData, huge),
		"data":             appendSection(preamble, sectionData, join([]byte{1, 1}, huge)),
		"data count":       appendSection(preamble, sectionDataCount, huge),
		"section":          join(preamble, []byte{sectionType}, huge),
		"tags":             appendSection(preamble, 13, huge),
		"empty":            {},
		"component":        {0, 'a', 's', 'm', 0x0d, 0, 1, 0},
		"17 MiB":           append(bytes.Clone(preamble), make([]byte, 17<<20)...),
	}
	for name, wasm := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := h.Install(context.Background(), wasm, abi.KindPolicy, Grants{})
			wantCode(t, err, CodeInstallRefused)
		})
	}
}

func TestTheNameSectionNeverReachesTheCompiler(t *testing.T) {
	// Four billion function names in a section of a few bytes: wazero would allocate room for them all.
	name := append([]byte{4, 'n', 'a', 'm', 'e', 1, 5}, appendU32(nil, math.MaxUint32)...)
	h := openHost(t, Config{})
	p, err := h.Install(context.Background(), appendSection(guest(t, "echo_policy"), sectionCustom, name), abi.KindPolicy, everything)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// oneFunctionModule wraps the code of one function with parameters of type i32.
func oneFunctionModule(parameters int, body []byte) []byte {
	signature := append(appendU32([]byte{1, typeFunction}, uint32(parameters)), bytes.Repeat([]byte{typeI32}, parameters)...)
	wasm := appendSection(preamble, sectionType, append(signature, 0))
	wasm = appendSection(wasm, sectionFunction, []byte{1, 0})
	wasm = appendSection(wasm, sectionMemory, []byte{1, 0, 1})
	return appendSection(wasm, sectionCode, append(appendU32([]byte{1}, uint32(len(body))), body...))
}

// TestCodeThatWouldHoldTheProcessIsRefused holds functions that wazero needs minutes or gigabytes to compile, or that
// run for minutes between two looks at the clock.
func TestCodeThatWouldHoldTheProcessIsRefused(t *testing.T) {
	repeat := func(n int, code ...byte) []byte { return bytes.Repeat(code, n) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	fill := []byte{opI32Const, 0, opI32Const, 0, opI32Const, 0, opPrefix, 0x8b, 0x00, 0} // memory.fill, padded
	locals := func(n uint32) []byte { return append(appendU32([]byte{1}, n), typeI32) }
	cases := []struct {
		name, word string
		parameters int
		body       []byte
	}{
		{"bulk operations in a row", "bulk", 0, join([]byte{0}, bytes.Repeat(fill, bulkOperationsMax+1), repeat(1, opEnd))},
		{"nested loops", "compiling", 0, join([]byte{0}, repeat(30_000, opLoop, 0x40), repeat(30_001, opEnd))},
		{"ifs in a row", "compiling", 0, join([]byte{0}, repeat(30_000, opI32Const, 0, opIf, 0x40, opEnd), repeat(1, opEnd))},
		{"loops over locals", "compiling", 0, join(locals(1000), repeat(1000, opLoop, 0x40), repeat(1001, opEnd))},
		{"loops over parameters", "compiling", 100, join([]byte{0}, repeat(10_000, opLoop, 0x40), repeat(10_001, opEnd))},
		{"a branch table", "compiling", 0, join([]byte{0, opI32Const, 0, opBrTable}, appendU32(nil, 60_000), repeat(60_001, 0), repeat(1, opEnd))},
		{"locals", "locals", 0, join(locals(localsMax+1), repeat(1, opEnd))},
		{"length", "bytes", 0, join([]byte{0}, repeat(functionBodyBytesMax, 1), repeat(1, opEnd))},
		{"an unknown opcode", "opcode 0xfd", 0, []byte{0, 0xfd, 0, opEnd}},
		{"an unknown bulk opcode", "opcode 0xfc 18", 0, []byte{0, opPrefix, 18, opEnd}},
		{"a cut immediate", "truncated", 0, []byte{0, opF64Const, 0, opEnd}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := scan(oneFunctionModule(c.parameters, c.body))
			wantCode(t, err, CodeInstallRefused)
			if err != nil && !strings.Contains(err.Error(), c.word) {
				t.Errorf("refused, but not for %q: %v", c.word, err)
			}
		})
	}
	if _, err := scan(oneFunctionModule(2, join(locals(50), repeat(100, opLoop, 0x40), repeat(101, opEnd)))); err != nil {
		t.Errorf("an honest function: %v", err)
	}
}
