//! Turns a type into a purser policy: a plugin that says deny, hold or allow to a payment.

use crate::config::Config;
use crate::{
    Agent, Approval, ConfigureRequest, ConfigureResult, DecideRequest, DecideResult, Facts, Intent, Outcome, Quote,
    Reason,
};

/// A policy. Its value is its settings.
pub trait Policy: Sized {
    /// Reads the settings, once, before any decision. Settings that it does not read refuse the configuration.
    fn configure(config: &mut Config<'_>) -> Self;

    /// Judges one payment. It must depend on nothing but the request and the settings.
    fn decide(&self, request: &Request<'_>) -> DecideResult;
}

/// Everything a policy may know of a payment.
pub struct Request<'a> {
    /// What is to be paid.
    pub intent: &'a Intent,
    /// The merchant's price.
    pub quote: &'a Quote,
    /// Who wants to pay.
    pub agent: &'a Agent,
    /// What the manifest asked for; everything else in it is absent.
    pub facts: &'a Facts,
    /// Persons' yeses, already verified by the host.
    pub approvals: &'a [Approval],
    /// The time of the decision; a policy has no clock.
    pub now_unix_s: u64,
    /// Hash of the policy file that called this plugin.
    pub policy_sha256: &'a [u8],
}

/// Does natively what the host's configure call does.
pub fn configure<P: Policy>(request: &ConfigureRequest) -> (P, ConfigureResult) {
    let mut config = Config::new(&request.entries);
    let policy = P::configure(&mut config);
    (policy, config.result())
}

/// Does natively what the host's decide call does.
pub fn decide<P: Policy>(policy: &P, request: &DecideRequest) -> DecideResult {
    let (intent, quote, agent) = match (&request.intent, &request.quote, &request.agent) {
        (Some(intent), Some(quote), Some(agent)) => (intent, quote, agent),
        _ => return deny("request_incomplete", &["no policy, or a request without intent, quote or agent"]),
    };
    let none = Facts::default();
    policy.decide(&Request {
        intent,
        quote,
        agent,
        facts: request.facts.as_ref().unwrap_or(&none),
        approvals: &request.approvals,
        now_unix_s: request.now_unix_s,
        policy_sha256: &request.policy_sha256,
    })
}

/// Says yes.
pub fn allow() -> DecideResult {
    DecideResult { outcome: Outcome::Allow, ..DecideResult::default() }
}

/// Asks for a person. The code is stable and snake_case; the texts are for people and are joined by spaces.
pub fn hold(code: &str, text: &[&str]) -> DecideResult {
    because(Outcome::Hold, code, text)
}

/// Says no. The code is stable and snake_case; the texts are for people and are joined by spaces.
pub fn deny(code: &str, text: &[&str]) -> DecideResult {
    because(Outcome::Deny, code, text)
}

fn because(outcome: Outcome, code: &str, text: &[&str]) -> DecideResult {
    let reason = Reason { code: code.to_owned(), text: text.join(" "), ..Reason::default() };
    DecideResult { outcome, reasons: vec![reason], ..DecideResult::default() }
}

/// Makes a type with [`Policy`] the policy of this module: `purser_sdk::policy!(Ceiling);`. A module is one plugin, so
/// it stands once.
#[macro_export]
macro_rules! policy {
    ($policy:ty) => {
        $crate::__plugin!(
            $policy,
            $crate::policy::configure::<$policy>,
            64 << 10, // the most the host sends to a policy
            24 << 10,
            { purser_policy_decide => $crate::policy::decide::<$policy>; }
        );
    };
}
