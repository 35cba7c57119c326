//! Arithmetic below the two primes of secp256k1. Everything here handles public data: time may vary with it.
//!
//! Rows of products are spelled out instead of looped over, so that the compiler keeps them in locals: a guest pays for
//! each load, and recovering a signer is nothing but this.

use crate::hex::{Word, WORD_BYTES};

const LIMBS: usize = 4;
const LOW: u64 = 0xffff_ffff;

/// An unsigned integer of 256 bits, least significant limb first.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Number(pub [u64; LIMBS]);

impl Number {
    pub const ZERO: Number = Number::small(0);
    pub const ONE: Number = Number::small(1);

    pub const fn small(n: u64) -> Number {
        Number([n, 0, 0, 0])
    }

    /// Reads a big-endian word.
    pub const fn from_word(word: &Word) -> Number {
        let mut limbs = [0; LIMBS];
        let mut i = 0;
        while i < WORD_BYTES {
            let limb = LIMBS - 1 - i / 8;
            limbs[limb] = limbs[limb] << 8 | word[i] as u64;
            i += 1;
        }
        Number(limbs)
    }

    pub fn word(self) -> Word {
        let mut word = [0; WORD_BYTES];
        for (bytes, limb) in word.rchunks_exact_mut(8).zip(self.0) {
            bytes.copy_from_slice(&limb.to_be_bytes());
        }
        word
    }

    #[inline(always)]
    pub fn is_zero(self) -> bool {
        let [a, b, c, d] = self.0;
        a | b | c | d == 0
    }

    pub fn bit(self, i: usize) -> bool {
        self.0[i / 64] >> (i % 64) & 1 == 1
    }

    pub fn half(self) -> Number {
        let [a, b, c, d] = self.0;
        Number([a >> 1 | b << 63, b >> 1 | c << 63, c >> 1 | d << 63, d >> 1])
    }

    #[inline(always)]
    pub fn plus(self, other: Number) -> (Number, bool) {
        let (x, y) = (self.0, other.0);
        let (a, carry) = add(x[0], y[0], 0);
        let (b, carry) = add(x[1], y[1], carry);
        let (c, carry) = add(x[2], y[2], carry);
        let (d, carry) = add(x[3], y[3], carry);
        (Number([a, b, c, d]), carry == 1)
    }

    #[inline(always)]
    pub const fn minus(self, other: Number) -> (Number, bool) {
        let (x, y) = (self.0, other.0);
        let (a, borrow) = subtract(x[0], y[0], false);
        let (b, borrow) = subtract(x[1], y[1], borrow);
        let (c, borrow) = subtract(x[2], y[2], borrow);
        let (d, borrow) = subtract(x[3], y[3], borrow);
        (Number([a, b, c, d]), borrow)
    }

    pub fn is_below(self, other: Number) -> bool {
        self.minus(other).1
    }
}

#[inline(always)]
fn add(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry);
    (sum, u64::from(first | second))
}

#[inline(always)]
const fn subtract(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow as u64);
    (difference, first | second)
}

/// a·b + c + d, low word first. WebAssembly multiplies 64 bits and keeps 64, so it takes four products of halves.
#[inline(always)]
fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let (a0, a1, b0, b1) = (a & LOW, a >> 32, b & LOW, b >> 32);
    let (corner, cross) = (a0 * b0, a0 * b1);
    let middle = a1 * b0 + (corner >> 32) + (cross & LOW);
    let (low, high) = (middle << 32 | corner & LOW, a1 * b1 + (middle >> 32) + (cross >> 32));
    let (low, first) = low.overflowing_add(c);
    let (low, second) = low.overflowing_add(d);
    (low, high + u64::from(first) + u64::from(second))
}

/// sum + a·b: its lowest limb, and the four above.
#[inline(always)]
fn add_row(sum: [u64; LIMBS], a: u64, b: [u64; LIMBS]) -> (u64, [u64; LIMBS]) {
    let (r0, carry) = multiply_add(a, b[0], sum[0], 0);
    let (r1, carry) = multiply_add(a, b[1], sum[1], carry);
    let (r2, carry) = multiply_add(a, b[2], sum[2], carry);
    let (r3, carry) = multiply_add(a, b[3], sum[3], carry);
    (r0, [r1, r2, r3, carry])
}

/// 2^256 - gap. Both secp256k1's field prime and its group order have a small gap, so one reduction, which replaces 2^256
/// by the gap, serves both.
pub struct Modulus {
    pub value: Number,
    /// Of which the highest limb is zero.
    gap: [u64; LIMBS],
}

impl Modulus {
    pub const fn new(value: Number) -> Modulus {
        Modulus { value, gap: Number::ZERO.minus(value).0 .0 }
    }

    // These take and return numbers below the modulus.

    pub fn add(&self, a: Number, b: Number) -> Number {
        let (sum, carry) = a.plus(b);
        let (reduced, borrow) = sum.minus(self.value);
        if carry || !borrow {
            reduced
        } else {
            sum
        }
    }

    pub fn sub(&self, a: Number, b: Number) -> Number {
        match a.minus(b) {
            (difference, true) => difference.plus(self.value).0,
            (difference, false) => difference,
        }
    }

    pub fn mul(&self, a: Number, b: Number) -> Number {
        let (r0, sum) = add_row([0; LIMBS], a.0[0], b.0);
        let (r1, sum) = add_row(sum, a.0[1], b.0);
        let (r2, sum) = add_row(sum, a.0[2], b.0);
        let (r3, mut high) = add_row(sum, a.0[3], b.0);
        let mut low = [r0, r1, r2, r3];
        // Each turn replaces high·2^256 by high·gap, which is shorter by at least 127 bits.
        while high[1] | high[2] | high[3] != 0 {
            let (r0, sum) = add_row(low, self.gap[0], high);
            if self.gap[1] | self.gap[2] == 0 {
                low = [r0, sum[0], sum[1], sum[2]];
                high = [sum[3], 0, 0, 0];
                continue;
            }
            let (r1, sum) = add_row(sum, self.gap[1], high);
            let (r2, sum) = add_row(sum, self.gap[2], high);
            low = [r0, r1, r2, sum[0]];
            high = [sum[1], sum[2], sum[3], 0];
        }
        while high[0] != 0 {
            let (r0, sum) = add_row(low, high[0], self.gap);
            low = [r0, sum[0], sum[1], sum[2]];
            high[0] = sum[3];
        }
        match Number(low).minus(self.value) {
            (_, true) => Number(low),
            (reduced, false) => reduced,
        }
    }

    pub fn square(&self, a: Number) -> Number {
        self.mul(a, a)
    }

    pub fn power(&self, base: Number, exponent: Number) -> Number {
        let mut result = Number::ONE;
        for i in (0..256).rev() {
            result = self.square(result);
            if exponent.bit(i) {
                result = self.mul(result, base);
            }
        }
        result
    }

    /// Fermat's: both moduli are prime. The inverse of zero is zero.
    pub fn inverse(&self, a: Number) -> Number {
        self.power(a, self.value.minus(Number::small(2)).0)
    }
}
