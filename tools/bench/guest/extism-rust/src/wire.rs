//! Reads and writes purser's encoding by hand, for the variant of this guest that leaves JSON out of the comparison. It
//! trusts the host more than a purser guest does: it checks no order of fields and no second spelling of amounts.

use crate::policy::{Level, Payment, Verdict, AMOUNT_MAX};
use std::str::from_utf8;

enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Walks the fields of one message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// The next field with its number, which is 0 at the end.
    fn next(&mut self) -> Option<(u64, Content<'a>)> {
        if self.0.is_empty() {
            return Some((0, Content::Number(0)));
        }
        let tag = self.varint()?;
        let content = match tag & 7 {
            0 => Content::Number(self.varint()?),
            2 => {
                let size = self.varint()?;
                if size > self.0.len() as u64 {
                    return None;
                }
                let (bytes, rest) = self.0.split_at(size as usize);
                self.0 = rest;
                Content::Bytes(bytes)
            }
            _ => return None,
        };
        Some((tag >> 3, content))
    }
}

/// Calls visit for every length-delimited field.
fn each<'a>(message: &'a [u8], mut visit: impl FnMut(u64, &'a [u8]) -> Option<()>) -> Option<()> {
    let mut fields = Fields(message);
    loop {
        match fields.next()? {
            (0, _) => return Some(()),
            (number, Content::Bytes(bytes)) => visit(number, bytes)?,
            _ => {}
        }
    }
}

/// None for a message that is no request; Some(None) for an amount above AMOUNT_MAX.
pub fn payment(message: &[u8]) -> Option<Option<Payment<'_>>> {
    let mut p = Payment::default();
    let mut readable = true;
    let mut fields = Fields(message);
    loop {
        match fields.next()? {
            (0, _) => return Some(if readable { Some(p) } else { None }),
            (2, Content::Bytes(intent)) => each(intent, |number, bytes| {
                match number {
                    7 => p.origin = from_utf8(bytes).ok()?,
                    10 => p.network = from_utf8(bytes).ok()?,
                    11 => p.asset = from_utf8(bytes).ok()?,
                    12 => p.payee = from_utf8(bytes).ok()?,
                    13 => p.amount = amount(bytes, &mut readable)?,
                    _ => {}
                }
                Some(())
            })?,
            (3, Content::Bytes(quote)) => each(quote, |number, bytes| {
                match number {
                    6 => p.quote_payee = from_utf8(bytes).ok()?,
                    7 => p.quote_amount = amount(bytes, &mut readable)?,
                    _ => {}
                }
                Some(())
            })?,
            (4, Content::Bytes(agent)) => each(agent, |number, bytes| {
                if number == 3 {
                    p.tier = from_utf8(bytes).ok()?;
                }
                Some(())
            })?,
            (5, Content::Bytes(facts)) => each(facts, |number, bytes| {
                match number {
                    1 => p.budgets.push(level(bytes, &mut readable)?),
                    2 => p.last_price = newest(bytes, &mut readable)?,
                    _ => {}
                }
                Some(())
            })?,
            (7, Content::Number(now)) => p.now_unix_s = now,
            _ => {}
        }
    }
}

fn amount(message: &[u8], readable: &mut bool) -> Option<u64> {
    let mut value = 0;
    each(message, |number, bytes| {
        if number == 2 {
            *readable &= bytes.len() <= 8;
            value = bytes.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte));
        }
        Some(())
    })?;
    *readable &= value <= AMOUNT_MAX;
    Some(value)
}

fn level(message: &[u8], readable: &mut bool) -> Option<Level> {
    let mut level = Level::default();
    each(message, |number, bytes| {
        match number {
            4 => level.used = amount(bytes, readable)?,
            5 => level.limit = amount(bytes, readable)?,
            _ => {}
        }
        Some(())
    })?;
    Some(level)
}

/// The amount of the first sample.
fn newest(history: &[u8], readable: &mut bool) -> Option<u64> {
    let mut found = None;
    each(history, |number, sample| {
        if number == 2 && found.is_none() {
            let mut value = 0;
            each(sample, |number, bytes| {
                if number == 1 {
                    value = amount(bytes, readable)?;
                }
                Some(())
            })?;
            found = Some(value);
        }
        Some(())
    })?;
    Some(found.unwrap_or(0))
}

/// A DecideResult. Codes are short: their lengths take one byte.
pub fn result(verdict: &Verdict) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    if verdict.outcome != 0 {
        out.extend_from_slice(&[1 << 3, verdict.outcome]);
    }
    for code in &verdict.codes {
        let size = code.len() as u8;
        out.extend_from_slice(&[2 << 3 | 2, size + 2, 1 << 3 | 2, size]);
        out.extend_from_slice(code.as_bytes());
    }
    out
}
