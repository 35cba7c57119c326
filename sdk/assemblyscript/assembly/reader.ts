import { Amount } from "./amount";
import { decodeUTF8 } from "./utf8";
import { integerMax, messageBytesMax, noBytes, repeatedMax, varintBytesMax, wireBytes, wireVarint } from "./wire";

/**
 * Walks the fields of one message and takes no spelling but the canonical one (abi/v1.md section 3). After next, exactly
 * one of its readers consumes the field. The first failure sticks and ends the walk; nothing here throws.
 *
 * Every load lies between at and end: lengths are compared with what is left before they are used.
 */
export class Reader {
  /** False once something was refused. */
  ok: bool = true;

  private number: u64 = 0;
  private again: bool = false; // the field before had the same number
  private kind: u32 = 0;
  private value: u64 = 0; // of a varint field
  private data: usize = 0; // of a length-delimited field
  private size: usize = 0;
  private within: Reader | null = null; // reads nested messages, one after the other: nothing is ever freed

  private constructor(private at: usize, private end: usize) {}

  /** A reader of a whole message. */
  static of(message: Uint8Array): Reader {
    const at = message.dataStart;
    const reader = new Reader(at, at + message.byteLength);
    if (message.byteLength > messageBytesMax) reader.refuse();
    return reader;
  }

  /** The field's number, 0 for one that no schema has. */
  get field(): u32 {
    return this.number > u32.MAX_VALUE ? 0 : <u32>this.number;
  }

  /** Refuses the message. */
  refuse(): void {
    this.ok = false;
  }

  /** Reads a field's tag and content. A field that the schema does not know is skipped by not reading it. */
  next(): bool {
    if (!this.ok || this.at >= this.end) return false;
    const tag = this.varint();
    const number = tag >> 3;
    if (number == 0 || number < this.number) this.refuse();
    this.again = number == this.number;
    this.number = number;
    this.kind = <u32>(tag & 7);
    this.size = 0;
    if (this.kind == wireVarint) {
      this.value = this.varint();
    } else if (this.kind == wireBytes) {
      const size = this.varint();
      if (this.ok && size > <u64>(this.end - this.at)) this.refuse();
      if (this.ok) {
        this.data = this.at;
        this.size = <usize>size;
        this.at += this.size;
      }
    } else {
      this.refuse();
    }
    return this.ok;
  }

  private varint(): u64 {
    if (this.at < this.end) {
      const short = load<u8>(this.at);
      if (short < 0x80) {
        this.at++;
        return short;
      }
    }
    let value: u64 = 0;
    for (let i = 0; i < varintBytesMax && this.at < this.end; i++) {
      const byte = load<u8>(this.at++);
      value |= <u64>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        if ((byte == 0 && i > 0) || value > integerMax) this.refuse();
        return value;
      }
    }
    this.refuse();
    return 0;
  }

  // singular checks the wire type of a field that may stand once.
  private singular(kind: u32): bool {
    if (this.again || this.kind != kind) this.refuse();
    return this.ok;
  }

  /** A number, never 0. */
  uint(): u64 {
    if (!this.singular(wireVarint)) return 0;
    if (this.value == 0) this.refuse();
    return this.value;
  }

  /** true, because false is not written. */
  bool(): bool {
    const value = this.uint();
    if (value > 1) this.refuse();
    return value == 1;
  }

  /** An enum's value, from 1 to last. */
  enumeration(last: u32): i32 {
    const value = this.uint();
    if (value <= <u64>last) return <i32>value;
    this.refuse();
    return 0;
  }

  /** A text, never empty. */
  text(): string {
    if (this.singular(wireBytes) && this.size == 0) this.refuse();
    return this.decoded();
  }

  /** Bytes, never none; a copy. */
  bytes(): Uint8Array {
    if (this.singular(wireBytes) && this.size == 0) this.refuse();
    return this.copied();
  }

  /** The fields of a message that may stand once. The reader is good until the next field. */
  inner(): Reader {
    this.singular(wireBytes);
    return this.nested();
  }

  /** A number of a list that has so many already. */
  uintElement(before: i32): u64 {
    this.element(wireVarint, before);
    return this.value;
  }

  /** A text of a list that has so many already. */
  textElement(before: i32): string {
    this.element(wireBytes, before);
    return this.decoded();
  }

  /** Bytes of a list that has so many already; a copy. */
  bytesElement(before: i32): Uint8Array {
    this.element(wireBytes, before);
    return this.copied();
  }

  /** The fields of a message of a list that has so many already. The reader is good until the next field. */
  innerElement(before: i32): Reader {
    this.element(wireBytes, before);
    return this.nested();
  }

  private element(kind: u32, before: i32): void {
    if (before >= repeatedMax || this.kind != kind) this.refuse();
  }

  private decoded(): string {
    const text = this.ok ? decodeUTF8(this.data, this.size) : null;
    if (text !== null) return text;
    this.refuse();
    return "";
  }

  private copied(): Uint8Array {
    if (!this.ok) return noBytes;
    const copy = new Uint8Array(<i32>this.size);
    memory.copy(copy.dataStart, this.data, this.size);
    return copy;
  }

  private nested(): Reader {
    let inner = this.within;
    if (inner === null) {
      inner = new Reader(0, 0);
      this.within = inner;
    }
    inner.at = this.data;
    inner.end = this.data + this.size;
    inner.number = 0;
    inner.ok = this.ok;
    return inner;
  }

  /**
   * An amount, never zero. Both its spellings must agree: otherwise a host that reads one and a guest that reads the
   * other would judge different prices. Unknown fields are refused here, as an amount will never have more.
   */
  amount(): Amount {
    const inner = this.inner();
    let decimal: usize = 0;
    let decimalSize: usize = 0;
    let bigEndian: usize = 0;
    let bigEndianSize: usize = 0;
    while (inner.next()) {
      inner.singular(wireBytes);
      switch (inner.field) {
        case 1: decimal = inner.data; decimalSize = inner.size; break;
        case 2: bigEndian = inner.data; bigEndianSize = inner.size; break;
        default: inner.refuse();
      }
    }
    const amount = inner.ok ? Amount.fromMemory(bigEndian, bigEndianSize) : null;
    if (amount && !amount.isZero() && amount.isSpelled(decimal, decimalSize)) return amount;
    this.refuse();
    return Amount.zero;
  }
}
