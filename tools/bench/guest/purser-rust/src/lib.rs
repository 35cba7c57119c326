//! The bench's policy as a purser plugin on the Rust SDK.

#[path = "../../rust/policy.rs"]
mod policy;

use policy::{Level, Payment, Settings, Verdict, AMOUNT_MAX};
use purser_sdk::policy::Request;
use purser_sdk::{Amount, Config, DecideResult, Outcome, Policy, Reason};

struct Bench(Settings);

impl Policy for Bench {
    fn configure(c: &mut Config) -> Self {
        Bench(Settings {
            networks: c.texts("/networks").into_iter().collect(),
            assets: c.texts("/assets").into_iter().collect(),
            payees: c.texts("/payees").into_iter().collect(),
            amount_max: c.uint("/amount_max"),
            approval_above: c.uint("/approval_above"),
            price_factor: c.uint("/price_factor"),
            open_hour: c.uint("/open_hour"),
            close_hour: c.uint("/close_hour"),
        })
    }

    fn decide(&self, request: &Request) -> DecideResult {
        result(match read(request) {
            Some(payment) => self.0.decide(&payment),
            None => policy::unreadable(),
        })
    }
}

fn result(verdict: Verdict) -> DecideResult {
    DecideResult {
        outcome: match verdict.outcome {
            policy::ALLOW => Outcome::Allow,
            policy::HOLD => Outcome::Hold,
            _ => Outcome::Deny,
        },
        reasons: verdict.codes.iter().map(|code| Reason { code: (*code).to_owned(), ..Reason::default() }).collect(),
        ..DecideResult::default()
    }
}

/// None for an amount above AMOUNT_MAX.
fn read<'a>(r: &'a Request) -> Option<Payment<'a>> {
    let mut budgets = Vec::with_capacity(r.facts.budgets.len());
    for b in &r.facts.budgets {
        budgets.push(Level { used: units(b.used)?, limit: units(b.limit)? });
    }
    let newest = r.facts.quotes.as_ref().and_then(|history| history.samples.first());
    Some(Payment {
        network: &r.intent.network,
        asset: &r.intent.asset,
        payee: &r.intent.payee,
        origin: &r.intent.origin,
        tier: &r.agent.tier,
        quote_payee: &r.quote.payee,
        amount: units(r.intent.amount)?,
        quote_amount: units(r.quote.amount)?,
        budgets,
        last_price: newest.map_or(Some(0), |sample| units(sample.amount))?,
        now_unix_s: r.now_unix_s,
    })
}

fn units(amount: Amount) -> Option<u64> {
    amount.to_u64().filter(|&n| n <= AMOUNT_MAX)
}

purser_sdk::policy!(Bench);
