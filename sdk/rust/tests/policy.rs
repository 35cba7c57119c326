use purser_sdk::config::entry;
use purser_sdk::policy::{self, allow, hold, Request};
use purser_sdk::*;

/// Allows payees it has paid before.
struct Known {
    payments_min: u64,
}

impl Policy for Known {
    fn configure(config: &mut Config<'_>) -> Self {
        Known { payments_min: config.uint("/payments_min") }
    }

    fn decide(&self, request: &Request<'_>) -> DecideResult {
        match &request.facts.payee {
            Some(payee) if payee.payments >= self.payments_min => allow(),
            _ => hold("first_payment", &["nothing is known", "of this payee"]),
        }
    }
}

purser_sdk::policy!(Known);

fn request() -> DecideRequest {
    DecideRequest {
        intent: Some(Intent::default()),
        quote: Some(Quote::default()),
        agent: Some(Agent::default()),
        ..DecideRequest::default()
    }
}

#[test]
fn facts_are_there_even_when_the_request_has_none() {
    let got = policy::decide(&Known { payments_min: 1 }, &request());
    assert_eq!(got.outcome, Outcome::Hold);
    assert_eq!((&*got.reasons[0].code, &*got.reasons[0].text), ("first_payment", "nothing is known of this payee"));
}

#[test]
fn the_policy_sees_its_facts_and_settings() {
    let entries = vec![entry("", "object", ""), entry("/payments_min", "number", "2")];
    let (known, result) = policy::configure::<Known>(&ConfigureRequest { entries, ..ConfigureRequest::default() });
    assert!(result.ok, "{:?}", result.problems);
    for (payments, want) in [(1, Outcome::Hold), (2, Outcome::Allow)] {
        let payee = Some(PayeeHistory { payments, ..PayeeHistory::default() });
        let facts = Some(Facts { payee, ..Facts::default() });
        assert_eq!(policy::decide(&known, &DecideRequest { facts, ..request() }).outcome, want);
    }
}

#[test]
fn nothing_allows_by_accident() {
    let generous = Known { payments_min: 0 };
    for missing in [
        DecideRequest::default(),
        DecideRequest { intent: None, ..request() },
        DecideRequest { quote: None, ..request() },
        DecideRequest { agent: None, ..request() },
    ] {
        let got = policy::decide(&generous, &missing);
        assert_eq!((got.outcome, &*got.reasons[0].code), (Outcome::Deny, "request_incomplete"));
    }
    assert_eq!(DecideResult::default().outcome, Outcome::Deny);
}
