//! Hex digits and big-endian words.

pub const WORD_BYTES: usize = 32;
pub type Word = [u8; WORD_BYTES];

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The digits without a prefix.
pub fn digits(data: &[u8]) -> String {
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    data.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

/// 0x and the digits.
pub fn text(data: &[u8]) -> String {
    ["0x", &digits(data)].concat()
}

/// Reads exactly as many hex digits of any case as fill the slice.
pub fn decode_into(into: &mut [u8], digits: &[u8]) -> bool {
    if digits.len() != 2 * into.len() {
        return false;
    }
    for (byte, pair) in into.iter_mut().zip(digits.chunks_exact(2)) {
        match (value(pair[0]), value(pair[1])) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return false,
        }
    }
    true
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A word of this program's own source; anything but 64 digits does not compile.
pub const fn constant(digits: &[u8; 64]) -> Word {
    let mut word = [0; WORD_BYTES];
    let mut i = 0;
    while i < WORD_BYTES {
        word[i] = match (value(digits[2 * i]), value(digits[2 * i + 1])) {
            (Some(high), Some(low)) => high << 4 | low,
            _ => panic!("not a hex digit"),
        };
        i += 1;
    }
    word
}

/// Reads 0x and an even number of hex digits.
pub fn parse(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let mut data = vec![0; digits.len() / 2];
    decode_into(&mut data, digits).then_some(data)
}

/// Reads 0x and 64 hex digits.
pub fn parse_word(text: &str) -> Option<Word> {
    let mut word = [0; WORD_BYTES];
    decode_into(&mut word, text.strip_prefix("0x")?.as_bytes()).then_some(word)
}

/// A number of at most 8 bytes.
pub fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// The number in a word, when it fits.
pub fn small(word: &[u8]) -> Option<u64> {
    let (high, low) = word.split_at(WORD_BYTES - 8);
    high.iter().all(|&byte| byte == 0).then_some(big_endian(low))
}

pub fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let first = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len());
    &bytes[first..]
}
