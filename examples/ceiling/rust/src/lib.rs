//! A purser policy that denies every payment above one amount.

use purser_sdk::policy::{allow, deny, Request};
use purser_sdk::{Amount, Config, DecideResult, Policy};

struct Ceiling(Amount);

impl Policy for Ceiling {
    fn configure(config: &mut Config) -> Self {
        Ceiling(config.amount("/ceiling"))
    }

    fn decide(&self, request: &Request) -> DecideResult {
        if request.intent.amount > self.0 {
            return deny("ceiling_exceeded", &["the amount is above the ceiling of", &self.0.decimal()]);
        }
        allow()
    }
}

purser_sdk::policy!(Ceiling);
