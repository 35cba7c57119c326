//! The rule itself: deny above the ceiling, hold far above the median of earlier quotes, allow the rest.

use crate::amount::Amount;
use crate::settings::{Settings, SAMPLES_MAX};
use crate::wire::{put_message, put_number, put_text, Fields, Refused, Result, REPEATED_MAX};

const DENY: u64 = 0;
const HOLD: u64 = 1;
const ALLOW: u64 = 2;

const PROVENANCE_OWN: u64 = 2;

/// What this policy reads of a DecideRequest.
#[derive(Default)]
struct Request {
    intent: Option<Amount>,
    quote: Option<Amount>,
    has_agent: bool,
    history: Option<History>,
}

#[derive(Default)]
struct History {
    provenance: u64,
    samples: Vec<Amount>,
}

/// Returns the encoded DecideResult.
pub fn decide(settings: &Settings, request: &[u8]) -> Result<Vec<u8>> {
    let request = read(request)?;
    let (intended, price) = match (request.intent, request.quote, request.has_agent) {
        (Some(intended), Some(price), true) => (intended, price),
        _ => return Ok(incomplete()),
    };
    if price.is_zero() || price != intended {
        return Ok(reason(
            DENY,
            "quote_mismatch",
            price,
            intended,
            "a quote with the intent's amount",
            "the quoted price is missing or not what the intent would pay",
        ));
    }
    if price > settings.ceiling {
        return Ok(above(DENY, "price_above_ceiling", price, settings.ceiling, "the price is above the ceiling"));
    }
    let history = request.history.unwrap_or(History { provenance: PROVENANCE_OWN, samples: Vec::new() });
    // Whoever may write the history may write the median.
    if history.provenance != PROVENANCE_OWN {
        return Ok(reason(
            HOLD,
            "history_not_own",
            price,
            settings.ceiling,
            "a quote history from this side's own ledger",
            "the quote history is somebody else's word",
        ));
    }
    let samples = &history.samples[..history.samples.len().min(SAMPLES_MAX)];
    if (samples.len() as u64) < settings.samples_min {
        if price > settings.first_max {
            let text = "too few earlier quotes to compare with, and the price is above the first maximum";
            return Ok(above(HOLD, "first_price_above_max", price, settings.first_max, text));
        }
        return Ok(allow());
    }
    match median(samples).multiply(settings.factor) {
        Some(limit) if price > limit => {
            let text = "the price is far above the median of earlier quotes";
            Ok(above(HOLD, "price_above_median", price, limit, text))
        }
        _ => Ok(allow()),
    }
}

/// The lower of the two middle amounts when their number is even: the stricter one, and no division.
fn median(samples: &[Amount]) -> Amount {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) / 2]
}

fn read(message: &[u8]) -> Result<Request> {
    let mut request = Request::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            2 => request.intent = Some(amount_in(field.message()?, 13)?),
            3 => request.quote = Some(amount_in(field.message()?, 7)?),
            4 => {
                field.message()?;
                request.has_agent = true;
            }
            5 => request.history = history_in(field.message()?)?,
            _ => {}
        }
    }
    Ok(request)
}

/// Reads the amount in the field with that number; absent is zero.
fn amount_in(message: &[u8], number: u64) -> Result<Amount> {
    let mut amount = Amount::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if field.number == number {
            amount = Amount::decode(field.message()?)?;
        }
    }
    Ok(amount)
}

fn history_in(facts: &[u8]) -> Result<Option<History>> {
    let mut history = None;
    let mut fields = Fields::new(facts);
    while let Some(field) = fields.next()? {
        if field.number == 2 {
            history = Some(read_history(field.message()?)?);
        }
    }
    Ok(history)
}

fn read_history(message: &[u8]) -> Result<History> {
    let mut history = History::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => history.provenance = field.number()?,
            2 if history.samples.len() == REPEATED_MAX => return Err(Refused),
            2 => history.samples.push(amount_in(field.element()?, 1)?),
            _ => {}
        }
    }
    if history.provenance > PROVENANCE_OWN {
        return Err(Refused);
    }
    Ok(history)
}

fn allow() -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, ALLOW);
    out
}

fn above(outcome: u64, code: &str, price: Amount, limit: Amount, text: &str) -> Vec<u8> {
    reason(outcome, code, price, limit, &format!("at most {}", limit), text)
}

fn reason(outcome: u64, code: &str, price: Amount, limit: Amount, would_pass: &str, text: &str) -> Vec<u8> {
    let mut reason = Vec::new();
    put_text(&mut reason, 1, code);
    put_text(&mut reason, 2, "price-sanity");
    put_text(&mut reason, 3, &price.to_string());
    put_text(&mut reason, 4, &limit.to_string());
    put_text(&mut reason, 5, would_pass);
    put_text(&mut reason, 6, text);
    result(outcome, &reason)
}

fn incomplete() -> Vec<u8> {
    let mut reason = Vec::new();
    put_text(&mut reason, 1, "request_incomplete");
    put_text(&mut reason, 6, "no policy, or a request without intent, quote or agent");
    result(DENY, &reason)
}

fn result(outcome: u64, reason: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, outcome);
    put_message(&mut out, 2, reason);
    out
}
