// Reads and writes messages for the vectors, and calculates for the comparison with big integers. It is no plugin.

import {
  Agent,
  Amount,
  BudgetMove,
  BuildResult,
  DecideRequest,
  DecideResult,
  Evidence,
  Policy,
  Quote,
  QuoteHistory,
  QuoteSample,
  SigningRequest,
  allow,
  hold,
  register,
} from "@purserhq/sdk-assemblyscript";
import { answer, purser_alloc, received } from "@purserhq/sdk-assemblyscript/assembly/guest";
import { decide } from "@purserhq/sdk-assemblyscript/assembly/policy";
import { integerMax, messageBytesMax, repeatedMax } from "@purserhq/sdk-assemblyscript/assembly/wire";
import { again } from "./registry";

/** Space for the next message. */
export function alloc(size: u32): usize {
  return purser_alloc(size);
}

/** The message of that number read and written again; 0 when it was refused. */
export function roundTrip(number: u32, at: usize, size: u32): u64 {
  const bytes = received(at, size);
  return bytes === null ? 0 : answer(again(number, bytes));
}

/** Lines on the amounts of a BudgetMove, before and after, and on its sequence as a factor. */
export function calculate(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const move = BudgetMove.decode(bytes);
  if (move === null) return 0;
  const x = move.before;
  const y = move.after;
  const lines = [
    x.toString(),
    y.toString(),
    x.compare(y).toString(),
    `${x == y} ${x != y} ${x < y} ${x <= y} ${x > y} ${x >= y}`,
    text(x.add(y)),
    text(x.sub(y)),
    text(x.mul(move.sequence)),
    text(Amount.parse(x.toString())),
    text(Amount.parse(move.meter)),
    text(Amount.fromBytes(x.word())),
    text(Amount.of(move.sequence)),
    x.fitsU64() ? x.toU64().toString() : "large",
  ];
  return answer(Uint8Array.wrap(String.UTF8.encode(lines.join("\n"))));
}

function text(amount: Amount | null): string {
  // All three ways to ask for null must agree.
  if ((amount == null) != !amount || (amount != null) == !amount || (amount === null) != !amount) return "disagree";
  return amount ? amount.toString() : "none";
}

/** Names the messages without canonical bytes that were written all the same. */
export function unwritable(): u64 {
  const wrong: string[] = [];
  const agent = new Agent();
  for (let i = 0; i < halves.length; i++) {
    agent.id = halves[i];
    if (agent.encode() !== null) wrong.push("half a surrogate pair, " + i.toString());
  }
  agent.id = "";
  agent.groups = [halves[0]];
  if (agent.encode() !== null) wrong.push("half a surrogate pair in a list");
  agent.groups = new Array<string>(repeatedMax).fill("");
  if (agent.encode() === null) wrong.push("a list that is not too long is not");
  agent.groups.push("");
  if (agent.encode() !== null) wrong.push("a list that is too long");
  const sample = new QuoteSample();
  sample.observedUnixS = integerMax + 1;
  if (sample.encode() !== null) wrong.push("a number above 2^53-1");
  const history = new QuoteHistory();
  history.samples.push(sample);
  if (history.encode() !== null) wrong.push("a nested fault");
  const quote = new Quote();
  quote.evidence = <Evidence>4;
  if (quote.encode() !== null) wrong.push("an unknown enum value");
  quote.evidence = <Evidence>-1;
  if (quote.encode() !== null) wrong.push("a negative enum value");
  const signing = new SigningRequest();
  signing.preimage = new Uint8Array(messageBytesMax - 5);
  const built = new BuildResult();
  if (signing.encode() === null) wrong.push("a message that is not too large is not");
  built.signing.push(signing);
  if (built.encode() !== null) wrong.push("a message that is too large");
  return answer(Uint8Array.wrap(String.UTF8.encode(wrong.join("\n"))));
}

const halves = ["\ud800", "a\udc00", "\udfff\ud800", "\ud800\ud800", "\udbffz"];

class Unknown extends Policy {
  decide(request: DecideRequest): DecideResult {
    const facts = request.facts!; // never null, even when the request has none
    return facts.budgets.length == 0 ? hold("first_payment", "nothing is known of this payee") : allow();
  }
}

/** Registers a plugin, which may happen once. */
export function registerOne(): void {
  register(new Unknown());
}

/** The registered policy's verdict. */
export function verdict(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = DecideRequest.decode(bytes);
  return request === null ? 0 : answer(decide(request).encode());
}
