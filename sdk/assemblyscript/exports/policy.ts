// What a policy's module exports. An entry file has one line for it:
//
//   export * from "@purserhq/sdk-assemblyscript/exports/policy";

import { answer, received } from "../assembly/guest";
import { DecideRequest } from "../assembly/messages";
import { decide } from "../assembly/policy";

export { purser_abi_1, purser_alloc, purser_configure } from "../assembly/guest";

export function purser_policy_decide(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = DecideRequest.decode(bytes);
  return request === null ? 0 : answer(decide(request).encode());
}
