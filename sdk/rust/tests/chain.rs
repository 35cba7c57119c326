use purser_sdk::chain::{self, reject, Built};
use purser_sdk::*;

/// The smallest adapter: it builds nothing and leaves the rest to the SDK.
struct Small;

impl Adapter for Small {
    fn configure(_: &mut Config<'_>) -> Self {
        Small
    }

    fn describe(&self) -> DescribeResult {
        DescribeResult { networks: vec!["eip155:1337".to_owned()], ..DescribeResult::default() }
    }

    fn build(&self, intent: &Intent, _: &Quote, _: &BuildRequest) -> Result<Built, Rejection> {
        log::warn(&["asked to build for ", &intent.network].concat());
        Err(reject("unsupported_network", "intent.network", "this adapter only describes"))
    }

    fn assemble(&self, request: &AssembleRequest) -> Result<Vec<u8>, Rejection> {
        Ok(request.state.clone())
    }
}

purser_sdk::adapter!(Small);

fn quote() -> Option<Quote> {
    Some(Quote::default())
}

fn code(rejection: &Option<Rejection>) -> &str {
    rejection.as_ref().map_or("", |r| &r.code)
}

#[test]
fn calls_that_an_adapter_does_not_implement_are_rejected() {
    let verify = chain::verify(&Small, &VerifyRequest { quote: quote(), ..VerifyRequest::default() });
    let plan = chain::plan(&Small, &PlanRequest { quote: quote(), ..PlanRequest::default() });
    let facts = chain::facts(&Small, &FactsRequest { quote: quote(), ..FactsRequest::default() });
    for (ok, rejection) in [(verify.ok, verify.rejection), (plan.ok, plan.rejection), (facts.ok, facts.rejection)] {
        assert!(!ok);
        assert_eq!(code(&rejection), "unsupported");
    }
    assert!(chain::needs(&Small, &NeedsRequest::default()).ok);
    assert_eq!(chain::describe(&Small, &DescribeRequest {}).networks, ["eip155:1337"]);
}

#[test]
fn requests_without_what_they_are_about_never_reach_the_adapter() {
    let build = chain::build(&Small, &BuildRequest { quote: quote(), ..BuildRequest::default() });
    assert_eq!((build.ok, code(&build.rejection)), (false, "request_incomplete"));
    assert_eq!(code(&chain::verify(&Small, &VerifyRequest::default()).rejection), "request_incomplete");
    assert_eq!(code(&chain::plan(&Small, &PlanRequest::default()).rejection), "request_incomplete");
    assert_eq!(code(&chain::facts(&Small, &FactsRequest::default()).rejection), "request_incomplete");
}

#[test]
fn an_adapters_answer_is_either_ok_or_a_rejection() {
    let intent = Some(Intent::default());
    let build = chain::build(&Small, &BuildRequest { intent, quote: quote(), ..BuildRequest::default() });
    assert_eq!((build.ok, code(&build.rejection)), (false, "unsupported_network"));
    let made = chain::assemble(&Small, &AssembleRequest { state: vec![7], ..AssembleRequest::default() });
    assert_eq!((made.ok, made.payload, made.rejection), (true, vec![7], None));
}
