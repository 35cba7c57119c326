//! purser's chain adapter for EVM networks in Rust: x402 scheme "exact" by EIP-3009 (transferWithAuthorization of
//! USDC-like tokens). It answers byte for byte like plugins/chain-evm in Go, and so refuses the same: every other scheme
//! and transfer method, and every payer whose signature a token would not check with ecrecover.
//!
//! It is a guest: it holds no key, opens no connection, reads no clock, and nothing it says is trusted. The host decodes
//! the preimage natively, compares it with the intent, and hashes it.

mod address;
mod answers;
mod assemble;
mod build;
mod curve;
mod eip3009;
mod facts;
mod hex;
mod json;
mod keccak;
mod modular;
mod needs;
mod payload;
mod plan;
mod receipt;
mod recover;
mod terms;
mod verify;

use purser_sdk::chain::Built;
use purser_sdk::*;
use std::ops::RangeInclusive;

const QUORUM_DEFAULT: u64 = 1;
const QUORUM: RangeInclusive<u64> = 1..=9;
/// Fits a transfer to a new holder through a proxy token (about 85,000) twice over.
const GAS_MAX_DEFAULT: u64 = 200_000;
const GAS_MAX: RangeInclusive<u64> = 60_000..=2_000_000;

/// The settings.
struct Evm {
    quorum: u64,
    gas_max: u64,
}

impl Adapter for Evm {
    fn configure(config: &mut Config) -> Self {
        Evm {
            quorum: within(config, "/quorum", QUORUM_DEFAULT, QUORUM),
            gas_max: within(config, "/gas_max", GAS_MAX_DEFAULT, GAS_MAX),
        }
    }

    fn describe(&self) -> DescribeResult {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        DescribeResult {
            networks: list(&["eip155:*"]),
            schemes: list(&[terms::SCHEME_EXACT]),
            signing_kinds: list(&[build::KIND_EIP712]),
            curves: list(&[build::CURVE_SECP256K1]),
            rpc_methods: list(&[needs::METHOD_CALL, needs::METHOD_CODE]),
            finality: "final when the authorization is used in the state of the block tagged finalized; \
                       dead when it is unused there and that block is not before validBefore"
                .to_owned(),
        }
    }

    fn needs(&self, request: &NeedsRequest) -> Result<Vec<Query>, Rejection> {
        needs::needs(request, self.quorum)
    }

    fn build(&self, intent: &Intent, quote: &Quote, request: &BuildRequest) -> Result<Built, Rejection> {
        build::build(intent, quote, request)
    }

    fn assemble(&self, request: &AssembleRequest) -> Result<Vec<u8>, Rejection> {
        assemble::assemble(request)
    }

    fn verify(&self, quote: &Quote, request: &VerifyRequest) -> Result<Summary, Rejection> {
        verify::verify(quote, request)
    }

    fn plan(&self, quote: &Quote, request: &PlanRequest) -> Result<Vec<Template>, Rejection> {
        plan::plan(quote, request, self.gas_max)
    }

    fn facts(&self, quote: &Quote, request: &FactsRequest) -> Result<FactsResult, Rejection> {
        facts::facts(quote, request)
    }
}

purser_sdk::adapter!(Evm);

fn within(config: &mut Config, pointer: &str, absent: u64, range: RangeInclusive<u64>) -> u64 {
    if !config.has(pointer) {
        return absent;
    }
    let n = config.uint(pointer);
    if !range.contains(&n) {
        let decimal = |n: &u64| Amount::from(*n).decimal();
        let text = ["must be from ", &decimal(range.start()), " to ", &decimal(range.end())].concat();
        config.problem(pointer, &text);
    }
    n
}
