//! Reads a plugin's configuration from the flattened entries that the host sends, so that a guest needs no JSON parser.
//! It refuses silence: a missing or mistyped setting, and every setting the plugin never asked for, is reported with its
//! JSON pointer. A misspelled limit is no limit.

use crate::amount::Amount;
use crate::{ConfigProblem, ConfigureResult, JSONEntry};

/// How many problems one report holds, as the host reads no more.
const PROBLEMS_MAX: usize = 64;

/// One configuration being read.
pub struct Config<'a> {
    entries: &'a [JSONEntry],
    read: Vec<bool>,
    problems: Vec<ConfigProblem>,
}

impl<'a> Config<'a> {
    /// Reads the entries of a ConfigureRequest.
    pub fn new(entries: &'a [JSONEntry]) -> Self {
        Config { entries, read: vec![false; entries.len()], problems: Vec::new() }
    }

    /// Reports a fault of the setting at pointer, in a sentence without a full stop. Any problem refuses the
    /// configuration.
    pub fn problem(&mut self, pointer: &str, message: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(ConfigProblem { pointer: pointer.to_owned(), message: message.to_owned() });
        }
    }

    /// Whether there is a setting at pointer, of any type but null.
    pub fn has(&self, pointer: &str) -> bool {
        self.find(pointer).map_or(false, |i| self.entries[i].r#type != "null")
    }

    /// A string that must be there.
    pub fn text(&mut self, pointer: &str) -> String {
        self.scalar(pointer, "string").unwrap_or("").to_owned()
    }

    /// True or false that must be there.
    pub fn bool(&mut self, pointer: &str) -> bool {
        self.scalar(pointer, "bool") == Some("true")
    }

    /// A whole number from 0 to 2^53-1 that must be there.
    pub fn uint(&mut self, pointer: &str) -> u64 {
        let text = match self.scalar(pointer, "number") {
            Some(text) => text,
            None => return 0,
        };
        let number = Amount::parse(text).and_then(Amount::to_u64);
        if number.is_none() {
            self.problem(pointer, "must not be negative");
        }
        number.unwrap_or(0)
    }

    /// An amount that must be there: decimal digits in a string, in the asset's smallest unit.
    pub fn amount(&mut self, pointer: &str) -> Amount {
        let text = match self.scalar(pointer, "string") {
            Some(text) => text,
            None => return Amount::default(),
        };
        let amount = Amount::parse(text);
        if amount.is_none() {
            self.problem(pointer, "amount is not a plain decimal integer below 2^256 without leading zeros");
        }
        amount.unwrap_or_default()
    }

    /// The number of elements of the array at pointer, which must be there. Its elements are at pointer + "/0",
    /// pointer + "/1" and so on.
    pub fn len(&mut self, pointer: &str) -> usize {
        let list = match self.typed(pointer, "array") {
            Some(list) => list,
            None => return 0,
        };
        // What is below the array follows it directly; its own elements have one segment more.
        let below = self.entries[list + 1..].iter().map_while(|e| below(&e.pointer, pointer));
        below.filter(|rest| !rest.contains('/')).count()
    }

    /// An array of strings that must be there; it may be empty.
    pub fn texts(&mut self, pointer: &str) -> Vec<String> {
        let mut texts = Vec::new();
        let list = match self.typed(pointer, "array") {
            Some(list) => list,
            None => return texts,
        };
        for i in list + 1..self.entries.len() {
            let entry = &self.entries[i];
            let rest = match below(&entry.pointer, pointer) {
                Some(rest) => rest,
                None => break,
            };
            self.read[i] = true;
            if entry.r#type == "string" && !rest.contains('/') {
                texts.push(entry.text.clone());
            } else {
                self.problem(&entry.pointer, "must be a string");
            }
        }
        texts
    }

    /// Marks a setting, and all below it, as known although it is not read.
    pub fn ignore(&mut self, pointer: &str) {
        for (entry, read) in self.entries.iter().zip(self.read.iter_mut()) {
            *read |= entry.pointer == pointer || below(&entry.pointer, pointer).is_some();
        }
    }

    /// All problems, after adding one for each setting that was never read.
    pub fn result(mut self) -> ConfigureResult {
        for (i, entry) in self.entries.iter().enumerate() {
            let container = entry.r#type == "object" || entry.r#type == "array";
            if !self.read[i] && !container {
                self.problem(&entry.pointer, "is not a setting of this plugin");
            }
        }
        ConfigureResult { ok: self.problems.is_empty(), problems: self.problems }
    }

    fn find(&self, pointer: &str) -> Option<usize> {
        self.entries.iter().position(|e| e.pointer == pointer)
    }

    /// Finds a setting that must be there with the given JSON type.
    fn typed(&mut self, pointer: &str, kind: &str) -> Option<usize> {
        let found = match self.find(pointer) {
            Some(found) => found,
            None => {
                self.problem(pointer, "is missing");
                return None;
            }
        };
        self.read[found] = true;
        if self.entries[found].r#type != kind {
            self.problem(pointer, &["must be of type ", kind].concat());
            return None;
        }
        Some(found)
    }

    fn scalar(&mut self, pointer: &str, kind: &str) -> Option<&'a str> {
        let found = self.typed(pointer, kind)?;
        Some(&self.entries[found].text)
    }
}

/// What follows pointer and its slash.
fn below<'p>(entry: &'p str, pointer: &str) -> Option<&'p str> {
    entry.strip_prefix(pointer)?.strip_prefix('/')
}

/// An entry of a configuration, for unit tests: `entry("/ceiling", "string", "50000")`. The root is
/// `entry("", "object", "")`.
pub fn entry(pointer: &str, kind: &str, text: &str) -> JSONEntry {
    JSONEntry { pointer: pointer.to_owned(), r#type: kind.to_owned(), text: text.to_owned() }
}
