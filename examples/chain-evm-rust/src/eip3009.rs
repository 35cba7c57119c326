//! What is signed: EIP-3009's TransferWithAuthorization, encoded by EIP-712.

use crate::address::Address;
use crate::hex::{big_endian, constant, without_leading_zeros, Word, WORD_BYTES};
use crate::keccak::keccak256;
use crate::recover::recover_signer;
use purser_sdk::Amount;

pub const DOMAIN_BYTES: usize = 5 * WORD_BYTES;
const PREIMAGE_BYTES: usize = 12 * WORD_BYTES;

/// EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)
const TYPE_HASH_DOMAIN: Word = constant(b"8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f");
/// TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)
const TYPE_HASH_TRANSFER: Word = constant(b"7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267");

/// Transfer(address,address,uint256)
pub const TOPIC_TRANSFER: Word = constant(b"ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// AuthorizationUsed(address,bytes32)
pub const TOPIC_USED: Word = constant(b"98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5");
/// AuthorizationCanceled(address,bytes32)
pub const TOPIC_CANCELED: Word = constant(b"1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81");

/// transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)
pub const SELECTOR_TRANSFER: [u8; 4] = [0xe3, 0xee, 0x16, 0x0e];
/// authorizationState(address,bytes32)
pub const SELECTOR_STATE: [u8; 4] = [0xe9, 0x4a, 0x01, 0x02];
/// balanceOf(address)
pub const SELECTOR_BALANCE: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// What the signing domain is made of.
pub struct Token {
    pub chain_id: u64,
    pub contract: Address,
    pub name: String,
    pub version: String,
}

/// The signed message.
#[derive(Clone, Copy, Default)]
pub struct Authorization {
    pub from: Address,
    pub to: Address,
    pub value: Amount,
    pub valid_after: u64,
    pub valid_before: u64,
    pub nonce: Word,
}

pub fn append_uint(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&Amount::from(n).word());
}

impl Authorization {
    /// Appends the six words that the signed struct and the contract call have in common.
    pub fn append_fields(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.from.word());
        out.extend_from_slice(&self.to.word());
        out.extend_from_slice(&self.value.word());
        append_uint(out, self.valid_after);
        append_uint(out, self.valid_before);
        out.extend_from_slice(&self.nonce);
    }

    /// EIP-712's encodeData of the domain, then of the struct: what the digest is made of, in a form that a signer can
    /// decode.
    pub fn preimage(&self, token: &Token) -> Vec<u8> {
        let mut out = Vec::with_capacity(PREIMAGE_BYTES);
        out.extend_from_slice(&TYPE_HASH_DOMAIN);
        out.extend_from_slice(&keccak256(&[token.name.as_bytes()]));
        out.extend_from_slice(&keccak256(&[token.version.as_bytes()]));
        append_uint(&mut out, token.chain_id);
        out.extend_from_slice(&token.contract.word());
        out.extend_from_slice(&TYPE_HASH_TRANSFER);
        self.append_fields(&mut out);
        out
    }

    /// Reads the struct part of a preimage that this adapter made, and accepts only its own bytes.
    pub fn from_preimage(preimage: &[u8]) -> Option<Authorization> {
        if preimage.len() != PREIMAGE_BYTES || preimage[..WORD_BYTES] != TYPE_HASH_DOMAIN {
            return None;
        }
        let words: Vec<&[u8]> = preimage[DOMAIN_BYTES + WORD_BYTES..].chunks_exact(WORD_BYTES).collect();
        let mut authorization = Authorization {
            from: Address::from_word(words[0]),
            to: Address::from_word(words[1]),
            value: Amount::from_big_endian(without_leading_zeros(words[2]))?,
            valid_after: big_endian(&words[3][24..]),
            valid_before: big_endian(&words[4][24..]),
            nonce: [0; WORD_BYTES],
        };
        authorization.nonce.copy_from_slice(words[5]);
        let mut again = TYPE_HASH_TRANSFER.to_vec();
        authorization.append_fields(&mut again);
        (again == preimage[DOMAIN_BYTES..]).then_some(authorization)
    }

    /// Whether the signature is the payer's, in the only form every such token takes.
    pub fn is_signed_by_payer(&self, preimage: &[u8], signature: &[u8]) -> bool {
        recover_signer(&digest(preimage), signature) == Some(self.from)
    }
}

fn digest(preimage: &[u8]) -> Word {
    let (domain, message) = preimage.split_at(DOMAIN_BYTES);
    keccak256(&[&[0x19, 0x01], &keccak256(&[domain]), &keccak256(&[message])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_hashes_and_selectors_are_those_of_their_texts() {
        let domain = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
        let fields = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce";
        for (text, want) in [
            (domain, TYPE_HASH_DOMAIN),
            (&*["TransferWithAuthorization(", fields, ")"].concat(), TYPE_HASH_TRANSFER),
            ("Transfer(address,address,uint256)", TOPIC_TRANSFER),
            ("AuthorizationUsed(address,bytes32)", TOPIC_USED),
            ("AuthorizationCanceled(address,bytes32)", TOPIC_CANCELED),
        ] {
            assert_eq!(keccak256(&[text.as_bytes()]), want, "{}", text);
        }
        let words = "address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32";
        for (text, want) in [
            (&*["transferWithAuthorization(", words, ")"].concat(), SELECTOR_TRANSFER),
            ("authorizationState(address,bytes32)", SELECTOR_STATE),
            ("balanceOf(address)", SELECTOR_BALANCE),
        ] {
            assert_eq!(keccak256(&[text.as_bytes()])[..4], want, "{}", text);
        }
    }
}
