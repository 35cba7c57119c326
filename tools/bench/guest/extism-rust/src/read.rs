//! Reads the JSON view of a DecideRequest, and the configuration.

use crate::json::Reader;
use crate::policy::{Level, Payment, Settings, AMOUNT_MAX};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What the policy needs of a request, some of it unescaped.
#[derive(Default)]
pub struct Request<'a> {
    network: Cow<'a, str>,
    asset: Cow<'a, str>,
    payee: Cow<'a, str>,
    origin: Cow<'a, str>,
    tier: Cow<'a, str>,
    quote_payee: Cow<'a, str>,
    amount: u64,
    quote_amount: u64,
    budgets: Vec<Level>,
    last_price: u64,
    now_unix_s: u64,
    unreadable: bool,
}

impl<'a> Request<'a> {
    pub fn payment(&mut self) -> Payment<'_> {
        let budgets = std::mem::take(&mut self.budgets);
        Payment {
            network: &self.network,
            asset: &self.asset,
            payee: &self.payee,
            origin: &self.origin,
            tier: &self.tier,
            quote_payee: &self.quote_payee,
            amount: self.amount,
            quote_amount: self.quote_amount,
            budgets,
            last_price: self.last_price,
            now_unix_s: self.now_unix_s,
        }
    }

    fn amount(&mut self, r: &mut Reader<'a>) -> Option<u64> {
        let amount = r.text()?.parse().unwrap_or(u64::MAX);
        self.unreadable |= amount > AMOUNT_MAX;
        Some(amount)
    }

    fn intent(&mut self, r: &mut Reader<'a>) -> Option<()> {
        r.enter(b'{')?;
        while r.more(b'}')? {
            match r.key()?.as_ref() {
                "network" => self.network = r.text()?,
                "asset" => self.asset = r.text()?,
                "payee" => self.payee = r.text()?,
                "origin" => self.origin = r.text()?,
                "amount" => self.amount = self.amount(r)?,
                _ => r.skip()?,
            }
        }
        Some(())
    }

    fn quote(&mut self, r: &mut Reader<'a>) -> Option<()> {
        r.enter(b'{')?;
        while r.more(b'}')? {
            match r.key()?.as_ref() {
                "payee" => self.quote_payee = r.text()?,
                "amount" => self.quote_amount = self.amount(r)?,
                _ => r.skip()?,
            }
        }
        Some(())
    }

    fn agent(&mut self, r: &mut Reader<'a>) -> Option<()> {
        r.enter(b'{')?;
        while r.more(b'}')? {
            match r.key()?.as_ref() {
                "tier" => self.tier = r.text()?,
                _ => r.skip()?,
            }
        }
        Some(())
    }

    fn facts(&mut self, r: &mut Reader<'a>) -> Option<()> {
        r.enter(b'{')?;
        while r.more(b'}')? {
            match r.key()?.as_ref() {
                "budgets" => {
                    r.enter(b'[')?;
                    while r.more(b']')? {
                        let level = self.level(r)?;
                        self.budgets.push(level);
                    }
                }
                "quotes" => {
                    r.enter(b'{')?;
                    while r.more(b'}')? {
                        match r.key()?.as_ref() {
                            "samples" => self.newest(r)?,
                            _ => r.skip()?,
                        }
                    }
                }
                _ => r.skip()?,
            }
        }
        Some(())
    }

    fn level(&mut self, r: &mut Reader<'a>) -> Option<Level> {
        let mut level = Level::default();
        r.enter(b'{')?;
        while r.more(b'}')? {
            match r.key()?.as_ref() {
                "used" => level.used = self.amount(r)?,
                "limit" => level.limit = self.amount(r)?,
                _ => r.skip()?,
            }
        }
        Some(level)
    }

    /// Keeps the first of a list of samples.
    fn newest(&mut self, r: &mut Reader<'a>) -> Option<()> {
        let mut first = true;
        r.enter(b'[')?;
        while r.more(b']')? {
            if !std::mem::replace(&mut first, false) {
                r.skip()?;
                continue;
            }
            r.enter(b'{')?;
            while r.more(b'}')? {
                match r.key()?.as_ref() {
                    "amount" => self.last_price = self.amount(r)?,
                    _ => r.skip()?,
                }
            }
        }
        Some(())
    }
}

/// None for a document that is no request; Some(None) for an amount above AMOUNT_MAX.
pub fn payment(document: &str) -> Option<Option<Request<'_>>> {
    let mut request = Request::default();
    let mut r = Reader::new(document);
    r.enter(b'{')?;
    while r.more(b'}')? {
        match r.key()?.as_ref() {
            "intent" => request.intent(&mut r)?,
            "quote" => request.quote(&mut r)?,
            "agent" => request.agent(&mut r)?,
            "facts" => request.facts(&mut r)?,
            "now_unix_s" => request.now_unix_s = r.uint()?,
            _ => r.skip()?,
        }
    }
    r.end()?;
    Some(if request.unreadable { None } else { Some(request) })
}

/// The configuration.
pub fn settings(document: &str) -> Option<Settings> {
    let mut s = Settings::default();
    let mut r = Reader::new(document);
    r.enter(b'{')?;
    while r.more(b'}')? {
        match r.key()?.as_ref() {
            "networks" => s.networks = set(&mut r)?,
            "assets" => s.assets = set(&mut r)?,
            "payees" => s.payees = set(&mut r)?,
            "amount_max" => s.amount_max = r.uint()?,
            "approval_above" => s.approval_above = r.uint()?,
            "price_factor" => s.price_factor = r.uint()?,
            "open_hour" => s.open_hour = r.uint()?,
            "close_hour" => s.close_hour = r.uint()?,
            _ => return None,
        }
    }
    r.end()?;
    Some(s)
}

fn set(r: &mut Reader<'_>) -> Option<BTreeSet<String>> {
    let mut set = BTreeSet::new();
    r.enter(b'[')?;
    while r.more(b']')? {
        set.insert(r.text()?.into_owned());
    }
    Some(set)
}
