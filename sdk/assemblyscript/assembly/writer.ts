import { Amount } from "./amount";
import { encodeUTF8, utf8Length } from "./utf8";
import { integerMax, messageBytesMax, repeatedMax, varintBytesMax, wireBytes, wireVarint } from "./wire";

const firstBytes = 1024;

/**
 * Appends fields in the order it is called, which the generated code keeps ascending. The first thing that has no
 * canonical bytes sticks (text that is no Unicode, numbers above 2^53-1, unknown enum values, lists and messages that are
 * too long), and finish returns null.
 */
export class Writer {
  private ok: bool = true;
  private buffer: ArrayBuffer = new ArrayBuffer(firstBytes);
  private size: i32 = 0;

  /** The message, null when it has no canonical bytes. It shares the writer's memory. */
  finish(): Uint8Array | null {
    return this.ok ? Uint8Array.wrap(this.buffer, 0, this.size) : null;
  }

  // reserve makes room for more bytes and returns where they go. Once writing failed it is the start of the buffer, so
  // that callers need no branch for at most varintBytesMax bytes.
  private reserve(bytes: i32): usize {
    if (this.ok && bytes > messageBytesMax - this.size) this.ok = false;
    if (!this.ok) return changetype<usize>(this.buffer);
    const at = this.size;
    this.size += bytes;
    let capacity = this.buffer.byteLength;
    if (this.size > capacity) {
      while (capacity < this.size) capacity *= 2;
      const larger = new ArrayBuffer(capacity);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.buffer), at);
      this.buffer = larger;
    }
    return changetype<usize>(this.buffer) + at;
  }

  private varint(value: u64): void {
    let at = this.reserve(varintSize(value));
    for (; value >= 0x80; value >>= 7) store<u8>(at++, <u8>value | 0x80);
    store<u8>(at, <u8>value);
  }

  private tag(field: u32, kind: u32): void {
    this.varint((<u64>field << 3) | kind);
  }

  private raw(from: usize, bytes: i32): void {
    const at = this.reserve(bytes);
    if (this.ok) memory.copy(at, from, bytes);
  }

  uint(field: u32, value: u64): void {
    if (value != 0) this.uintElement(field, value);
  }

  uintElement(field: u32, value: u64): void {
    if (value > integerMax) {
      this.ok = false;
      return;
    }
    this.tag(field, wireVarint);
    this.varint(value);
  }

  bool(field: u32, value: bool): void {
    if (value) this.uintElement(field, 1);
  }

  enumeration(field: u32, value: i32, last: u32): void {
    if (<u32>value > last) this.ok = false;
    this.uint(field, <u64>value);
  }

  text(field: u32, value: string): void {
    if (value.length > 0) this.textElement(field, value);
  }

  textElement(field: u32, value: string): void {
    const bytes = value.length > messageBytesMax ? -1 : utf8Length(value);
    if (bytes < 0) {
      this.ok = false;
      return;
    }
    this.tag(field, wireBytes);
    this.varint(bytes);
    const at = this.reserve(bytes);
    if (this.ok) encodeUTF8(value, bytes, at);
  }

  bytes(field: u32, value: Uint8Array): void {
    if (value.length > 0) this.bytesElement(field, value);
  }

  bytesElement(field: u32, value: Uint8Array): void {
    this.tag(field, wireBytes);
    this.varint(value.length);
    this.raw(value.dataStart, value.length);
  }

  amount(field: u32, value: Amount): void {
    if (value.isZero()) return;
    const mark = this.begin(field);
    this.text(1, value.toString());
    this.bytes(2, value.bytes());
    this.end(mark);
  }

  /** Refuses a list of more elements than the wire allows. */
  count(elements: i32): void {
    if (elements > repeatedMax) this.ok = false;
  }

  /** Opens a nested message and returns where its content starts. */
  begin(field: u32): i32 {
    this.tag(field, wireBytes);
    this.reserve(1); // most lengths fit in this byte
    return this.size;
  }

  /** Writes the length of the message that begin opened, moving the content when the length needs more bytes. */
  end(mark: i32): void {
    const bytes = this.size - mark;
    const more = varintSize(bytes) - 1;
    this.reserve(more);
    if (!this.ok) return;
    const start = changetype<usize>(this.buffer) + mark;
    if (more > 0) memory.copy(start + more, start, bytes);
    let at = start - 1;
    let rest = bytes;
    for (; rest >= 0x80; rest >>= 7) store<u8>(at++, <u8>rest | 0x80);
    store<u8>(at, <u8>rest);
  }
}

function varintSize(value: u64): i32 {
  let bytes = 1;
  for (value >>= 7; value > 0; value >>= 7) bytes++;
  assert(bytes <= varintBytesMax);
  return bytes;
}
