//! Turns a type into a purser chain adapter: a plugin that knows how a network's payments are built, checked and
//! followed. It refuses what an adapter does not implement, and it never holds a key, opens a connection or hashes what
//! is to be signed: the host does.

use crate::config::Config;
use crate::{
    AssembleRequest, AssembleResult, BuildRequest, BuildResult, ConfigureRequest, ConfigureResult, DescribeRequest,
    DescribeResult, FactsRequest, FactsResult, Intent, NeedsRequest, NeedsResult, PlanRequest, PlanResult, Query,
    Quote, Rejection, SigningRequest, Summary, Template, VerifyRequest, VerifyResult,
};

/// A chain adapter. Its value is its settings; what must survive from one call to the next travels through the host.
pub trait Adapter: Sized {
    /// Reads the settings, once, before any other call. Settings that it does not read refuse the configuration.
    fn configure(config: &mut Config<'_>) -> Self;

    /// Says what the adapter can do.
    fn describe(&self) -> DescribeResult;

    /// Lists the reads that an operation needs. None, unless the adapter says so.
    fn needs(&self, _request: &NeedsRequest) -> Result<Vec<Query>, Rejection> {
        Ok(Vec::new())
    }

    /// Makes what is to be signed.
    fn build(&self, intent: &Intent, quote: &Quote, request: &BuildRequest) -> Result<Built, Rejection>;

    /// Makes the wire payload. It must verify each signature.
    fn assemble(&self, request: &AssembleRequest) -> Result<Vec<u8>, Rejection>;

    /// Checks somebody's payload, the facilitator's side, and says what it does.
    fn verify(&self, _quote: &Quote, _request: &VerifyRequest) -> Result<Summary, Rejection> {
        Err(unsupported("verify"))
    }

    /// Lists the transactions that settle a payload.
    fn plan(&self, _quote: &Quote, _request: &PlanRequest) -> Result<Vec<Template>, Rejection> {
        Err(unsupported("plan"))
    }

    /// Reads from the answers what became of a payload.
    fn facts(&self, _quote: &Quote, _request: &FactsRequest) -> Result<FactsResult, Rejection> {
        Err(unsupported("facts"))
    }
}

/// What build made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// What is to be signed; the host hashes it.
    pub signing: Vec<SigningRequest>,
    /// All that assemble needs; the host keeps it and hands it over.
    pub state: Vec<u8>,
}

/// A rejection: a stable snake_case code, the field at fault in the words of the request (`quote.payee`), a sentence
/// for people.
pub fn reject(code: &str, field: &str, text: &str) -> Rejection {
    Rejection { code: code.to_owned(), field: field.to_owned(), text: text.to_owned() }
}

fn unsupported(call: &str) -> Rejection {
    reject("unsupported", "", &["this adapter does not implement ", call].concat())
}

/// The quote of a request, or the rejection of a request without one.
pub fn quoted(quote: &Option<Quote>) -> Result<&Quote, Rejection> {
    quote.as_ref().ok_or_else(|| reject("request_incomplete", "quote", "no quote"))
}

/// Does natively what the host's configure call does.
pub fn configure<A: Adapter>(request: &ConfigureRequest) -> (A, ConfigureResult) {
    let mut config = Config::new(&request.entries);
    let adapter = A::configure(&mut config);
    (adapter, config.result())
}

/// Does natively what the host's describe call does.
pub fn describe<A: Adapter>(adapter: &A, _: &DescribeRequest) -> DescribeResult {
    adapter.describe()
}

/// Does natively what the host's needs call does.
pub fn needs<A: Adapter>(adapter: &A, request: &NeedsRequest) -> NeedsResult {
    match adapter.needs(request) {
        Ok(queries) => NeedsResult { ok: true, queries, rejection: None },
        Err(rejection) => NeedsResult { rejection: Some(rejection), ..NeedsResult::default() },
    }
}

/// Does natively what the host's build call does.
pub fn build<A: Adapter>(adapter: &A, request: &BuildRequest) -> BuildResult {
    let built = match (&request.intent, &request.quote) {
        (Some(intent), Some(quote)) => adapter.build(intent, quote, request),
        _ => Err(reject("request_incomplete", "intent", "no intent or no quote")),
    };
    match built {
        Ok(built) => BuildResult { ok: true, signing: built.signing, state: built.state, rejection: None },
        Err(rejection) => BuildResult { rejection: Some(rejection), ..BuildResult::default() },
    }
}

/// Does natively what the host's assemble call does.
pub fn assemble<A: Adapter>(adapter: &A, request: &AssembleRequest) -> AssembleResult {
    match adapter.assemble(request) {
        Ok(payload) => AssembleResult { ok: true, payload, rejection: None },
        Err(rejection) => AssembleResult { rejection: Some(rejection), ..AssembleResult::default() },
    }
}

/// Does natively what the host's verify call does.
pub fn verify<A: Adapter>(adapter: &A, request: &VerifyRequest) -> VerifyResult {
    match quoted(&request.quote).and_then(|quote| adapter.verify(quote, request)) {
        Ok(verified) => VerifyResult { ok: true, verified: Some(verified), rejection: None },
        Err(rejection) => VerifyResult { rejection: Some(rejection), ..VerifyResult::default() },
    }
}

/// Does natively what the host's plan call does.
pub fn plan<A: Adapter>(adapter: &A, request: &PlanRequest) -> PlanResult {
    match quoted(&request.quote).and_then(|quote| adapter.plan(quote, request)) {
        Ok(templates) => PlanResult { ok: true, templates, rejection: None },
        Err(rejection) => PlanResult { rejection: Some(rejection), ..PlanResult::default() },
    }
}

/// Does natively what the host's facts call does.
pub fn facts<A: Adapter>(adapter: &A, request: &FactsRequest) -> FactsResult {
    match quoted(&request.quote).and_then(|quote| adapter.facts(quote, request)) {
        Ok(facts) => FactsResult { ok: true, rejection: None, ..facts },
        Err(rejection) => FactsResult { rejection: Some(rejection), ..FactsResult::default() },
    }
}

/// Makes a type with [`Adapter`] the chain adapter of this module: `purser_sdk::adapter!(Evm);`. A module is one
/// plugin, so it stands once.
#[macro_export]
macro_rules! adapter {
    ($adapter:ty) => {
        $crate::__plugin!(
            $adapter,
            $crate::chain::configure::<$adapter>,
            1 << 20, // the most the host sends to an adapter
            64 << 10,
            {
                purser_chain_describe => $crate::chain::describe::<$adapter>;
                purser_chain_needs => $crate::chain::needs::<$adapter>;
                purser_chain_build => $crate::chain::build::<$adapter>;
                purser_chain_assemble => $crate::chain::assemble::<$adapter>;
                purser_chain_verify => $crate::chain::verify::<$adapter>;
                purser_chain_plan => $crate::chain::plan::<$adapter>;
                purser_chain_facts => $crate::chain::facts::<$adapter>;
            }
        );
    };
}
