//! The reads that an operation needs.

use crate::address::Address;
use crate::eip3009::{Authorization, Token, SELECTOR_BALANCE, SELECTOR_STATE};
use crate::hex::{self, WORD_BYTES};
use crate::payload;
use crate::plan::transfer_call;
use crate::terms::terms_of;
use purser_sdk::chain::{quoted, reject};
use purser_sdk::{NeedsRequest, Query, Rejection};

// Answer ids. All but RECEIPT are asked for here; the receipt is handed over by a host that knows the transaction, as the
// result of eth_getTransactionReceipt, which is null while the transaction is pending.
pub const CODE: &str = "code";
pub const STATE: &str = "state";
pub const STATE_FINAL: &str = "state_final";
pub const BALANCE: &str = "balance";
pub const SIMULATE: &str = "simulate";
pub const RECEIPT: &str = "receipt";

pub const METHOD_CALL: &str = "eth_call";
pub const METHOD_CODE: &str = "eth_getCode";

const LATEST: &str = "latest";
const FINALIZED: &str = "finalized";

pub fn needs(request: &NeedsRequest, quorum: u64) -> Result<Vec<Query>, Rejection> {
    let facts = match &*request.operation {
        "build" | "plan" => return Ok(Vec::new()),
        "verify" => false,
        "facts" => true,
        _ => return Err(reject("operation_unknown", "operation", "want build, verify, plan or facts")),
    };
    let token = terms_of(quoted(&request.quote)?)?.token;
    let payload = payload::read(&request.payload)?;
    let authorization = &payload.authorization;
    let query = |id: &str, method: &str, params: String| Query {
        id: id.to_owned(),
        method: method.to_owned(),
        params: params.into_bytes(),
        quorum,
    };
    let state = |id: &str, block: &str| query(id, METHOD_CALL, state_params(&token, authorization, block));
    if facts {
        return Ok(vec![state(STATE, LATEST), state(STATE_FINAL, FINALIZED)]);
    }
    let balance = [&SELECTOR_BALANCE[..], &authorization.from.word()].concat();
    Ok(vec![
        query(CODE, METHOD_CODE, ["[\"", &authorization.from.text(), "\",\"", LATEST, "\"]"].concat()),
        state(STATE, LATEST),
        query(BALANCE, METHOD_CALL, call_params(token.contract, &balance)),
        query(SIMULATE, METHOD_CALL, call_params(token.contract, &transfer_call(&payload))),
    ])
}

fn call_params(to: Address, data: &[u8]) -> String {
    ["[{\"to\":\"", &to.text(), "\",\"data\":\"", &hex::text(data), "\"},\"", LATEST, "\"]"].concat()
}

/// Asks, in one read, whether the authorization is used, at what block time, and on which chain.
///
/// Two reads would race: "unused" from before a block that used it, together with "past validBefore" from after that
/// block, would declare a spent authorization dead and give its budget back. So the call creates no contract and calls
/// none; it runs a few instructions that ask the token and return the answer beside TIMESTAMP and CHAINID of the same
/// block. A node that returns anything else than the three words is not believed.
fn state_params(token: &Token, authorization: &Authorization, block: &str) -> String {
    ["[{\"data\":\"", &hex::text(&state_program(token, authorization)), "\"},\"", block, "\"]"].concat()
}

const WORD: u8 = WORD_BYTES as u8;
const CALL_BYTES: u8 = 4 + 2 * WORD;
const PROGRAM_BYTES: u8 = 64;
const JUMP_OFFSET: u8 = 50;
pub const STATE_ANSWER_BYTES: usize = 3 * WORD_BYTES;

/// EVM code that ends with its own call data; see state_params. It uses nothing newer than Istanbul.
#[rustfmt::skip] // one instruction group a line
fn state_program(token: &Token, authorization: &Authorization) -> Vec<u8> {
    let ask = [
        0x60, CALL_BYTES, 0x60, PROGRAM_BYTES, 0x60, 0x00, 0x39, // CODECOPY(0, PROGRAM_BYTES, CALL_BYTES)
        0x60, WORD, 0x60, 0x00, 0x60, CALL_BYTES, 0x60, 0x00, 0x73, // PUSH out size, out, in size, in; PUSH20
    ];
    let answer = [
        0x5a, 0xfa, // STATICCALL with all gas
        0x3d, 0x60, WORD, 0x14, 0x16, // and RETURNDATASIZE = 32: a contract, not an empty address
        0x60, JUMP_OFFSET, 0x57, // JUMPI behind the revert
        0x60, 0x00, 0x80, 0xfd, // REVERT(0, 0)
        0x5b, // JUMPDEST at JUMP_OFFSET
        0x42, 0x60, 0x20, 0x52, // MSTORE(32, TIMESTAMP)
        0x46, 0x60, 0x40, 0x52, // MSTORE(64, CHAINID)
        0x60, STATE_ANSWER_BYTES as u8, 0x60, 0x00, 0xf3, // RETURN(0, 96)
    ];
    let from = authorization.from.word();
    [&ask[..], &token.contract.0, &answer, &SELECTOR_STATE, &from, &authorization.nonce].concat()
}
