//! Makes what is to be signed.

use crate::address::Address;
use crate::eip3009::Authorization;
use crate::hex::WORD_BYTES;
use crate::terms::{terms_of, Terms};
use purser_sdk::chain::{reject, Built};
use purser_sdk::{BuildRequest, Intent, Quote, Rejection, SigningRequest, Summary};

/// Names the only signature of a payment.
pub const SIGNING_ID: &str = "authorization";
pub const KIND_EIP712: &str = "eip712";
pub const CURVE_SECP256K1: &str = "secp256k1";

pub fn build(intent: &Intent, quote: &Quote, request: &BuildRequest) -> Result<Built, Rejection> {
    let (terms, authorization) = to_sign(intent, quote, request)?;
    let preimage = authorization.preimage(&terms.token);
    let signing = SigningRequest {
        id: SIGNING_ID.to_owned(),
        kind: KIND_EIP712.to_owned(),
        curve: CURVE_SECP256K1.to_owned(),
        preimage: preimage.clone(),
        summary: Some(summary_of(quote, &authorization)),
    };
    // The preimage is all that assemble needs, and it can be checked again.
    Ok(Built { signing: vec![signing], state: preimage })
}

/// Compares the quote with the intent before it uses it: what the merchant asks now must be what was decided.
fn to_sign(intent: &Intent, quote: &Quote, request: &BuildRequest) -> Result<(Terms, Authorization), Rejection> {
    let same = [
        ("quote.scheme", quote.scheme == intent.scheme),
        ("quote.network", quote.network == intent.network),
        ("quote.asset", quote.asset == intent.asset),
        ("quote.payee", quote.payee == intent.payee),
        ("quote.amount", quote.amount == intent.amount),
    ];
    if let Some((field, _)) = same.iter().find(|(_, same)| !same) {
        return Err(reject("quote_differs", field, "the quote is not what the intent says"));
    }
    let terms = terms_of(quote)?;
    if !intent.amount_max.is_zero() && intent.amount > intent.amount_max {
        return Err(reject("amount_above_max", "intent.amount", "the amount is above the agent's own ceiling"));
    }
    let payer = Address::parse(&request.payer).filter(|&payer| payer != Address::default());
    let payer = payer.ok_or_else(|| reject("payer_invalid", "payer", "the payer is not an address"))?;
    if request.nonce.len() != WORD_BYTES {
        return Err(reject("nonce_invalid", "nonce", "the nonce has not 32 bytes"));
    }
    let (valid_after, valid_before) = (request.valid_after_unix_s, request.valid_before_unix_s);
    if valid_before <= request.now_unix_s.max(request.chain_time_unix_s) || valid_after >= valid_before {
        return Err(reject(
            "validity_invalid",
            "valid_before_unix_s",
            "the authorization would be over before it begins, or already is",
        ));
    }
    let mut authorization = Authorization {
        from: payer,
        to: terms.payee,
        value: terms.amount,
        valid_after,
        valid_before,
        ..Authorization::default()
    };
    authorization.nonce.copy_from_slice(&request.nonce);
    Ok((terms, authorization))
}

pub fn summary_of(quote: &Quote, authorization: &Authorization) -> Summary {
    Summary {
        network: quote.network.clone(),
        asset: quote.asset.clone(),
        payer: authorization.from.text(),
        payee: authorization.to.text(),
        amount: authorization.value,
        valid_after_unix_s: authorization.valid_after,
        valid_before_unix_s: authorization.valid_before,
        nonce: authorization.nonce.to_vec(),
    }
}
