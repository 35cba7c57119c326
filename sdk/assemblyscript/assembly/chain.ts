import { Plugin, keep } from "./guest";
import {
  AssembleRequest,
  AssembleResult,
  BuildRequest,
  BuildResult,
  DescribeResult,
  FactsRequest,
  FactsResult,
  NeedsRequest,
  NeedsResult,
  PlanRequest,
  PlanResult,
  Rejection,
  VerifyRequest,
  VerifyResult,
} from "./messages";

/**
 * Answers the host's questions on payments of one kind of network. It holds no key and opens no connection. What must
 * survive from one call to the next travels through the host: what one call writes to memory is gone in the next.
 */
export abstract class Adapter extends Plugin {
  /** Says what the adapter can do. */
  abstract describe(): DescribeResult;

  /** Makes what is to be signed. intent and quote are never null. */
  abstract build(request: BuildRequest): BuildResult;

  /** Makes the wire payload, and must verify each signature. */
  abstract assemble(request: AssembleRequest): AssembleResult;

  /** Lists the reads that an operation needs: none, unless overridden. */
  needs(request: NeedsRequest): NeedsResult {
    const result = new NeedsResult();
    result.ok = true;
    return result;
  }

  /** Checks somebody's payload: the facilitator's side. quote is never null. Unsupported, unless overridden. */
  verify(request: VerifyRequest): VerifyResult {
    const result = new VerifyResult();
    result.rejection = unsupported("verify");
    return result;
  }

  /** Lists the transactions that settle a payload. quote is never null. Unsupported, unless overridden. */
  plan(request: PlanRequest): PlanResult {
    const result = new PlanResult();
    result.rejection = unsupported("plan");
    return result;
  }

  /** Reads from the answers what became of a payload. Unsupported, unless overridden. */
  facts(request: FactsRequest): FactsResult {
    const result = new FactsResult();
    result.rejection = unsupported("facts");
    return result;
  }
}

let adapter: Adapter | null = null;

/** Makes the adapter that of this module. Call it once, at the top level. */
export function registerAdapter(only: Adapter): void {
  keep(only);
  adapter = only;
}

/** The registered adapter. It traps when there is none: such a module cannot be configured either. */
export function registeredAdapter(): Adapter {
  return adapter!;
}

/**
 * A rejection: a stable snake_case code, the field at fault in the words of the request ("quote.payee"), a sentence for
 * people. Put it into the result and leave ok false.
 */
export function reject(code: string, field: string, text: string): Rejection {
  const rejection = new Rejection();
  rejection.code = code;
  rejection.field = field;
  rejection.text = text;
  return rejection;
}

/** The rejection of a request without what a call cannot do without. */
export function incomplete(field: string): Rejection {
  return reject("request_incomplete", field, "the request has no " + field);
}

function unsupported(call: string): Rejection {
  return reject("unsupported", "", "this adapter does not implement " + call);
}
