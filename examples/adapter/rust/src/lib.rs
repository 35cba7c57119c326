//! A purser chain adapter that describes one network and says honestly what it cannot do yet.

use purser_sdk::chain::{reject, Built};
use purser_sdk::{Adapter, AssembleRequest, BuildRequest, Config, DescribeResult, Intent, Quote, Rejection};

const NETWORK: &str = "eip155:1337";

struct Own;

// needs, verify, plan and facts have defaults: the adapter needs no reads and rejects the rest.
impl Adapter for Own {
    fn configure(_: &mut Config) -> Self {
        Own
    }

    fn describe(&self) -> DescribeResult {
        DescribeResult { networks: vec![NETWORK.to_owned()], schemes: vec!["exact".to_owned()], ..DescribeResult::default() }
    }

    /// Makes what is to be signed. The host hashes it, decodes it again and compares it with the intent.
    fn build(&self, intent: &Intent, _: &Quote, _: &BuildRequest) -> Result<Built, Rejection> {
        if intent.network != NETWORK {
            return Err(reject("network_unknown", "intent.network", &["this adapter knows ", NETWORK, " only"].concat()));
        }
        Err(reject("unsupported", "intent.scheme", "this adapter cannot build payments yet"))
    }

    /// Makes the wire payload of what was signed. It must verify every signature first.
    fn assemble(&self, _: &AssembleRequest) -> Result<Vec<u8>, Rejection> {
        Err(reject("unsupported", "", "this adapter cannot build payments yet"))
    }
}

purser_sdk::adapter!(Own);
