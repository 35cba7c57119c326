//! The price-sanity policy in Rust: the same verdicts, byte for byte, as plugins/price-sanity in Go. It denies above a
//! ceiling, holds above a multiple of the median of earlier quotes, and allows the rest; it refuses to judge a quote that
//! is missing, empty or not the intent's, and history that is not this side's own.

mod decide;

use purser_sdk::policy::Request;
use purser_sdk::{Amount, Config, DecideResult, Policy};

const FACTOR_DEFAULT: u64 = 2;
const FACTOR_MAX: u64 = 1000;
const SAMPLES_MIN_DEFAULT: u64 = 3;
/// How many of the newest quotes count, so that a price may move over time.
const SAMPLES_MAX: usize = 64;

/// The settings. A setting that is not read here refuses the configuration.
struct PriceSanity {
    ceiling: Amount,
    first_max: Amount,
    factor: u64,
    samples_min: u64,
}

impl Policy for PriceSanity {
    fn configure(config: &mut Config) -> Self {
        let ceiling = positive(config, "/ceiling");
        let factor = within(config, "/factor", FACTOR_DEFAULT, FACTOR_MAX);
        let samples_min = within(config, "/samples_min", SAMPLES_MIN_DEFAULT, SAMPLES_MAX as u64);
        let first_max = if config.has("/first_max") { positive(config, "/first_max") } else { ceiling };
        if first_max > ceiling {
            config.problem("/first_max", "must not be above the ceiling");
        }
        PriceSanity { ceiling, first_max, factor, samples_min }
    }

    fn decide(&self, request: &Request) -> DecideResult {
        decide::decide(self, request)
    }
}

purser_sdk::policy!(PriceSanity);

fn positive(config: &mut Config, pointer: &str) -> Amount {
    let amount = config.amount(pointer);
    if config.has(pointer) && amount.is_zero() {
        config.problem(pointer, "must be an amount above zero");
    }
    amount
}

fn within(config: &mut Config, pointer: &str, absent: u64, highest: u64) -> u64 {
    if !config.has(pointer) {
        return absent;
    }
    let n = config.uint(pointer);
    if n < 1 || n > highest {
        config.problem(pointer, &["must be from 1 to ", &Amount::from(highest).decimal()].concat());
    }
    n
}
