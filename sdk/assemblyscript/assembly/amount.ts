// An amount's four fields lie in memory as one little-endian number of 32 bytes. Arithmetic walks it in limbs of 32 bits,
// because a product of two and a carry fit in 64 bits. All loops are bounded by these constants.
const amountBytes: usize = 32;
const limbs: usize = 8;

const chunkDigits = 9;
const chunkValue: u64 = 1_000_000_000;

/** The number of decimal digits in the largest uint256. */
export const amountDigitsMax = 78;

// Room for digits and for the number that they are divided out of. Nothing in it outlives a call of writeDigits and its use.
const digitsBytes: usize = 80;
const digits = memory.data(80, 8);
const divided = memory.data(32, 8);

/**
 * A number of the smallest unit of an asset (for USDC: millionths of a dollar), a uint256. It is immutable, cannot hold
 * a fraction, cannot be negative and never wraps. Compare with `==`, `<` and so on; find out whether there is one with
 * `if (sum)`, which the compiler understands better than a comparison with null.
 */
export class Amount {
  /** Nothing. */
  static readonly zero: Amount = new Amount();

  // Least significant first.
  private word0: u64 = 0;
  private word1: u64 = 0;
  private word2: u64 = 0;
  private word3: u64 = 0;

  private constructor() {}

  /** An amount of n smallest units. */
  static of(n: u64): Amount {
    const amount = new Amount();
    amount.word0 = n;
    return amount;
  }

  /** Reads a decimal integer: "10000". null for signs, exponents, leading zeros, "" and what is above 2^256-1. */
  static parse(text: string): Amount | null {
    const size = text.length;
    if (size == 0 || size > amountDigitsMax || (size > 1 && text.charCodeAt(0) == 0x30)) return null;
    const amount = new Amount();
    for (let i = 0; i < size; i++) {
      const digit = <u32>text.charCodeAt(i) - 0x30;
      if (digit > 9 || multiply(amount, amount, 10, digit) != 0) return null;
    }
    return amount;
  }

  /** Reads a big-endian number of at most 32 bytes without a leading zero byte; zero is the empty array. */
  static fromBytes(bytes: Uint8Array): Amount | null {
    return Amount.fromMemory(bytes.dataStart, bytes.length);
  }

  /** Does what fromBytes does, with bytes that lie in memory. */
  static fromMemory(at: usize, size: usize): Amount | null {
    if (size > amountBytes || (size > 0 && load<u8>(at) == 0)) return null;
    const amount = new Amount();
    let to = changetype<usize>(amount);
    for (let from = at + size; from > at; to++) store<u8>(to, load<u8>(--from));
    return amount;
  }

  /** The shortest big-endian form; zero is the empty array. */
  bytes(): Uint8Array {
    const word = this.word();
    let zeros = 0;
    while (zeros < word.length && word[zeros] == 0) zeros++;
    return word.slice(zeros);
  }

  /** The 32-byte big-endian form, as the EVM stores it. */
  word(): Uint8Array {
    const word = new Uint8Array(<i32>amountBytes);
    const from = changetype<usize>(this);
    for (let i: usize = 0; i < amountBytes; i++) store<u8>(word.dataStart + amountBytes - 1 - i, load<u8>(from + i));
    return word;
  }

  /** This and other together, null above 2^256-1. */
  add(other: Amount): Amount | null {
    const sum = new Amount();
    let carry: u64 = 0;
    for (let i: usize = 0; i < limbs; i++) {
      carry += limb(this, i) + limb(other, i);
      setLimb(sum, i, carry);
      carry >>= 32;
    }
    return carry != 0 ? null : sum;
  }

  /** This less other, null when other is larger. */
  sub(other: Amount): Amount | null {
    if (this.compare(other) < 0) return null;
    const difference = new Amount();
    let borrow: u64 = 0;
    for (let i: usize = 0; i < limbs; i++) {
      const d = limb(this, i) - limb(other, i) - borrow;
      setLimb(difference, i, d);
      borrow = d >> 63;
    }
    return difference;
  }

  /** This many times a factor, null above 2^256-1. */
  mul(factor: u64): Amount | null {
    const low = new Amount();
    const high = new Amount();
    const lost = multiply(low, this, factor & 0xffff_ffff, 0) | multiply(high, this, factor >> 32, 0);
    if (lost != 0 || limb(high, limbs - 1) != 0) return null;
    for (let i: usize = limbs - 1; i > 0; i--) setLimb(high, i, limb(high, i - 1));
    setLimb(high, 0, 0);
    return low.add(high);
  }

