//! The facilitator's side: would this payload move the quoted amount to the payee, if submitted now?

use crate::answers::{missing, says, Answers};
use crate::assemble::signature_invalid;
use crate::build::summary_of;
use crate::eip3009::{Authorization, Token};
use crate::json;
use crate::needs::{BALANCE, CODE, SIMULATE, STATE};
use crate::payload::{self, Payload};
use crate::terms::{terms_of, Terms};
use purser_sdk::chain::reject;
use purser_sdk::{Quote, Rejection, Summary, VerifyRequest};

/// How long an authorization must still live for a transaction to land in time; the official facilitator uses the same.
const SETTLE_MARGIN_S: u64 = 6;

/// The checks stand in the official order, so that a payload with several faults gets the same first reason.
pub fn verify(quote: &Quote, request: &VerifyRequest) -> Result<Summary, Rejection> {
    let (terms, payload) = checked_payload(&request.payload, quote)?;
    let authorization = &payload.authorization;
    in_time(authorization, request.now_unix_s, request.chain_time_unix_s)?;
    amount_matches(authorization, &terms)?;
    on_chain(Answers(&request.answers), &terms.token, authorization)?;
    Ok(summary_of(quote, authorization))
}

/// Reads quote and payload and checks signature and payee.
pub fn checked_payload(document: &[u8], quote: &Quote) -> Result<(Terms, Payload), Rejection> {
    let terms = terms_of(quote)?;
    let payload = payload::read(document)?;
    let authorization = &payload.authorization;
    if !authorization.is_signed_by_payer(&authorization.preimage(&terms.token), &payload.signature) {
        return Err(signature_invalid("payload.signature"));
    }
    if authorization.to != terms.payee {
        return Err(reject("recipient_mismatch", "payload.authorization.to", "the payment goes to somebody else"));
    }
    Ok((terms, payload))
}

/// Compares with both clocks, since the token asks the block and the merchant the wall: both must be inside the window,
/// which the token bounds strictly.
fn in_time(authorization: &Authorization, now_s: u64, chain_time_s: u64) -> Result<(), Rejection> {
    let chain_time_s = if chain_time_s == 0 { now_s } else { chain_time_s };
    let (earliest, latest) = (now_s.min(chain_time_s), now_s.max(chain_time_s));
    if authorization.valid_before.checked_sub(SETTLE_MARGIN_S).map_or(true, |last| last < latest) {
        return Err(reject(
            "expired",
            "payload.authorization.validBefore",
            "the authorization ends too soon to be settled",
        ));
    }
    if authorization.valid_after >= earliest {
        return Err(reject("not_yet_valid", "payload.authorization.validAfter", "the authorization has not begun"));
    }
    Ok(())
}

pub fn amount_matches(authorization: &Authorization, terms: &Terms) -> Result<(), Rejection> {
    if authorization.value != terms.amount {
        return Err(reject("amount_mismatch", "payload.authorization.value", "the amount is not the quoted one"));
    }
    Ok(())
}

/// Reads the answers of the network, the telling ones before the simulation that only says no.
fn on_chain(answers: Answers<'_>, token: &Token, authorization: &Authorization) -> Result<(), Rejection> {
    // Code includes EIP-7702 delegations: the token then never falls back to ecrecover.
    if !answers.hex_bytes(CODE)?.is_empty() {
        let text = "the payer has code, so the token would not accept this signature";
        return Err(reject("payer_is_contract", "payload.authorization.from", text));
    }
    if answers.state(STATE, token)?.used {
        return Err(reject("nonce_used", "payload.authorization.nonce", "the authorization was used or cancelled"));
    }
    if answers.amount(BALANCE)? < authorization.value {
        return Err(reject(
            "insufficient_balance",
            "payload.authorization.value",
            "the payer holds less than the amount",
        ));
    }
    let answer = answers.find(SIMULATE).ok_or_else(|| missing(SIMULATE))?;
    // A revert and a failing endpoint look alike here, and neither proves that the transfer would pass.
    let passed = answer.error.is_empty() && json::parse(&answer.result).map_or(false, |value| value.text() == "0x");
    if !passed {
        return Err(says("simulation_failed", SIMULATE, "the transfer does not pass on the network"));
    }
    Ok(())
}
