// What a chain adapter's module exports. An entry file has one line for it:
//
//   export * from "@purserhq/sdk-assemblyscript/exports/chain";

import { incomplete, registeredAdapter } from "../assembly/chain";
import { answer, received } from "../assembly/guest";
import {
  AssembleRequest,
  BuildRequest,
  BuildResult,
  DescribeRequest,
  FactsRequest,
  NeedsRequest,
  PlanRequest,
  PlanResult,
  VerifyRequest,
  VerifyResult,
} from "../assembly/messages";

export { purser_abi_1, purser_alloc, purser_configure } from "../assembly/guest";

export function purser_chain_describe(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null || DescribeRequest.decode(bytes) === null) return 0;
  return answer(registeredAdapter().describe().encode());
}

export function purser_chain_needs(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = NeedsRequest.decode(bytes);
  return request === null ? 0 : answer(registeredAdapter().needs(request).encode());
}

export function purser_chain_build(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = BuildRequest.decode(bytes);
  if (request === null) return 0;
  if (request.intent === null || request.quote === null) {
    const refused = new BuildResult();
    refused.rejection = incomplete(request.intent === null ? "intent" : "quote");
    return answer(refused.encode());
  }
  return answer(registeredAdapter().build(request).encode());
}

export function purser_chain_assemble(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = AssembleRequest.decode(bytes);
  return request === null ? 0 : answer(registeredAdapter().assemble(request).encode());
}

export function purser_chain_verify(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = VerifyRequest.decode(bytes);
  if (request === null) return 0;
  if (request.quote === null) {
    const refused = new VerifyResult();
    refused.rejection = incomplete("quote");
    return answer(refused.encode());
  }
  return answer(registeredAdapter().verify(request).encode());
}

export function purser_chain_plan(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = PlanRequest.decode(bytes);
  if (request === null) return 0;
  if (request.quote === null) {
    const refused = new PlanResult();
    refused.rejection = incomplete("quote");
    return answer(refused.encode());
  }
  return answer(registeredAdapter().plan(request).encode());
}

export function purser_chain_facts(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = FactsRequest.decode(bytes);
  return request === null ? 0 : answer(registeredAdapter().facts(request).encode());
}
