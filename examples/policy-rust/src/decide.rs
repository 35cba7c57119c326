//! The rule itself: deny above the ceiling, hold far above the median of earlier quotes, allow the rest.

use crate::{PriceSanity, SAMPLES_MAX};
use purser_sdk::policy::{allow, Request};
use purser_sdk::{Amount, DecideResult, Outcome, Provenance, QuoteHistory, QuoteSample, Reason};

const RULE: &str = "price-sanity";

pub(crate) fn decide(settings: &PriceSanity, request: &Request) -> DecideResult {
    let (intended, price) = (request.intent.amount, request.quote.amount);
    if price.is_zero() || price != intended {
        return refuse(
            Outcome::Deny,
            "quote_mismatch",
            [price, intended],
            "a quote with the intent's amount",
            "the quoted price is missing or not what the intent would pay",
        );
    }
    if price > settings.ceiling {
        let text = "the price is above the ceiling";
        return above(Outcome::Deny, "price_above_ceiling", [price, settings.ceiling], text);
    }
    let none = QuoteHistory { provenance: Provenance::Own, ..QuoteHistory::default() };
    let history = request.facts.quotes.as_ref().unwrap_or(&none);
    // Whoever may write the history may write the median.
    if history.provenance != Provenance::Own {
        return refuse(
            Outcome::Hold,
            "history_not_own",
            [price, settings.ceiling],
            "a quote history from this side's own ledger",
            "the quote history is somebody else's word",
        );
    }
    let samples = &history.samples[..history.samples.len().min(SAMPLES_MAX)];
    if (samples.len() as u64) < settings.samples_min {
        if price > settings.first_max {
            let text = "too few earlier quotes to compare with, and the price is above the first maximum";
            return above(Outcome::Hold, "first_price_above_max", [price, settings.first_max], text);
        }
        return allow();
    }
    match median(samples).checked_mul(settings.factor) {
        Some(limit) if price > limit => {
            let text = "the price is far above the median of earlier quotes";
            above(Outcome::Hold, "price_above_median", [price, limit], text)
        }
        _ => allow(),
    }
}

/// The lower of the two middle amounts when their number is even: the stricter one, and no division.
fn median(samples: &[QuoteSample]) -> Amount {
    let mut sorted: Vec<Amount> = Vec::with_capacity(SAMPLES_MAX);
    for sample in samples {
        // The library's sort would be a fifth of the module.
        let at = sorted.partition_point(|&amount| amount <= sample.amount);
        sorted.insert(at, sample.amount);
    }
    sorted[(sorted.len() - 1) / 2]
}

fn above(outcome: Outcome, code: &str, seen: [Amount; 2], text: &str) -> DecideResult {
    refuse(outcome, code, seen, &["at most ", &seen[1].decimal()].concat(), text)
}

/// Seen are the amount observed and its limit.
fn refuse(outcome: Outcome, code: &str, seen: [Amount; 2], would_pass: &str, text: &str) -> DecideResult {
    let reason = Reason {
        code: code.to_owned(),
        rule: RULE.to_owned(),
        observed: seen[0].decimal(),
        limit: seen[1].decimal(),
        would_pass: would_pass.to_owned(),
        text: text.to_owned(),
    };
    DecideResult { outcome, reasons: vec![reason], ..DecideResult::default() }
}
