//! Reads a quote, or says why it cannot be paid or settled here.

use crate::address::Address;
use crate::eip3009::Token;
use purser_sdk::chain::reject;
use purser_sdk::{Amount, JSONEntry, Quote, Rejection};

pub const SCHEME_EXACT: &str = "exact";
const METHOD_EIP3009: &str = "eip3009";
const DOMAIN_TEXT_BYTES_MAX: usize = 64;
const CHAIN_ID_MAX: u64 = (1 << 63) - 1;

/// A quote that this adapter can serve.
pub struct Terms {
    pub token: Token,
    pub payee: Address,
    pub amount: Amount,
}

pub fn terms_of(quote: &Quote) -> Result<Terms, Rejection> {
    if quote.scheme != SCHEME_EXACT {
        return Err(reject("unsupported_scheme", "quote.scheme", "this adapter serves the scheme exact only"));
    }
    let token = token_of(quote)?;
    let payee = Address::parse(&quote.payee).filter(|&payee| payee != Address::default());
    let payee = payee
        .ok_or_else(|| reject("payee_invalid", "quote.payee", "the payee is not an address that can hold tokens"))?;
    if quote.amount.is_zero() {
        return Err(reject("amount_invalid", "quote.amount", "the amount is zero"));
    }
    Ok(Terms { token, payee, amount: quote.amount })
}

fn token_of(quote: &Quote) -> Result<Token, Rejection> {
    let reference = quote.network.strip_prefix("eip155:").and_then(Amount::parse).and_then(Amount::to_u64);
    let chain_id = reference
        .filter(|&id| id != 0 && id <= CHAIN_ID_MAX)
        .ok_or_else(|| reject("unsupported_network", "quote.network", "the network is not eip155 with a chain id"))?;
    let on_network = quote.asset.strip_prefix(&*quote.network).and_then(|rest| rest.strip_prefix("/erc20:"));
    let contract = on_network
        .and_then(Address::parse)
        .ok_or_else(|| reject("unsupported_asset", "quote.asset", "the asset is not an ERC-20 token of the network"))?;
    let (name, version) = domain_of(&quote.extra)?;
    Ok(Token { chain_id, contract, name, version })
}

/// Takes the domain's name and version from the offer, as every x402 client must. The host signs only when they equal
/// its pinned ones.
fn domain_of(extra: &[JSONEntry]) -> Result<(String, String), Rejection> {
    let (mut name, mut version, mut method) = ("", "", METHOD_EIP3009);
    for entry in extra {
        let into = match &*entry.pointer {
            "/name" => &mut name,
            "/version" => &mut version,
            "/assetTransferMethod" => &mut method,
            _ => continue,
        };
        if entry.r#type != "string" {
            let field = ["quote.extra", &entry.pointer].concat();
            return Err(reject("extra_invalid", &field, "this member of extra must be a string"));
        }
        *into = &entry.text;
    }
    if method != METHOD_EIP3009 {
        return Err(reject(
            "unsupported_transfer_method",
            "quote.extra/assetTransferMethod",
            "this adapter transfers by eip3009 only",
        ));
    }
    if [name, version].iter().any(|text| text.is_empty() || text.len() > DOMAIN_TEXT_BYTES_MAX) {
        return Err(reject(
            "missing_eip712_domain",
            "quote.extra",
            "extra must hold name and version of the token's EIP-712 domain",
        ));
    }
    Ok((name.to_owned(), version.to_owned()))
}
