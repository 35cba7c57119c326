//! What the host read for this adapter. An endpoint's word is a claim like any other.

use crate::eip3009::Token;
use crate::hex::{self, WORD_BYTES};
use crate::json::{self, Value};
use crate::needs::STATE_ANSWER_BYTES;
use crate::payload::SECONDS_MAX;
use purser_sdk::chain::reject;
use purser_sdk::{Amount, Answer, Rejection};

pub const ANSWER_MISSING: &str = "answer_missing";

#[derive(Clone, Copy)]
pub struct Answers<'a>(pub &'a [Answer]);

/// What a block says of an authorization.
#[derive(Clone, Copy, Default)]
pub struct NonceState {
    pub used: bool,
    /// Of that block.
    pub time_s: u64,
}

fn field(id: &str) -> String {
    ["answers.", id].concat()
}

pub fn missing(id: &str) -> Rejection {
    reject(ANSWER_MISSING, &field(id), "the network did not answer")
}

pub fn invalid(id: &str) -> Rejection {
    reject("answer_invalid", &field(id), "the answer is not one this call can have")
}

pub fn says(code: &str, id: &str, text: &str) -> Rejection {
    reject(code, &field(id), text)
}

impl<'a> Answers<'a> {
    /// The only answer with that id. Of two answers to one question, neither is believed.
    pub fn find(self, id: &str) -> Option<&'a Answer> {
        let mut found = self.0.iter().filter(|answer| answer.id == id);
        let first = found.next()?;
        match found.next() {
            Some(_) => None,
            None => Some(first),
        }
    }

    /// An answer that is a JSON string of hex.
    pub fn hex_bytes(self, id: &str) -> Result<Vec<u8>, Rejection> {
        let answer = self.find(id).filter(|answer| answer.error.is_empty()).ok_or_else(|| missing(id))?;
        let value = json::parse(&answer.result).unwrap_or(Value::Absent);
        hex::parse(value.text()).ok_or_else(|| invalid(id))
    }

    pub fn amount(self, id: &str) -> Result<Amount, Rejection> {
        let data = self.hex_bytes(id)?;
        if data.len() != WORD_BYTES {
            return Err(invalid(id));
        }
        Amount::from_big_endian(hex::without_leading_zeros(&data)).ok_or_else(|| invalid(id))
    }

    /// Reads the answer to a state query and refuses one from another chain.
    pub fn state(self, id: &str, token: &Token) -> Result<NonceState, Rejection> {
        let data = self.hex_bytes(id)?;
        if data.len() != STATE_ANSWER_BYTES {
            return Err(invalid(id));
        }
        let word = |i: usize| hex::small(&data[i * WORD_BYTES..(i + 1) * WORD_BYTES]).ok_or_else(|| invalid(id));
        let (used, time_s, chain_id) = (word(0)?, word(1)?, word(2)?);
        if used > 1 || time_s == 0 || time_s > SECONDS_MAX {
            return Err(invalid(id));
        }
        if chain_id != token.chain_id {
            return Err(says("chain_differs", id, "the endpoint serves another chain"));
        }
        Ok(NonceState { used: used == 1, time_s })
    }

    /// state, with a missing answer read as "unused, long ago", which proves nothing.
    pub fn state_if_any(self, id: &str, token: &Token) -> Result<NonceState, Rejection> {
        match self.state(id, token) {
            Err(rejection) if rejection.code == ANSWER_MISSING => Ok(NonceState::default()),
            state => state,
        }
    }
}
