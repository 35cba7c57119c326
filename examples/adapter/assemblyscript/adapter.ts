import { Adapter, AssembleRequest, AssembleResult, BuildRequest, BuildResult, Config, DescribeResult, registerAdapter, reject } from "@purserhq/sdk-assemblyscript";
export * from "@purserhq/sdk-assemblyscript/exports/chain";

const NETWORK = "eip155:1337";

// An adapter that describes one network and says honestly what it cannot do yet. needs, verify, plan and facts have
// defaults: it needs no reads and rejects the rest.
class Own extends Adapter {
  configure(config: Config): void {}

  describe(): DescribeResult {
    const result = new DescribeResult();
    result.networks = [NETWORK];
    result.schemes = ["exact"];
    return result;
  }

  // Makes what is to be signed. The host hashes it, decodes it again and compares it with the intent.
  build(request: BuildRequest): BuildResult {
    const result = new BuildResult();
    if (request.intent!.network != NETWORK) {
      result.rejection = reject("network_unknown", "intent.network", "this adapter knows " + NETWORK + " only");
    } else {
      result.rejection = reject("unsupported", "intent.scheme", "this adapter cannot build payments yet");
    }
    return result;
  }

  // Makes the wire payload of what was signed. It must verify every signature first.
  assemble(request: AssembleRequest): AssembleResult {
    const result = new AssembleResult();
    result.rejection = reject("unsupported", "", "this adapter cannot build payments yet");
    return result;
  }
}

registerAdapter(new Own());
