//! 20-byte accounts and contracts.

use crate::hex::{self, Word, WORD_BYTES};
use crate::keccak::keccak256;

const ADDRESS_BYTES: usize = 20;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Address(pub [u8; ADDRESS_BYTES]);

impl Address {
    /// Reads 0x and 40 hex digits of any case. The checksum in the case of the letters is not checked: x402 parties send
    /// lower case too.
    pub fn parse(text: &str) -> Option<Address> {
        let mut address = Address::default();
        hex::decode_into(&mut address.0, text.strip_prefix("0x")?.as_bytes()).then_some(address)
    }

    /// The address in the low bytes of a word, whatever is above them.
    pub fn from_word(word: &[u8]) -> Address {
        let mut address = Address::default();
        address.0.copy_from_slice(&word[WORD_BYTES - ADDRESS_BYTES..]);
        address
    }

    pub fn word(self) -> Word {
        let mut word = [0; WORD_BYTES];
        word[WORD_BYTES - ADDRESS_BYTES..].copy_from_slice(&self.0);
        word
    }

    /// The lower-case spelling.
    pub fn text(self) -> String {
        hex::text(&self.0)
    }

    /// The EIP-55 spelling.
    pub fn checksum(self) -> String {
        let digits = hex::digits(&self.0);
        let hash = keccak256(&[digits.as_bytes()]);
        let mut text = String::from("0x");
        for (i, digit) in digits.chars().enumerate() {
            let nibble = hash[i / 2] >> (4 - 4 * (i % 2)) & 0x0f;
            text.push(if nibble >= 8 { digit.to_ascii_uppercase() } else { digit });
        }
        text
    }
}
