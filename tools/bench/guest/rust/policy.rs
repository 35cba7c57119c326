//! The bench's policy in Rust: ten rules over what they read of a request. tools/bench/policy/policy.go says the same in
//! Go, and the agreement test compares the two.

use std::collections::BTreeSet;

/// Outcomes, the strictest least.
pub const DENY: u8 = 0;
pub const HOLD: u8 = 1;
pub const ALLOW: u8 = 2;

/// Amounts above are unreadable, 2^53-1.
pub const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// The codes of the rules with their outcomes, in the order in which they speak.
const CODES: [(&str, u8); 10] = [
    ("quote_mismatch", DENY),
    ("network_not_allowed", DENY),
    ("asset_not_allowed", DENY),
    ("payee_not_listed", DENY),
    ("origin_not_https", DENY),
    ("amount_above_max", DENY),
    ("budget_exceeded", DENY),
    ("outside_hours", HOLD),
    ("needs_approval", HOLD),
    ("price_jumped", HOLD),
];

/// The configuration.
#[derive(Default)]
pub struct Settings {
    pub networks: BTreeSet<String>,
    pub assets: BTreeSet<String>,
    pub payees: BTreeSet<String>,
    pub amount_max: u64,
    pub approval_above: u64,
    pub price_factor: u64,
    pub open_hour: u64,
    pub close_hour: u64,
}

/// What the rules read of a request.
#[derive(Default)]
pub struct Payment<'a> {
    pub network: &'a str,
    pub asset: &'a str,
    pub payee: &'a str,
    pub origin: &'a str,
    pub tier: &'a str,
    pub quote_payee: &'a str,
    pub amount: u64,
    pub quote_amount: u64,
    pub budgets: Vec<Level>,
    /// The newest quote of the same merchant and route, 0 if there is none.
    pub last_price: u64,
    pub now_unix_s: u64,
}

/// One budget before the payment is counted.
#[derive(Default)]
pub struct Level {
    pub used: u64,
    pub limit: u64,
}

/// A decision.
pub struct Verdict {
    pub outcome: u8,
    pub codes: Vec<&'static str>,
}

/// The verdict on a request with an amount above AMOUNT_MAX.
pub fn unreadable() -> Verdict {
    Verdict { outcome: DENY, codes: vec!["amount_unreadable"] }
}

impl Settings {
    /// Asks all ten rules.
    pub fn decide(&self, p: &Payment<'_>) -> Verdict {
        let hour = p.now_unix_s / 3600 % 24;
        let spoke = [
            p.quote_amount != p.amount || p.quote_payee != p.payee,
            !self.networks.contains(p.network),
            !self.assets.contains(p.asset),
            !self.payees.contains(p.payee),
            !p.origin.starts_with("https://"),
            p.amount > self.amount_max,
            p.budgets.iter().any(|b| b.used + p.amount > b.limit),
            hour < self.open_hour || hour >= self.close_hour,
            p.amount > self.approval_above && p.tier != "trusted",
            p.last_price != 0 && p.amount > self.price_factor * p.last_price,
        ];
        let mut verdict = Verdict { outcome: ALLOW, codes: Vec::new() };
        for ((code, outcome), _) in CODES.iter().zip(spoke).filter(|(_, spoke)| *spoke) {
            verdict.codes.push(code);
            verdict.outcome = verdict.outcome.min(*outcome);
        }
        verdict
    }
}
