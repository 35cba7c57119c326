package sdktest

import (
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestTheAssemblyScriptSDK(t *testing.T) {
	a := installAssemblyScript(t)
	codec := newCodecGuest(t, a)
	t.Run("reads and writes every vector like the host", codec.provesTheVectors)
	t.Run("answers every mutation like the Go decoder", codec.provesTheMutations)
	t.Run("reads texts like the host", codec.provesTheTexts)
	t.Run("calculates like big integers", codec.provesTheAmounts)
	t.Run("takes no wrong address and no second plugin", codec.bearsMisuse)
	t.Run("holds, and facts are never null", codec.holdsAndKnowsItsFacts)
	t.Run("writes nothing that has no canonical bytes", codec.writesOnlyWhatIsCanonical)

	t.Run("policy", func(t *testing.T) {
		module := a.ceiling(t)
		importsAndExports(t, module, abi.KindPolicy, "purser_host_1.log") // an abort says why there
		t.Logf("the module has %d bytes", len(module))
		ceiling := newSandboxed(t, a.plugin(t, module, assemblyScriptExample+"/manifest.json"))
		t.Run("gives the results of its manifest", ceiling.givesItsVectors)
		t.Run("refuses damaged requests", ceiling.refusesDamage)
		t.Run("denies what is incomplete", ceiling.policyDeniesWhatIsIncomplete)
		reportsSettings(t, ceiling, map[string]string{`{}`: "/ceiling", `{"ceiling":"1.0"}`: "{/ceiling amount is not a plain decimal integer"})
	})
	t.Run("chain", func(t *testing.T) {
		module := a.compile(t, "testdata/echo/echo.ts")
		importsAndExports(t, module, abi.KindChain, "purser_host_1.log")
		t.Logf("the module has %d bytes", len(module))
		echo := newSandboxed(t, a.plugin(t, module, assemblyScriptSDK+"/testdata/echo/manifest.json"))
		t.Run("gives the results of its manifest", echo.givesItsVectors)
		t.Run("refuses damaged requests", echo.refusesDamage)
		t.Run("reports every fault of its settings", echo.echoReportsSettings)
		t.Run("logs", echo.logs)
		t.Run("traps instead of throwing", echo.traps)
		t.Run("fits the largest request", echo.fitsTheLargestRequest)
	})
}
