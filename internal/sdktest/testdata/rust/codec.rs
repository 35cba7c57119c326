//! Reads "MESSAGE HEX" lines and answers each with "= HEX", the message written again, or "! PROBLEM". The test that
//! compiles it compares the answers with the host's.

#[path = "../../../../sdk/rust/tests/vectors/registry_gen.rs"]
mod registry_gen;

use std::io::{BufRead, Write};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).expect("hex") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn main() {
    assert!(!registry_gen::NAMES.is_empty());
    let stdin = std::io::stdin();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    for line in stdin.lock().lines() {
        let line = line.expect("text");
        if line.is_empty() {
            out.flush().expect("a reader"); // the test waits for the answers so far
            continue;
        }
        let (name, wire) = line.split_once(' ').expect("two words");
        match registry_gen::rewrite(name, &unhex(wire)).expect("a message of that name") {
            Ok(again) => {
                let text: String = again.iter().map(|byte| format!("{:02x}", byte)).collect();
                writeln!(out, "= {}", text)
            }
            Err(problem) => writeln!(out, "! {}", problem),
        }
        .expect("a reader");
    }
}
