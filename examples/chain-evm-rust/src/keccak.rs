//! The legacy Keccak-256 of Ethereum: padding 0x01, where SHA3-256 has 0x06.

use crate::hex::Word;

const RATE_BYTES: usize = 136; // 1600 - 2*256 bits
const LANES: usize = 25;

/// Iota's (FIPS 202, section 3.2.5).
const ROUND_CONSTANTS: [u64; 24] = [
    0x0000000000000001,
    0x0000000000008082,
    0x800000000000808a,
    0x8000000080008000,
    0x000000000000808b,
    0x0000000080000001,
    0x8000000080008081,
    0x8000000000008009,
    0x000000000000008a,
    0x0000000000000088,
    0x0000000080008009,
    0x000000008000000a,
    0x000000008000808b,
    0x800000000000008b,
    0x8000000000008089,
    0x8000000000008003,
    0x8000000000008002,
    0x8000000000000080,
    0x000000000000800a,
    0x800000008000000a,
    0x8000000080008081,
    0x8000000000008080,
    0x0000000080000001,
    0x8000000080008008,
];

/// Rho and pi walk the same path through the lanes: the lane each step writes, and how far it is rotated.
const PATH: [(usize, u32); LANES - 1] = [
    (10, 1),
    (7, 3),
    (11, 6),
    (17, 10),
    (18, 15),
    (3, 21),
    (5, 28),
    (16, 36),
    (8, 45),
    (21, 55),
    (24, 2),
    (4, 14),
    (15, 27),
    (23, 41),
    (19, 56),
    (13, 8),
    (12, 25),
    (2, 43),
    (20, 62),
    (14, 18),
    (22, 39),
    (9, 61),
    (6, 20),
    (1, 44),
];

/// The sum of the parts, one behind the other.
pub fn keccak256(parts: &[&[u8]]) -> Word {
    let mut state = [0; LANES];
    let mut at = 0;
    for &byte in parts.iter().copied().flatten() {
        absorb(&mut state, at, byte);
        at += 1;
        if at == RATE_BYTES {
            permute(&mut state);
            at = 0;
        }
    }
    absorb(&mut state, at, 0x01);
    absorb(&mut state, RATE_BYTES - 1, 0x80);
    permute(&mut state);
    let mut sum = [0; 32];
    for (bytes, lane) in sum.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    sum
}

fn absorb(state: &mut [u64; LANES], at: usize, byte: u8) {
    state[at / 8] ^= u64::from(byte) << (8 * (at % 8));
}

fn permute(a: &mut [u64; LANES]) {
    for round_constant in ROUND_CONSTANTS {
        let mut column = [0; 5];
        for (x, column) in column.iter_mut().enumerate() {
            *column = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        }
        for x in 0..5 {
            let mix = column[(x + 4) % 5] ^ column[(x + 1) % 5].rotate_left(1);
            for y in 0..5 {
                a[x + 5 * y] ^= mix;
            }
        }
        let mut carried = a[1];
        for (lane, turns) in PATH {
            let turned = carried.rotate_left(turns);
            carried = a[lane];
            a[lane] = turned;
        }
        for row in a.chunks_exact_mut(5) {
            let before = [row[0], row[1], row[2], row[3], row[4]];
            for x in 0..5 {
                row[x] = before[x] ^ !before[(x + 1) % 5] & before[(x + 2) % 5];
            }
        }
        a[0] ^= round_constant;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn published_sums_are_matched() {
        for (text, want) in [
            ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
            (
                "The quick brown fox jumps over the lazy dog",
                "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
            ),
        ] {
            assert_eq!(hex::digits(&keccak256(&[text.as_bytes()])), want, "{}", text);
        }
    }

    /// Around the block edges, padding may need a block of its own.
    #[test]
    fn every_length_is_padded_and_may_come_in_parts() {
        let zeros = [0; 3 * RATE_BYTES + 2];
        let mut seen = Vec::new();
        for n in 0..zeros.len() {
            let sum = keccak256(&[&zeros[..n]]);
            assert_eq!(keccak256(&[&zeros[..n / 2], &zeros[n / 2..n]]), sum, "{} bytes in two parts", n);
            assert!(!seen.contains(&sum), "{} zero bytes have the sum of fewer", n);
            seen.push(sum);
        }
    }
}
