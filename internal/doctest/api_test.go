package doctest

import (
	"encoding/json"
	"go/ast"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/settle"
)

func TestEveryMethodAndRouteIsInTheTable(t *testing.T) {
	table := section(t, read(t, "docs/api.md"), "## Methods")
	documented := spans(table)
	known := append(mapKeys(t, "runtime/gateway", "methods"), mapKeys(t, "runtime/gateway", "routes")...)
	for _, name := range known {
		if !slices.Contains(documented, name) {
			t.Errorf("docs/api.md, Methods, does not list %s", name)
		}
	}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1]+cells[2], "`") {
			continue
		}
		for _, name := range spans(cells[1] + cells[2]) {
			if name != "subscribe" && !slices.Contains(known, name) { // the socket serves subscribe itself
				t.Errorf("docs/api.md lists %s, which the gateway does not know", name)
			}
		}
	}
}

// TestCallsInTheDocumentsAreCalls decodes the examples as strictly as the gateway does.
func TestCallsInTheDocumentsAreCalls(t *testing.T) {
	methods := append(mapKeys(t, "runtime/gateway", "methods"), "auth", "subscribe")
	for _, b := range read(t, "docs/api.md").blocks {
		if !b.is("json", "call") {
			t.Errorf("%s:%d: a block that no test reads: call it json call", b.file, b.line)
			continue
		}
		var frame struct {
			ID     int             `json:"id"`
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		decode(t, b, []byte(b.text), &frame)
		if !slices.Contains(methods, frame.Method) {
			t.Errorf("%s:%d: there is no method %s", b.file, b.line, frame.Method)
		}
		if frame.Method == "pay" {
			decode(t, b, frame.Params, &api.PayParams{})
		}
	}
}

func decode(t *testing.T, b block, data []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("%s:%d: %v", b.file, b.line, err)
	}
}

func TestEveryFieldOfTheAPIIsDocumented(t *testing.T) {
	documented := spans(read(t, "docs/api.md").text)
	for _, shape := range []any{
		api.View{}, api.ReasonView{}, api.PayParams{}, api.AgentView{}, api.AgentParams{}, api.Event{}, settle.Receipt{}, settle.Response{},
	} {
		kind := reflect.TypeOf(shape)
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if !slices.Contains(documented, name) {
				t.Errorf("docs/api.md does not explain %s of %s", name, kind)
			}
		}
	}
	view, err := json.Marshal(abi.ApprovalStatement{
		Domain: "d", Payment: "p", Approve: true, Approver: "a", Agent: "a", Payee: "p", Asset: "a", Network: "n", ResourceURL: "u",
		AmountMax: abi.NewAmount(1), ExpiresUnixS: 1, PolicySHA256: []byte{1}, Signature: []byte{1},
	})
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(view, &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		if !slices.Contains(documented, name) {
			t.Errorf("docs/api.md does not explain %s of a statement", name)
		}
	}
}

func TestCloseCodesAndStatusesAreTheGateways(t *testing.T) {
	d := read(t, "docs/api.md")
	frames := section(t, d, "## WebSocket")
	codes := declared(t, "runtime/gateway", func(name string) bool { return strings.HasPrefix(name, "close") })
	checked := 0
	for name, value := range codes {
		literal, ok := value.(*ast.BasicLit)
		if !ok || len(literal.Value) != 4 { // closeReasonBytesMax is no code
			continue
		}
		checked++
		if !strings.Contains(frames, "| "+literal.Value+" |") {
			t.Errorf("docs/api.md, WebSocket, does not list %s, %s", literal.Value, name)
		}
	}
	if checked == 0 {
		t.Error("no close codes found in runtime/gateway")
	}
	documented := spans(section(t, d, "## Errors"))
	for _, code := range mapKeys(t, "runtime/gateway", "statuses") {
		if !slices.Contains(documented, code) {
			t.Errorf("docs/api.md, Errors, does not list %s", code)
		}
	}
}
