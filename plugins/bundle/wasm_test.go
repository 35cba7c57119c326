package bundle

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

const vectorNowUnixS = 1_800_000_000

// guest is a module installed in a sandbox; the test that made it need not close it.
type guest struct {
	plugin *sandbox.Plugin
}

func install(t testing.TB, module []byte, kind abi.Kind) guest {
	t.Helper()
	host, err := sandbox.Open(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	grants := sandbox.Grants{}
	if kind == abi.KindPolicy {
		grants.Facts = []string{"quotes"}
	} else {
		grants.RPCMethods = []string{"eth_call", "eth_getCode"}
	}
	plugin, err := host.Install(t.Context(), module, kind, grants)
	if err != nil {
		t.Fatal(err)
	}
	return guest{plugin}
}

// answer runs one vector and returns the guest's bytes.
func (g guest) answer(t testing.TB, v vector) ([]byte, error) {
	t.Helper()
	return g.answerTo(t, v, unhex(t, v.RequestHex))
}

// answerTo runs a vector with another request.
func (g guest) answerTo(t testing.TB, v vector, request []byte) ([]byte, error) {
	t.Helper()
	configured, result, err := g.plugin.Configure(t.Context(), unhex(t, v.ConfigureHex))
	if err != nil || v.Call == callConfigure {
		return result, err
	}
	called, err := configured.Call(t.Context(), sandbox.Call{Export: v.Call, Request: request, Now: vectorNowUnixS})
	return called.Bytes, err
}

// givesEveryResult runs all vectors of a plugin and compares the bytes.
func (g guest) givesEveryResult(t *testing.T, vectors []vector) {
	t.Helper()
	for _, v := range vectors {
		got, err := g.answer(t, v)
		if err != nil || !bytes.Equal(got, unhex(t, v.ResultHex)) {
			t.Errorf("%s: %s: %v\n got %q\nwant %q", v.Call, v.Name, err, got, unhex(t, v.ResultHex))
		}
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// skipWithout stops a test that lacks something this machine may not have, but never in CI.
func skipWithout(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("required in CI: "+format, args...)
	}
	t.Skipf("NOT TESTED: "+format, args...)
}

func builtModule(t testing.TB, name string) []byte {
	t.Helper()
	module, err := Module(name)
	if abi.CodeOf(err) == "plugin_missing" {
		skipWithout(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func TestBundledModulesGiveTheResultOfEveryVector(t *testing.T) {
	for name, kind := range map[string]abi.Kind{"chain-evm": abi.KindChain, "price-sanity": abi.KindPolicy} {
		t.Run(name, func(t *testing.T) {
			install(t, builtModule(t, name), kind).givesEveryResult(t, readVectors(t, name))
		})
	}
}

// BenchmarkBundledCall measures whole calls as they run in production, the reset behind each included.
func BenchmarkBundledCall(b *testing.B) {
	for _, c := range []struct {
		plugin, vector string
		kind           abi.Kind
	}{
		{"chain-evm", "a payment is built", abi.KindChain},
		{"chain-evm", "a signature becomes a payload", abi.KindChain},
		{"price-sanity", "the usual price", abi.KindPolicy},
	} {
		b.Run(c.plugin+"/"+c.vector, func(b *testing.B) {
			installed := install(b, builtModule(b, c.plugin), c.kind)
			for _, v := range readVectors(b, c.plugin) {
				if v.Name != c.vector {
					continue
				}
				configured, _, err := installed.plugin.Configure(b.Context(), unhex(b, v.ConfigureHex))
				if err != nil {
					b.Fatal(err)
				}
				call := sandbox.Call{Export: v.Call, Request: unhex(b, v.RequestHex), Now: vectorNowUnixS}
				for b.Loop() {
					if _, err := configured.Call(b.Context(), call); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