  /** -1, 0 or +1 as this is below, equal to or above other. */
  compare(other: Amount): i32 {
    if (this.word3 != other.word3) return this.word3 < other.word3 ? -1 : 1;
    if (this.word2 != other.word2) return this.word2 < other.word2 ? -1 : 1;
    if (this.word1 != other.word1) return this.word1 < other.word1 ? -1 : 1;
    if (this.word0 != other.word0) return this.word0 < other.word0 ? -1 : 1;
    return 0;
  }

  /** Whether this is nothing. */
  isZero(): bool {
    return (this.word0 | this.word1 | this.word2 | this.word3) == 0;
  }

  /** Whether toU64 tells the truth. */
  fitsU64(): bool {
    return (this.word1 | this.word2 | this.word3) == 0;
  }

  /** The amount as a u64. It traps when the amount does not fit: ask fitsU64 first. */
  toU64(): u64 {
    if (!this.fitsU64()) unreachable();
    return this.word0;
  }

  /** The decimal digits, the only spelling that parse takes. */
  toString(): string {
    const at = writeDigits(this);
    return String.UTF8.decodeUnsafe(at, digits + digitsBytes - at);
  }

  /** Whether these bytes are what toString says. */
  isSpelled(at: usize, size: usize): bool {
    const own = writeDigits(this);
    return size == digits + digitsBytes - own && memory.compare(at, own, size) == 0;
  }

  /** Equal by value. Two nulls are equal too. */
  @operator("==")
  static equal(left: Amount | null, right: Amount | null): bool {
    // By truth and by address, because === on amounts is this function.
    if (left && right) return left.compare(right) == 0;
    return changetype<usize>(left) == changetype<usize>(right);
  }

  /** Different by value. */
  @operator("!=")
  static different(left: Amount | null, right: Amount | null): bool {
    return !Amount.equal(left, right);
  }

  @operator("<")
  private below(other: Amount): bool {
    return this.compare(other) < 0;
  }

  @operator("<=")
  private atMost(other: Amount): bool {
    return this.compare(other) <= 0;
  }

  @operator(">")
  private above(other: Amount): bool {
    return this.compare(other) > 0;
  }

  @operator(">=")
  private atLeast(other: Amount): bool {
    return this.compare(other) >= 0;
  }
}

// @ts-ignore: decorator
@inline
function limb(amount: Amount, i: usize): u64 {
  return load<u32>(changetype<usize>(amount) + (i << 2));
}

// setLimb keeps the lower 32 bits of value.
// @ts-ignore: decorator
@inline
function setLimb(amount: Amount, i: usize, value: u64): void {
  store<u32>(changetype<usize>(amount) + (i << 2), <u32>value);
}

/** Writes from * factor + term into into, which may be from, and returns what does not fit. factor is below 2^32. */
function multiply(into: Amount, from: Amount, factor: u64, term: u64): u64 {
  let carry = term;
  for (let i: usize = 0; i < limbs; i++) {
    carry += limb(from, i) * factor;
    setLimb(into, i, carry);
    carry >>= 32;
  }
  return carry;
}

/** Writes the decimal digits so that they end with the room for them, and returns where they start. */
function writeDigits(amount: Amount): usize {
  memory.copy(divided, changetype<usize>(amount), amountBytes);
  let at = digits + digitsBytes;
  let top = limbs;
  for (;;) {
    while (top > 2 && load<u32>(divided + ((top - 1) << 2)) == 0) top--;
    if (top == 2) break;
    let rest: u64 = 0;
    for (let i = top; i > 0; i--) {
      const place = divided + ((i - 1) << 2);
      rest = (rest << 32) | <u64>load<u32>(place);
      store<u32>(place, <u32>(rest / chunkValue));
      rest %= chunkValue;
    }
    for (let i = 0; i < chunkDigits; i++) {
      store<u8>(--at, <u8>(0x30 + (rest % 10)));
      rest /= 10;
    }
  }
  let last = load<u64>(divided);
  do {
    store<u8>(--at, <u8>(0x30 + (last % 10)));
    last /= 10;
  } while (last > 0);
  return at;
}
