// Runs codec.wasm over the cases that the Go test writes to standard input, and writes what it answered to standard
// output. All numbers are 32 bits, little-endian.
//
//   case:    operation, number of the message, length, bytes
//   answer:  length, bytes; refused and trapped are lengths that no message has
//
// Operation "mutate" answers every truncation and then every flip of one bit of its bytes, in that order. Operation
// "misuse" names what the guest let happen: wrong addresses, a second plugin.

import { readFileSync, writeSync } from "node:fs";

const operations = ["roundTrip", "calculate", "unwritable", "mutate", "misuse", "verdict"];
const refused = 0xffffffff;
const trapped = 0xfffffffe;
// A guest never frees memory. In a sandbox every call meets it as it was; here a fresh one takes its place.
const memoryBytesMax = 4 << 20;

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
let guest = start();

function start() {
  const { exports } = new WebAssembly.Instance(module, { purser_host_1: { log() {} } });
  exports._initialize();
  return exports;
}

function call(operation, number, bytes) {
  if (guest.memory.buffer.byteLength > memoryBytesMax) guest = start();
  try {
    const at = bytes.length > 0 ? guest.alloc(bytes.length) >>> 0 : 0;
    if (bytes.length > 0 && at === 0) return header(refused);
    new Uint8Array(guest.memory.buffer, at, bytes.length).set(bytes);
    const packed = BigInt.asUintN(64, answerOf(operation, number, at, bytes.length));
    if (packed === 0n) return header(refused);
    const length = Number(packed & 0xffffffffn);
    const result = Buffer.from(guest.memory.buffer, Number(packed >> 32n), length);
    return Buffer.concat([header(length), result]);
  } catch (error) {
    guest = start();
    return header(trapped);
  }
}

function answerOf(operation, number, at, length) {
  switch (operation) {
    case "roundTrip": return guest.roundTrip(number, at, length);
    case "calculate": return guest.calculate(at, length);
    case "unwritable": return guest.unwritable();
    case "verdict": return guest.verdict(at, length);
  }
}

function* mutations(bytes) {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
  const flipped = Buffer.from(bytes);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    flipped[bit >> 3] ^= 1 << (bit & 7);
    yield flipped;
    flipped[bit >> 3] ^= 1 << (bit & 7);
  }
}

function misuse(number, bytes) {
  guest = start();
  const wrong = [];
  const expect = (name, ok) => ok || wrong.push(name);
  const taken = (at, length) => guest.roundTrip(number, at, length) !== 0n;
  const place = (size) => {
    const at = guest.alloc(size);
    new Uint8Array(guest.memory.buffer, at, bytes.length).set(bytes);
    return at;
  };
  expect("bytes before any alloc", !taken(0, bytes.length) && !taken(1024, bytes.length));
  const first = place(bytes.length);
  expect("the right address is refused", taken(first, bytes.length));
  for (const [name, at, length] of [
    ["address 0", 0, bytes.length],
    ["one byte on", first + 1, bytes.length - 1],
    ["one byte before", first - 1, bytes.length],
    ["one byte more", first, bytes.length + 1],
    ["the whole memory", first, 0xffffffff],
    ["the end of memory", 0xffffffff, bytes.length],
  ]) expect(name, !taken(at, length));
  const second = place(bytes.length + 100);
  expect("the address before", first !== second && !taken(first, bytes.length));
  expect("less than was asked for is refused", taken(second, bytes.length));
  expect("an empty message at any address is refused", taken(0, 0) && taken(7, 0));
  expect("alloc of nothing gives no address", guest.alloc(0) !== 0);
  expect("alloc of the most gives no address", guest.alloc(1 << 20) !== 0);
  for (const size of [(1 << 20) + 1, 0x7fffffff, 0x80000000, 0xffffffff]) expect(`alloc of ${size}`, guest.alloc(size) === 0);
  guest.registerOne();
  try {
    guest.registerOne();
    wrong.push("a second plugin");
  } catch (error) {
    expect(`a second plugin: ${error}`, error instanceof WebAssembly.RuntimeError);
  }
  return Buffer.from(wrong.join("\n"));
}

function header(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

let pending = [];
let pendingBytes = 0;

function write(answer) {
  pending.push(answer);
  pendingBytes += answer.length;
  if (pendingBytes > 1 << 20) flush();
}

function flush() {
  const all = Buffer.concat(pending);
  for (let at = 0; at < all.length; ) {
    try {
      at += writeSync(1, all, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
  pending = [];
  pendingBytes = 0;
}

const cases = readFileSync(0);
for (let at = 0; at < cases.length; ) {
  const operation = operations[cases.readUInt32LE(at)];
  const number = cases.readUInt32LE(at + 4);
  const length = cases.readUInt32LE(at + 8);
  const bytes = cases.subarray(at + 12, at + 12 + length);
  at += 12 + length;
  if (operation === "mutate") {
    for (const mutated of mutations(bytes)) write(call("roundTrip", number, mutated));
  } else if (operation === "misuse") {
    const wrong = misuse(number, bytes);
    write(Buffer.concat([header(wrong.length), wrong]));
  } else {
    if (operation === "verdict") {
      guest = start();
      guest.registerOne();
    }
    write(call(operation, number, bytes));
  }
}
flush();
