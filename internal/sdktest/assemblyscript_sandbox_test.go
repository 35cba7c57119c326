package sdktest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/internal/toolchain"
)

// echoSettings configure the echo adapter.
const echoSettings = `{"schemes":[],"text":"","flag":false,"uint":0,"amount":"0"}`

// sandboxed is a plugin in a host of its own.
type sandboxed struct {
	host     *sandbox.Host
	module   []byte
	manifest *abi.Manifest
}

func newSandboxed(t *testing.T, plugin []byte) sandboxed {
	t.Helper()
	outline, err := toolchain.ReadOutline(plugin)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := abi.ParseManifest(outline.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	host, err := sandbox.Open(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return sandboxed{host, plugin, manifest}
}

func (s sandboxed) configure(t *testing.T, config string) (*sandbox.Configured, error) {
	t.Helper()
	plugin, err := s.host.Install(t.Context(), s.module, s.manifest.Kind, sandbox.Grants{RPCMethods: s.manifest.RPCMethods})
	if err != nil {
		return nil, err
	}
	guest, answer, err := plugin.Configure(t.Context(), configureBytes(t, []byte(config)))
	if err != nil {
		return nil, err
	}
	var result abi.ConfigureResult
	if err := result.Unmarshal(answer); err != nil {
		return nil, err
	}
	if !result.Ok {
		return nil, &abi.Error{Code: abi.ReasonConfigureFailed, Message: fmt.Sprintf("refused: %v", result.Problems)}
	}
	return guest, nil
}

func (s sandboxed) configured(t *testing.T, config string) *sandbox.Configured {
	t.Helper()
	guest, err := s.configure(t, config)
	if err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return guest
}

// givesItsVectors calls the plugin with every vector of its manifest and compares the bytes.
func (s sandboxed) givesItsVectors(t *testing.T) {
	if len(s.manifest.Vectors) == 0 {
		t.Fatal("the manifest has no vectors")
	}
	for _, v := range s.manifest.Vectors {
		call, _ := s.manifest.Kind.Call(v.Call)
		request := bytesOf(t, call.Request, v.Request)
		want := bytesOf(t, call.Result, v.Result)
		result, err := s.configured(t, string(v.Config)).Call(t.Context(), sandbox.Call{Export: call.Export, Request: request})
		if err != nil || !bytes.Equal(result.Bytes, want) {
			t.Errorf("%s: %v\n got %q\nwant %q", v.Name, err, result.Bytes, want)
		}
		if v.Name == s.manifest.Vectors[0].Name {
			t.Logf("%s: %d fuel, %d pages", v.Name, result.Fuel, result.MemoryPages)
		}
	}
}

// refusesDamage sends requests that no decoder takes: none may get a result, and the plugin must go on answering.
func (s sandboxed) refusesDamage(t *testing.T) {
	guest := s.configured(t, string(s.manifest.Vectors[0].Config))
	for _, call := range s.manifest.Kind.Calls()[1:] {
		for name, damaged := range map[string][]byte{
			"an unfinished varint":    {0x80},
			"a long varint":           {0x88, 0x00, 0x01},
			"field 0":                 {0x00, 0x01},
			"a fixed64":               {0x09, 1, 2, 3, 4, 5, 6, 7, 8},
			"a length behind the end": {0x0a, 0x7f, 0x00},
			"fields that descend":     {0xa2, 0x06, 0x00, 0x9a, 0x06, 0x00},
			"as long as can be":       bytes.Repeat([]byte{0xff}, abi.PolicyInputBytesMax),
		} {
			if result, err := guest.Call(t.Context(), sandbox.Call{Export: call.Export, Request: damaged}); abi.CodeOf(err) != "bad_result" {
				t.Errorf("%s, %s: %q, %v", call.Name, name, result.Bytes, err)
			}
		}
	}
	s.givesItsVectors(t)
}

func bytesOf(t *testing.T, message string, view []byte) []byte {
	t.Helper()
	m := abi.NewMessage(message)
	if err := m.UnmarshalJSON(view); err != nil {
		t.Fatal(err)
	}
	wire, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// importsAndExports compares with what the ABI allows: the log, or nothing.
func importsAndExports(t *testing.T, module []byte, kind abi.Kind, imports ...string) {
	t.Helper()
	outline, err := toolchain.ReadOutline(module)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range outline.Imports {
		got = append(got, strings.Join([]string{i.Module, i.Name}, "."))
	}
	if strings.Join(got, " ") != strings.Join(imports, " ") {
		t.Errorf("imports %q, want %q", got, imports)
	}
	want := map[string]bool{abi.ExportMemory: true, abi.ExportInitialize: true, abi.ExportVersion: true, abi.ExportAlloc: true}
	for _, call := range kind.Calls() {
		want[call.Export] = true
	}
	for _, e := range outline.Exports {
		if !want[e.Name] {
			t.Errorf("exports %s", e.Name)
		}
		delete(want, e.Name)
	}
	if len(want) > 0 {
		t.Errorf("lacks the exports %v", want)
	}
}

func (s sandboxed) policyDeniesWhatIsIncomplete(t *testing.T) {
	guest := s.configured(t, `{"ceiling":"50000"}`)
	for _, request := range []abi.DecideRequest{
		{},
		{Quote: &abi.Quote{}, Agent: &abi.Agent{}},
		{Intent: &abi.Intent{}, Agent: &abi.Agent{}},
		{Intent: &abi.Intent{}, Quote: &abi.Quote{}},
	} {
		wire, err := request.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := guest.Call(t.Context(), sandbox.Call{Export: abi.ExportDecide, Request: wire})
		if err != nil {
			t.Fatal(err)
		}
		var result abi.DecideResult
		if err := result.Unmarshal(got.Bytes); err != nil || result.Outcome != abi.Deny || len(result.Reasons) != 1 || result.Reasons[0].Code != "request_incomplete" {
			t.Errorf("%+v: %+v, %v", request, result, err)
		}
	}
}

// reportsSettings gives wrong settings and looks for the pointer and the fault in what the host reports.
func reportsSettings(t *testing.T, s sandboxed, wrong map[string]string) {
	t.Helper()
	for config, want := range wrong {
		guest, err := s.configure(t, config)
		if guest != nil || abi.CodeOf(err) != "configure_failed" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

func (s sandboxed) echoReportsSettings(t *testing.T) {
	with := func(setting, value string) string {
		start := strings.Index(echoSettings, `"`+setting+`":`) + len(setting) + 3
		end := start + strings.IndexAny(echoSettings[start:], ",}")
		return echoSettings[:start] + value + echoSettings[end:]
	}
	reportsSettings(t, s, map[string]string{
		`{}`:                                "{/schemes is missing}",
		with("schemes", `"a"`):              "{/schemes must be of type array}",
		with("schemes", `["a",1]`):          "{/schemes/1 must be a string}",
		with("text", `1`):                   "{/text must be of type string}",
		with("flag", `"true"`):              "{/flag must be of type bool}",
		with("uint", `"1"`):                 "{/uint must be of type number}",
		with("uint", `-1`):                  "{/uint must not be negative}",
		with("amount", `1`):                 "{/amount must be of type string}",
		with("amount", `"01"`):              "{/amount amount is not a plain decimal integer",
		with("amount", `"0","more":1`):      "{/more is not a setting of this plugin}",
		with("amount", `"0","forbidden":1`): "{/forbidden is forbidden}",
		with("schemes", `[`+strings.Repeat("1,", 200)+`1]`): "{/schemes/63 must be a string}]",
	})
}

// logs calls the adapter so that it logs a line.
func (s sandboxed) logs(t *testing.T) {
	result, err := s.configured(t, echoSettings).Call(t.Context(), sandbox.Call{
		Export: abi.ExportBuild, Request: bytesOf(t, "BuildRequest", []byte(`{"intent": {}, "quote": {}}`)),
	})
	if err != nil || len(result.Log) != 1 || result.Log[0].Text != "nothing to pay ❗" {
		t.Errorf("%+v, %v", result.Log, err)
	}
}

// traps calls what ends in the compiler's abort, or would without the SDK's. The log says why, with the place.
func (s sandboxed) traps(t *testing.T) {
	guest := s.configured(t, echoSettings)
	for payload, says := range []string{1: "abort: a thrown error (", 2: "abort: a failed assertion (", 3: "abort: Index out of range (", 4: "abort: Unexpected 'null'"} {
		if says == "" {
			continue
		}
		wire, err := (&abi.FactsRequest{Payload: []byte{byte(payload)}}).Marshal() // #nosec G115 -- below 5
		if err != nil {
			t.Fatal(err)
		}
		if result, err := guest.Call(t.Context(), sandbox.Call{Export: abi.ExportFacts, Request: wire}); abi.CodeOf(err) != "trap" || len(result.Log) != 1 || !strings.HasPrefix(result.Log[0].Text, says) {
			t.Errorf("payload %d: %q, %v, %+v, want a trap that says %q", payload, result.Bytes, err, result.Log, says)
		}
	}
}

// fitsTheLargestRequest sends as many elements, in as many bytes, as a request may have.
func (s sandboxed) fitsTheLargestRequest(t *testing.T) {
	request := &abi.BuildRequest{
		Intent:  &abi.Intent{Amount: abi.NewAmount(1)},
		Quote:   &abi.Quote{Extra: make([]abi.JSONEntry, abi.WireRepeatedMax)},
		Answers: make([]abi.Answer, abi.WireRepeatedMax),
	}
	for i := range abi.WireRepeatedMax {
		request.Quote.Extra[i] = abi.JSONEntry{Text: "x"}
	}
	small, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	request.Intent.Purpose = strings.Repeat("a", abi.ChainInputBytesMax-len(small)-20)
	wire, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.configured(t, echoSettings).Call(t.Context(), sandbox.Call{Export: abi.ExportBuild, Request: wire})
	if err != nil || result.MemoryPages > abi.PolicyMemoryPagesMax {
		t.Errorf("%d bytes: %v", len(wire), err)
	}
	t.Logf("%d bytes: %d fuel, %d pages", len(wire), result.Fuel, result.MemoryPages)
}
