//! The one call that settles a payload.

use crate::eip3009::{append_uint, SELECTOR_TRANSFER};
use crate::payload::Payload;
use crate::recover::SIGNATURE_BYTES;
use crate::verify::{amount_matches, checked_payload};
use purser_sdk::{PlanRequest, Quote, Rejection, Template};

/// Checks the payload again: a relayer pays gas for what this returns. Nonce, fees and key are the host's.
pub fn plan(quote: &Quote, request: &PlanRequest, gas_max: u64) -> Result<Vec<Template>, Rejection> {
    let (terms, payload) = checked_payload(&request.payload, quote)?;
    amount_matches(&payload.authorization, &terms)?;
    Ok(vec![Template {
        network: quote.network.clone(),
        to: terms.token.contract.text(),
        data: transfer_call(&payload),
        gas_max,
        ..Template::default()
    }])
}

/// The call data of transferWithAuthorization in its v, r, s form. The signature is 65 bytes long or cut or padded to it;
/// needs simulates before anything is checked, and the simulation of a wrong one fails.
pub fn transfer_call(payload: &Payload) -> Vec<u8> {
    let mut signature = [0; SIGNATURE_BYTES];
    let given = payload.signature.len().min(SIGNATURE_BYTES);
    signature[..given].copy_from_slice(&payload.signature[..given]);
    let mut data = SELECTOR_TRANSFER.to_vec();
    payload.authorization.append_fields(&mut data);
    append_uint(&mut data, u64::from(signature[64]));
    data.extend_from_slice(&signature[..64]);
    data
}
