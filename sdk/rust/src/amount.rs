//! Amounts: a uint256 in the smallest unit of an asset. Never a float, never wrapping.

/// The number of decimal digits in the largest uint256.
const DIGITS_MAX: usize = 78;
const CHUNK: u64 = 1_000_000_000;
const CHUNK_DIGITS: usize = 9;

/// A number of the smallest unit of an asset (for USDC: millionths of a dollar). It cannot hold a fraction and cannot
/// be negative; amounts compare with `<`, `==` and the like. The default is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    // Most significant first, so that the derived order is the order of numbers. Fields, not an array: those are compared
    // byte by byte.
    a: u64,
    b: u64,
    c: u64,
    d: u64,
}

const LOW: u64 = 0xffff_ffff;

impl Amount {
    /// Reads a decimal integer: `10000`. None for signs, exponents, leading zeros, the empty string and anything above
    /// 2^256-1.
    pub fn parse(text: &str) -> Option<Amount> {
        let digits = text.as_bytes();
        if digits.is_empty() || digits.len() > DIGITS_MAX || digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        let mut amount = Amount::default();
        for (i, chunk) in digits.chunks(CHUNK_DIGITS).enumerate() {
            let (mut scale, mut value) = (1, 0);
            for &digit in chunk {
                if !digit.is_ascii_digit() {
                    return None;
                }
                scale *= 10;
                value = value * 10 + u64::from(digit - b'0');
            }
            amount = if i == 0 { Amount::from(value) } else { amount.multiply_add(scale, value)? };
        }
        Some(amount)
    }

    /// Reads a big-endian number of at most 32 bytes without a leading zero byte; no bytes are zero.
    pub fn from_big_endian(bytes: &[u8]) -> Option<Amount> {
        if bytes.len() > 32 || bytes.first() == Some(&0) {
            return None;
        }
        if bytes.len() <= 8 {
            return Some(Amount::from(bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))));
        }
        let mut word = [0; 32];
        word[32 - bytes.len()..].copy_from_slice(bytes);
        Some(Amount::from_word(&word))
    }

    /// Reads the 32-byte big-endian form, as the EVM stores it.
    pub fn from_word(word: &[u8; 32]) -> Amount {
        let at = |i: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&word[i..i + 8]);
            u64::from_be_bytes(eight)
        };
        Amount { a: at(0), b: at(8), c: at(16), d: at(24) }
    }

    /// The 32-byte big-endian form, as the EVM stores it.
    pub fn word(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip([self.a, self.b, self.c, self.d]) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// The shortest big-endian form; zero has no bytes.
    pub fn big_endian(self) -> Vec<u8> {
        self.shortest(&mut [0; 32]).to_vec()
    }

    pub(crate) fn shortest(self, word: &mut [u8; 32]) -> &[u8] {
        *word = self.word();
        let first = word.iter().position(|&byte| byte != 0).unwrap_or(32);
        &word[first..]
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self == Amount::default()
    }

    /// The amount, when it fits.
    pub fn to_u64(self) -> Option<u64> {
        (self.a | self.b | self.c == 0).then_some(self.d)
    }

    /// self + other, or None above 2^256-1.
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        let (d, carry) = plus(self.d, other.d, false);
        let (c, carry) = plus(self.c, other.c, carry);
        let (b, carry) = plus(self.b, other.b, carry);
        let (a, carry) = plus(self.a, other.a, carry);
        (!carry).then_some(Amount { a, b, c, d })
    }

    /// self - other, or None when other is larger.
    pub fn checked_sub(self, other: Amount) -> Option<Amount> {
        let (d, borrow) = minus(self.d, other.d, false);
        let (c, borrow) = minus(self.c, other.c, borrow);
        let (b, borrow) = minus(self.b, other.b, borrow);
        let (a, borrow) = minus(self.a, other.a, borrow);
        (!borrow).then_some(Amount { a, b, c, d })
    }

    /// self * factor, or None above 2^256-1.
    pub fn checked_mul(self, factor: u64) -> Option<Amount> {
        let low = self.multiply_add(factor & LOW, 0)?;
        if factor >> 32 == 0 {
            return Some(low);
        }
        let high = self.multiply_add(factor >> 32, 0)?;
        if high.a >> 32 != 0 {
            return None;
        }
        low.checked_add(Amount {
            a: high.a << 32 | high.b >> 32,
            b: high.b << 32 | high.c >> 32,
            c: high.c << 32 | high.d >> 32,
            d: high.d << 32,
        })
    }

    /// self * factor + term, both below 2^32.
    fn multiply_add(self, factor: u64, term: u64) -> Option<Amount> {
        // Each word in halves, because WebAssembly multiplies 64 bits and keeps 64.
        let step = |word: u64, carry: u64| {
            let low = (word & LOW) * factor + carry;
            let high = (word >> 32) * factor + (low >> 32);
            (high << 32 | low & LOW, high >> 32)
        };
        let (d, carry) = step(self.d, term);
        let (c, carry) = step(self.c, carry);
        let (b, carry) = step(self.b, carry);
        let (a, carry) = step(self.a, carry);
        (carry == 0).then_some(Amount { a, b, c, d })
    }

    /// self / 10^9 and the remainder.
    fn divide(self) -> (Amount, u64) {
        let step = |word: u64, remainder: u64| {
            let high = remainder << 32 | word >> 32;
            let low = ((high % CHUNK) << 32) | (word & LOW);
            (((high / CHUNK) << 32) | (low / CHUNK), low % CHUNK)
        };
        let (a, remainder) = step(self.a, 0);
        let (b, remainder) = step(self.b, remainder);
        let (c, remainder) = step(self.c, remainder);
        let (d, remainder) = step(self.d, remainder);
        (Amount { a, b, c, d }, remainder)
    }

    /// The decimal digits, the only spelling that parse takes. It needs none of the formatting machinery that
    /// `to_string` brings into a module.
    pub fn decimal(self) -> String {
        let mut digits = [b'0'; DIGITS_MAX];
        let mut rest = self;
        let mut at = digits.len();
        while rest.to_u64().is_none() {
            let (quotient, mut remainder) = rest.divide();
            rest = quotient;
            at -= CHUNK_DIGITS;
            for digit in digits[at..at + CHUNK_DIGITS].iter_mut().rev() {
                *digit = b'0' + (remainder % 10) as u8;
                remainder /= 10;
            }
        }
        let mut last = rest.d;
        loop {
            at -= 1;
            digits[at] = b'0' + (last % 10) as u8;
            last /= 10;
            if last == 0 {
                return std::str::from_utf8(&digits[at..]).unwrap_or_default().to_owned();
            }
        }
    }
}

fn plus(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(u64::from(carry));
    (sum, first || second)
}

fn minus(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(u64::from(borrow));
    (difference, first || second)
}

impl From<u64> for Amount {
    fn from(n: u64) -> Amount {
        Amount { d: n, ..Amount::default() }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.decimal())
    }
}
