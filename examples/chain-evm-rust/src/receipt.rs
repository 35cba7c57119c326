//! What a receipt says of one authorization.

use crate::address::Address;
use crate::answers::{invalid, Answers};
use crate::eip3009::{Authorization, Token, TOPIC_CANCELED, TOPIC_TRANSFER, TOPIC_USED};
use crate::hex::{self, Word, WORD_BYTES};
use crate::json::{self, Value};
use crate::needs::RECEIPT;
use crate::payload::SECONDS_MAX;
use purser_sdk::{Amount, Rejection};

#[derive(Default)]
pub struct Receipt {
    pub hash: String,
    pub block: u64,
    /// 0: the node does not say.
    pub block_time_s: u64,
    pub gas_used: u64,
    pub fee: Amount,
    pub succeeded: bool,
    /// Holds this authorization's AuthorizationUsed.
    pub used: bool,
    /// Holds this authorization's AuthorizationCanceled.
    pub canceled: bool,
    pub transferred: Amount,
}

/// Reads the host's receipt; None when there is none or the transaction is still pending.
pub fn read(answers: Answers<'_>, token: &Token, authorization: &Authorization) -> Result<Option<Receipt>, Rejection> {
    let answer = match answers.find(RECEIPT) {
        Some(answer) if answer.error.is_empty() => answer,
        _ => return Ok(None),
    };
    match json::parse(&answer.result) {
        Some(Value::Null) => Ok(None),
        root => root.and_then(|root| parse(&root, token, authorization)).map(Some).ok_or_else(|| invalid(RECEIPT)),
    }
}

fn parse(root: &Value, token: &Token, authorization: &Authorization) -> Option<Receipt> {
    let status = quantity(root.member("status")).filter(|&status| status <= 1)?;
    let hash = root.member("transactionHash").text();
    hex::parse_word(hash)?;
    let gas_used = quantity(root.member("gasUsed"))?;
    let mut receipt = Receipt {
        hash: hash.to_owned(),
        block: quantity(root.member("blockNumber"))?,
        gas_used,
        fee: fee_of(root, gas_used)?,
        succeeded: status == 1,
        ..Receipt::default()
    };
    match root.member("logs") {
        Value::Array(logs) => receipt.read_logs(logs, token, authorization)?,
        _ => return None,
    }
    Some(receipt)
}

/// Adds what was paid for gas and, on an OP-stack network, for data on the first layer. The operator fee of those
/// networks is not in a receipt; it is left out.
fn fee_of(root: &Value, gas_used: u64) -> Option<Amount> {
    let fee = big_quantity(root.member("effectiveGasPrice"))?.checked_mul(gas_used)?;
    match root.member("l1Fee") {
        Value::Absent | Value::Null => Some(fee),
        layer_one => fee.checked_add(big_quantity(layer_one)?),
    }
}

impl Receipt {
    /// Looks for this authorization's events from this token only. A batch may hold several payments, so the transfer is
    /// the log that directly follows the authorization's own: the token writes the two together.
    fn read_logs(&mut self, logs: &[Value], token: &Token, authorization: &Authorization) -> Option<()> {
        let (from, to) = (authorization.from.word(), authorization.to.word());
        let mut after_used = false;
        for log in logs {
            let emitter = Address::parse(log.member("address").text())?;
            if *log.member("removed") == Value::Bool(true) {
                return None;
            }
            if let Some(time_s) = quantity(log.member("blockTimestamp")) {
                self.block_time_s = time_s;
            }
            let topics = log.member("topics").children();
            let ours = emitter == token.contract && self.succeeded;
            if ours && after_used && has_topics(&topics, &[TOPIC_TRANSFER, from, to]) {
                self.transferred = big_word(log.member("data"))?;
            }
            after_used = ours && has_topics(&topics, &[TOPIC_USED, from, authorization.nonce]);
            self.used |= after_used;
            self.canceled |= ours && has_topics(&topics, &[TOPIC_CANCELED, from, authorization.nonce]);
        }
        Some(())
    }
}

fn has_topics(topics: &[&Value], want: &[Word]) -> bool {
    topics.len() == want.len() && topics.iter().zip(want).all(|(got, want)| hex::parse_word(got.text()) == Some(*want))
}

/// A JSON-RPC quantity of at most 2^53-1: "0x1a", without leading zeros.
fn quantity(value: &Value) -> Option<u64> {
    big_quantity(value)?.to_u64().filter(|&n| n <= SECONDS_MAX)
}

fn big_quantity(value: &Value) -> Option<Amount> {
    let digits = value.text().strip_prefix("0x")?;
    if digits.is_empty() || digits.len() > 2 * WORD_BYTES || digits.starts_with('0') && digits.len() > 1 {
        return None;
    }
    let padding = if digits.len() % 2 == 1 { "0x0" } else { "0x" };
    amount_of_hex(&[padding, digits].concat())
}

fn big_word(value: &Value) -> Option<Amount> {
    if value.text().len() != 2 + 2 * WORD_BYTES {
        return None;
    }
    amount_of_hex(value.text())
}

fn amount_of_hex(text: &str) -> Option<Amount> {
    Amount::from_big_endian(hex::without_leading_zeros(&hex::parse(text)?))
}
