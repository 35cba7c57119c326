//! Amounts: uint256 in the smallest unit of an asset. Never a float, never wrapping.

use crate::wire::{Fields, Refused, Result};

/// A uint256, most significant word first, so that the derived order is the order of numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount([u64; 4]);

const DIGITS_MAX: usize = 78;

impl Amount {
    pub fn is_zero(self) -> bool {
        self == Amount::default()
    }

    /// Plain decimal digits without leading zeros, below 2^256.
    pub fn parse(text: &str) -> Option<Amount> {
        let plain = text.bytes().all(|c| c.is_ascii_digit()) && !text.is_empty() && text.len() <= DIGITS_MAX;
        if !plain || text.len() > 1 && text.starts_with('0') {
            return None;
        }
        text.bytes().try_fold(Amount::default(), |a, c| a.multiply_add(10, u64::from(c - b'0')))
    }

    /// self * factor, or None above 2^256-1.
    pub fn multiply(self, factor: u64) -> Option<Amount> {
        self.multiply_add(factor, 0)
    }

    fn multiply_add(self, factor: u64, term: u64) -> Option<Amount> {
        let mut words = self.0;
        let mut carry = u128::from(term);
        for word in words.iter_mut().rev() {
            let product = u128::from(*word) * u128::from(factor) + carry;
            *word = product as u64;
            carry = product >> 64;
        }
        if carry == 0 {
            Some(Amount(words))
        } else {
            None
        }
    }

    /// Reads the Amount message: both spellings must be there and agree, or two readers would judge two prices.
    pub fn decode(message: &[u8]) -> Result<Amount> {
        let (mut decimal, mut big_endian) = ("", &[][..]);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => decimal = field.text()?,
                2 => big_endian = field.message()?,
                _ => return Err(Refused),
            }
        }
        let amount = Amount::parse(decimal).ok_or(Refused)?;
        if amount.is_zero() || amount.big_endian() != big_endian {
            return Err(Refused);
        }
        Ok(amount)
    }

    fn big_endian(self) -> Vec<u8> {
        let bytes = self.0.iter().flat_map(|word| word.to_be_bytes());
        bytes.skip_while(|&byte| byte == 0).collect()
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words = self.0;
        let mut digits = Vec::new();
        while words != [0; 4] || digits.is_empty() {
            let mut remainder = 0u128;
            for word in words.iter_mut() {
                let dividend = remainder << 64 | u128::from(*word);
                *word = (dividend / 10) as u64;
                remainder = dividend % 10;
            }
            digits.push(char::from(b'0' + remainder as u8));
        }
        f.write_str(&digits.iter().rev().collect::<String>())
    }
}
