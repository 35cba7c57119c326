//! The x402 `payload` member.

use crate::address::Address;
use crate::eip3009::Authorization;
use crate::hex;
use crate::json::{self, Value};
use purser_sdk::chain::reject;
use purser_sdk::{Amount, Rejection};

/// The largest number the ABI carries. A later validBefore would be legal on chain; nobody honest asks for it.
pub const SECONDS_MAX: u64 = (1 << 53) - 1;

/// A payer's claim.
pub struct Payload {
    pub authorization: Authorization,
    pub signature: Vec<u8>,
}

/// Writes the payload as the official client does: addresses in EIP-55 spelling, numbers as decimal strings, the nonce
/// as 32 bytes of hex.
pub fn write(a: &Authorization, signature: &[u8]) -> Vec<u8> {
    let members = [
        "{\"signature\":\"",
        &hex::text(signature),
        "\",\"authorization\":{\"from\":\"",
        &a.from.checksum(),
        "\",\"to\":\"",
        &a.to.checksum(),
        "\",\"value\":\"",
        &a.value.decimal(),
        "\",\"validAfter\":\"",
        &Amount::from(a.valid_after).decimal(),
        "\",\"validBefore\":\"",
        &Amount::from(a.valid_before).decimal(),
        "\",\"nonce\":\"",
        &hex::text(&a.nonce),
        "\"}}",
    ];
    members.concat().into_bytes()
}

/// Reads a payload from anybody. Members it does not know are left alone, as the official facilitator does, but nothing
/// it needs may be missing, repeated or of another type.
pub fn read(document: &[u8]) -> Result<Payload, Rejection> {
    let invalid = |field: &str, text: &str| reject("payload_invalid", field, text);
    let root = json::parse(document).filter(|root| matches!(root, Value::Object(_)));
    let root = root.ok_or_else(|| invalid("payload", "the payload is not a JSON object of plain size"))?;
    let signature = hex::parse(root.member("signature").text())
        .ok_or_else(|| invalid("payload.signature", "want 0x and hex digits in a string"))?;
    let fields = root.member("authorization");
    let bad =
        |name: &str| invalid(&["payload.authorization.", name].concat(), "missing, not a string, or out of range");
    let text = |name: &str| fields.member(name).text();
    let address = |name: &str| Address::parse(text(name)).ok_or_else(|| bad(name));
    let number = |name: &str| Amount::parse(text(name)).ok_or_else(|| bad(name));
    let seconds = |name: &str| {
        let seconds = number(name)?.to_u64().filter(|&seconds| seconds <= SECONDS_MAX);
        seconds.ok_or_else(|| bad(name))
    };
    let authorization = Authorization {
        from: address("from")?,
        to: address("to")?,
        value: number("value")?,
        valid_after: seconds("validAfter")?,
        valid_before: seconds("validBefore")?,
        nonce: hex::parse_word(text("nonce")).ok_or_else(|| bad("nonce"))?,
    };
    Ok(Payload { authorization, signature })
}
