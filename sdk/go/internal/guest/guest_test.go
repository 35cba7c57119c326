package guest

import (
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/config"
)

func TestServeFailsForWhatCannotBeReadOrWritten(t *testing.T) {
	echo := func(r *abi.NeedsRequest) *abi.NeedsResult {
		switch r.Operation {
		case "nothing":
			return nil
		case "broken":
			return &abi.NeedsResult{Rejection: &abi.Rejection{Text: "\xff"}}
		default:
			return &abi.NeedsResult{Ok: true}
		}
	}
	for operation, want := range map[string]bool{"build": true, "nothing": false, "broken": false} {
		in, err := (&abi.NeedsRequest{Operation: operation}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if out, ok := Serve(in, echo); ok != want || !ok && out != nil {
			t.Errorf("%s: %x, %t", operation, out, ok)
		}
	}
	if out, ok := Serve([]byte{0xff}, echo); ok {
		t.Errorf("bytes that are no message: %x", out)
	}
}

func TestAModuleIsOnePlugin(t *testing.T) {
	Register(func(c *config.Config) { c.Text("/name") })
	if got := Configure(&abi.ConfigureRequest{}); got.Ok {
		t.Error("configured without what the plugin reads")
	}
	defer func() {
		if recover() == nil {
			t.Error("a second plugin was registered")
		}
	}()
	Register(nil)
}
