//! Whose key made a signature.

use crate::address::Address;
use crate::curve::{root, two_products, Point, FIELD, GENERATOR, ORDER};
use crate::hex::Word;
use crate::keccak::keccak256;
use crate::modular::Number;

pub const SIGNATURE_BYTES: usize = 65;
const V_EVEN: u8 = 27;
const V_ODD: u8 = 28;

/// The address whose key made a signature r ‖ s ‖ v over the digest (SEC 1, section 4.1.6). It takes exactly what token
/// contracts take: 65 bytes, v of 27 or 28, r and s in range, and s in the lower half (EIP-2), because the twin with the
/// high s passes many verifiers and then reverts on chain.
pub fn recover_signer(digest: &Word, signature: &[u8]) -> Option<Address> {
    if signature.len() != SIGNATURE_BYTES {
        return None;
    }
    let (r, s, v) = (number(&signature[..32]), number(&signature[32..64]), signature[64]);
    let v_known = v == V_EVEN || v == V_ODD;
    if !v_known || r.is_zero() || s.is_zero() || !r.is_below(ORDER.value) || ORDER.value.half().is_below(s) {
        return None;
    }
    // v has no value for an x-coordinate of r + n, so r itself is the x-coordinate.
    let square = FIELD.add(FIELD.mul(FIELD.square(r), r), Number::small(7));
    let mut y = root(square);
    if FIELD.square(y) != square {
        return None;
    }
    if y.bit(0) != (v == V_ODD) {
        y = FIELD.sub(Number::ZERO, y);
    }
    let mut e = Number::from_word(digest);
    if !e.is_below(ORDER.value) {
        e = e.minus(ORDER.value).0;
    }
    // Q = (s·R - e·G) / r
    let inverse = ORDER.inverse(r);
    let (g_times, r_times) = (ORDER.mul(inverse, ORDER.sub(Number::ZERO, e)), ORDER.mul(inverse, s));
    let key = two_products(g_times, GENERATOR, r_times, Point { x: r, y, z: Number::ONE });
    if key.z.is_zero() {
        return None;
    }
    let (x, y) = key.affine();
    Some(Address::from_word(&keccak256(&[&x.word(), &y.word()])))
}

fn number(bytes: &[u8]) -> Number {
    let mut word = [0; 32];
    word.copy_from_slice(bytes);
    Number::from_word(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eip3009::Token;
    use crate::hex::{constant, parse};
    use crate::payload;

    /// The payment of the x402 specification: its signature was made by a wallet nobody here wrote.
    #[test]
    fn the_specifications_payment_recovers_to_its_payer() {
        let document = br#"{"signature":"0x2d6a7588d6acca505cbf0d9a4a227e0c52c6c34008c8e8986a1283259764173608a2ce6496642e377d6da8dbbf5836e9bd15092f9ecab05ded3d6293af148b571c",
            "authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66","to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000",
            "validAfter":"1740672089","validBefore":"1740672154","nonce":"0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"}}"#;
        let payload = payload::read(document).unwrap();
        let contract = Address::parse("0x036CbD53842c5426634e7929541eC2318f3dCF7e").unwrap();
        let token = |name: &str| Token { chain_id: 84532, contract, name: name.to_owned(), version: "2".to_owned() };
        let accepted = |name: &str| {
            let preimage = payload.authorization.preimage(&token(name));
            payload.authorization.is_signed_by_payer(&preimage, &payload.signature)
        };
        assert!(accepted("USDC"));
        assert!(!accepted("USD Coin"));
        let again = payload::read(&payload::write(&payload.authorization, &payload.signature)).unwrap();
        assert_eq!(again.signature, payload.signature);
        assert_eq!(again.authorization.preimage(&token("USDC")), payload.authorization.preimage(&token("USDC")));
    }

    #[test]
    fn one_spelling_of_a_signature_is_taken() {
        let digest = constant(b"296120694b7ac7224ee4aed71d410aa13d11368e57eef2ac0b3a7880967deeea");
        let good = parse("0xe5d9481f7c314134cf55f7ebf5b24085ae314cefdc15a828956f763b5aee921d25cee9f847588491fcb8a8bc15dd9ec743ca1c11d956d28e49342baf9b90ce471c").unwrap();
        let signer = Address::parse("0x2c7536e3605d9c16a7a3d7b1898e529396a65c23");
        assert_eq!(recover_signer(&digest, &good), signer);
        let edit = |at: usize, with: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + with.len()].copy_from_slice(with);
            bad
        };
        let high_s = ORDER.value.minus(number(&good[32..64])).0.word();
        let mut other_twin = edit(32, &high_s);
        other_twin[64] = 27;
        let mut five = [0; 32];
        five[31] = 5;
        let order = ORDER.value.word();
        for (name, bad) in [
            ("nothing", Vec::new()),
            ("64 bytes", good[..64].to_vec()),
            ("66 bytes", [&good[..], &[0]].concat()),
            ("v 0", edit(64, &[0])),
            ("v 1", edit(64, &[1])),
            ("v 29", edit(64, &[29])),
            ("high s, other v", other_twin),
            ("r zero", edit(0, &[0; 32])),
            ("s zero", edit(32, &[0; 32])),
            ("r is n", edit(0, &order)),
            ("s is n", edit(32, &order)),
            ("r is no x-coordinate", edit(0, &five)),
        ] {
            assert_eq!(recover_signer(&digest, &bad), None, "{}", name);
        }
        assert_ne!(recover_signer(&digest, &edit(64, &[27])), signer);
        let mut other = digest;
        other[0] += 1;
        assert_ne!(recover_signer(&other, &good), signer);
    }
}
