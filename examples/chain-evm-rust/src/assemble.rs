//! Makes the wire payload.

use crate::build::SIGNING_ID;
use crate::eip3009::Authorization;
use crate::payload;
use purser_sdk::chain::reject;
use purser_sdk::{AssembleRequest, Rejection};

pub fn assemble(request: &AssembleRequest) -> Result<Vec<u8>, Rejection> {
    let authorization = Authorization::from_preimage(&request.state)
        .ok_or_else(|| reject("state_invalid", "state", "the state is not one that build returned"))?;
    let signature = match &request.signatures[..] {
        [only] if only.id == SIGNING_ID => &only.signature,
        _ => {
            let text = ["want exactly one signature, ", SIGNING_ID].concat();
            return Err(reject("signature_missing", "signatures", &text));
        }
    };
    if !authorization.is_signed_by_payer(&request.state, signature) {
        return Err(signature_invalid("signatures"));
    }
    Ok(payload::write(&authorization, signature))
}

pub fn signature_invalid(field: &str) -> Rejection {
    let text = "the signature is not the payer's, or not 65 bytes with low s and v 27 or 28";
    reject("signature_invalid", field, text)
}
