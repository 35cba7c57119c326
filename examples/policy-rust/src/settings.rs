//! Reads the settings from the flattened entries the host sends, and reports every fault by its JSON pointer. A
//! setting that this policy does not know refuses the configuration: a misspelled limit is no limit.

use crate::amount::Amount;
use crate::wire::{put_message, put_number, put_text, Fields, Refused, Result, REPEATED_MAX};

pub const SAMPLES_MAX: usize = 64;
const FACTOR_MAX: u64 = 1000;
const PROBLEMS_MAX: usize = 64;

#[derive(Clone, Copy)]
pub struct Settings {
    pub ceiling: Amount,
    pub first_max: Amount,
    pub factor: u64,
    pub samples_min: u64,
}

struct Entry<'a> {
    pointer: &'a str,
    kind: &'a str,
    text: &'a str,
    read: bool,
}

struct Config<'a> {
    entries: Vec<Entry<'a>>,
    problems: Vec<(String, String)>,
}

/// Returns the settings and the encoded ConfigureResult.
pub fn configure(request: &[u8]) -> Result<(Settings, Vec<u8>)> {
    let mut config = Config { entries: entries(request)?, problems: Vec::new() };
    let ceiling = config.positive("/ceiling");
    let factor = config.within("/factor", 2, FACTOR_MAX);
    let samples_min = config.within("/samples_min", 3, SAMPLES_MAX as u64);
    let first_max = if config.has("/first_max") { config.positive("/first_max") } else { ceiling };
    if first_max > ceiling {
        config.problem("/first_max", "must not be above the ceiling");
    }
    Ok((Settings { ceiling, first_max, factor, samples_min }, config.result()))
}

fn entries(request: &[u8]) -> Result<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    let mut fields = Fields::new(request);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                field.message()?; // the same document as JSON
            }
            2 if entries.len() == REPEATED_MAX => return Err(Refused),
            2 => entries.push(entry(field.element()?)?),
            _ => {}
        }
    }
    Ok(entries)
}

fn entry(message: &[u8]) -> Result<Entry<'_>> {
    let mut entry = Entry { pointer: "", kind: "", text: "", read: false };
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => entry.pointer = field.text()?,
            2 => entry.kind = field.text()?,
            3 => entry.text = field.text()?,
            _ => {}
        }
    }
    Ok(entry)
}

impl<'a> Config<'a> {
    fn problem(&mut self, pointer: &str, message: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((pointer.to_string(), message.to_string()));
        }
    }

    fn has(&self, pointer: &str) -> bool {
        self.entries.iter().any(|e| e.pointer == pointer && e.kind != "null")
    }

    fn scalar(&mut self, pointer: &str, kind: &str) -> Option<&'a str> {
        let entry = match self.entries.iter_mut().find(|e| e.pointer == pointer) {
            Some(entry) => entry,
            None => {
                self.problem(pointer, "is missing");
                return None;
            }
        };
        entry.read = true;
        if entry.kind != kind {
            self.problem(pointer, &format!("must be of type {}", kind));
            return None;
        }
        Some(entry.text)
    }

    fn positive(&mut self, pointer: &str) -> Amount {
        let mut amount = Amount::default();
        if let Some(text) = self.scalar(pointer, "string") {
            match Amount::parse(text) {
                Some(parsed) => amount = parsed,
                None => self.problem(pointer, "amount is not a plain decimal integer below 2^256 without leading zeros"),
            }
        }
        if self.has(pointer) && amount.is_zero() {
            self.problem(pointer, "must be an amount above zero");
        }
        amount
    }

    fn within(&mut self, pointer: &str, absent: u64, highest: u64) -> u64 {
        if !self.has(pointer) {
            return absent;
        }
        let mut n = 0;
        if let Some(text) = self.scalar(pointer, "number") {
            match text.parse() {
                Ok(parsed) => n = parsed,
                Err(_) => self.problem(pointer, "must not be negative"),
            }
        }
        if n < 1 || n > highest {
            self.problem(pointer, &format!("must be from 1 to {}", highest));
        }
        n
    }

    fn result(mut self) -> Vec<u8> {
        let container = |e: &Entry| e.kind == "object" || e.kind == "array";
        let unread: Vec<&str> = self.entries.iter().filter(|e| !e.read && !container(e)).map(|e| e.pointer).collect();
        for pointer in unread {
            self.problem(pointer, "is not a setting of this plugin");
        }
        let mut out = Vec::new();
        put_number(&mut out, 1, u64::from(self.problems.is_empty()));
        for (pointer, message) in &self.problems {
            let mut problem = Vec::new();
            put_text(&mut problem, 1, pointer);
            put_text(&mut problem, 2, message);
            put_message(&mut out, 2, &problem);
        }
        out
    }
}
