// A chain adapter that says what it was asked: each call's answer holds the fields of its request, so that a test sees
// them travel both ways.

import {
  Adapter,
  Amount,
  AssembleRequest,
  AssembleResult,
  BuildRequest,
  BuildResult,
  ChainStatus,
  Config,
  DescribeResult,
  FactsRequest,
  FactsResult,
  Life,
  NeedsRequest,
  NeedsResult,
  PlanRequest,
  PlanResult,
  Query,
  SigningRequest,
  Summary,
  Template,
  VerifyRequest,
  VerifyResult,
  log,
  registerAdapter,
  reject,
} from "@purserhq/sdk-assemblyscript";
export * from "@purserhq/sdk-assemblyscript/exports/chain";

class Echo extends Adapter {
  private readonly read: string[] = [];
  private schemes: string[] = [];

  configure(config: Config): void {
    this.schemes = config.texts("/schemes");
    this.read.push(config.text("/text"));
    this.read.push(config.flag("/flag").toString());
    this.read.push(config.uint("/uint").toString());
    this.read.push(config.amount("/amount").toString());
    this.read.push(config.count("/schemes").toString());
    this.read.push(config.has("/optional").toString());
    config.ignore("/ignored");
    if (config.has("/forbidden")) {
      config.problem("/forbidden", "is forbidden");
      config.ignore("/forbidden");
    }
  }

  describe(): DescribeResult {
    const result = new DescribeResult();
    result.networks.push("eip155:*");
    result.schemes = this.schemes;
    result.finality = this.read.join(" ");
    return result;
  }

  needs(request: NeedsRequest): NeedsResult {
    const result = super.needs(request);
    for (let i: u64 = 1; i <= 2; i++) {
      const query = new Query();
      query.id = request.operation;
      query.method = request.payer;
      query.params = request.payload;
      query.quorum = i;
      result.queries.push(query);
    }
    return result;
  }

  build(request: BuildRequest): BuildResult {
    const result = new BuildResult();
    const intent = request.intent!;
    if (intent.amount == Amount.zero) {
      log.warn("nothing to pay ❗");
      result.rejection = reject("nothing_to_pay", "intent.amount", "the amount is zero");
      return result;
    }
    const summary = new Summary();
    summary.network = intent.network;
    summary.asset = intent.asset;
    summary.payer = request.payer;
    summary.payee = request.quote!.payee;
    summary.amount = intent.amount;
    summary.validAfterUnixS = request.validAfterUnixS;
    summary.validBeforeUnixS = request.validBeforeUnixS;
    summary.nonce = request.nonce;
    const signing = new SigningRequest();
    signing.id = "1";
    signing.kind = "eip712";
    signing.curve = "secp256k1";
    signing.preimage = request.answers.length > 0 ? request.answers[0].result : intent.bodySha256;
    signing.summary = summary;
    result.ok = true;
    result.signing.push(signing);
    result.state = intent.amount.word();
    return result;
  }

  assemble(request: AssembleRequest): AssembleResult {
    const result = new AssembleResult();
    for (let i = 0; i < request.signatures.length; i++) {
      if (request.signatures[i].signature.length != 65) {
        result.rejection = reject("signature_invalid", request.signatures[i].id, "a signature has 65 bytes");
        return result;
      }
    }
    result.ok = true;
    result.payload = request.state;
    return result;
  }

  verify(request: VerifyRequest): VerifyResult {
    if (request.payload.length == 0) return super.verify(request);
    const result = new VerifyResult();
    const summary = new Summary();
    summary.amount = request.quote!.amount;
    summary.nonce = request.payload;
    result.ok = true;
    result.verified = summary;
    return result;
  }

  plan(request: PlanRequest): PlanResult {
    if (request.payload.length == 0) return super.plan(request);
    const result = new PlanResult();
    const template = new Template();
    template.to = request.quote!.payee;
    template.data = request.payload;
    template.value = request.quote!.amount;
    result.ok = true;
    result.templates.push(template);
    return result;
  }

  facts(request: FactsRequest): FactsResult {
    if (request.payload.length == 0) return super.facts(request);
    if (request.payload[0] == 1) throw new Error("a thrown error");
    if (request.payload[0] == 2) assert(request.payload.length > 1, "a failed assertion");
    if (request.payload[0] == 3) request.answers[100].id = "an index out of range";
    if (request.payload[0] == 4) request.quote!.payee = "a quote that is not there";
    const result = new FactsResult();
    result.ok = true;
    result.status = ChainStatus.Final;
    result.life = Life.Dead;
    result.block = request.answers.length;
    result.transferred = Amount.of(request.payload.length);
    return result;
  }
}

registerAdapter(new Echo());
