//! What became of a payload.

use crate::answers::{says, Answers, NonceState};
use crate::needs::{RECEIPT, STATE, STATE_FINAL};
use crate::receipt::{self, Receipt};
use crate::verify::checked_payload;
use purser_sdk::{ChainStatus, FactsRequest, FactsResult, Life, Quote, Rejection};

/// Missing answers weaken what it says, never strengthen it: without proof an authorization is live, because a
/// reservation that is given back too early can be spent twice.
pub fn facts(quote: &Quote, request: &FactsRequest) -> Result<FactsResult, Rejection> {
    let (terms, payload) = checked_payload(&request.payload, quote)?;
    let answers = Answers(&request.answers);
    let found = receipt::read(answers, &terms.token, &payload.authorization)?;
    if matches!(&found, Some(receipt) if receipt.succeeded && !receipt.used && !receipt.canceled) {
        let text = "the transaction has nothing to do with this authorization";
        return Err(says("receipt_mismatch", RECEIPT, text));
    }
    let latest = answers.state_if_any(STATE, &terms.token)?;
    let last = answers.state_if_any(STATE_FINAL, &terms.token)?;
    let (status, life) = judge(found.as_ref(), latest, last, payload.authorization.valid_before);
    let receipt = found.unwrap_or_default();
    Ok(FactsResult {
        status,
        life,
        transaction: receipt.hash,
        block: receipt.block,
        block_time_unix_s: receipt.block_time_s,
        gas_used: receipt.gas_used,
        fee: receipt.fee,
        transferred: receipt.transferred,
        ..FactsResult::default()
    })
}

/// Combines what was read. Only the finalized state proves anything for good: a receipt, like the latest state, can
/// vanish in a reorganisation.
fn judge(receipt: Option<&Receipt>, latest: NonceState, last: NonceState, valid_before_s: u64) -> (ChainStatus, Life) {
    let canceled = receipt.map_or(false, |r| r.canceled);
    match (last.used, latest.used) {
        (true, _) if canceled => (ChainStatus::Final, Life::Dead),
        (true, _) => (ChainStatus::Final, Life::Used),
        _ if last.time_s > 0 && last.time_s >= valid_before_s => (ChainStatus::Expired, Life::Dead),
        (_, true) if canceled => (ChainStatus::Included, Life::Live),
        (_, true) => (ChainStatus::Included, Life::Used),
        _ if receipt.map_or(false, |r| !r.succeeded) => (ChainStatus::Reverted, Life::Live),
        _ => (ChainStatus::Unknown, Life::Live),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNUSED: NonceState = NonceState { used: false, time_s: 0 };

    #[test]
    fn answers_that_contradict_each_other_give_no_budget_back() {
        // used at finality wins over everything that says otherwise
        let spent = NonceState { used: true, time_s: 10 };
        assert_eq!(judge(None, UNUSED, spent, 5), (ChainStatus::Final, Life::Used));
        // an unanswered final state has time 0; a signed validBefore of 0 must not read as proof
        assert_eq!(judge(None, UNUSED, UNUSED, 0).1, Life::Live);
    }
}
