//! Replays the vectors that prove every implementation of the ABI (abi/testdata/v1).

mod registry_gen;

use registry_gen::{rewrite, NAMES};

/// One vector. Of the valid ones, `problem` is empty.
#[derive(Default)]
struct Vector {
    name: String,
    wire: Vec<u8>,
    problem: String,
    skips: bool,
}

/// The valid and the refused vectors of a message. The files have one member a line, and a JSON parser would be a
/// dependency: a member of a vector is what stands three spaces deep, its view is deeper.
fn read(message: &str) -> (Vec<Vector>, Vec<Vector>) {
    let path = format!("../../abi/testdata/v1/{}.json", message);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {}", path, e));
    let (mut valid, mut refused) = (Vec::new(), Vec::new());
    let mut vector = Vector::default();
    let mut into = &mut valid;
    for line in text.lines() {
        match line {
            " \"refused\": [" => into = &mut refused,
            "  }" | "  }," => into.push(std::mem::take(&mut vector)),
            _ => {}
        }
        let member = line.strip_prefix("   \"").and_then(|rest| rest.trim_end_matches(',').split_once("\": "));
        match member {
            Some(("name", text)) => vector.name = unquoted(text),
            Some(("hex", text)) => vector.wire = unhex(&unquoted(text)),
            Some(("problem", text)) => vector.problem = unquoted(text),
            Some(("guest", text)) => vector.skips = unquoted(text) == "skips",
            _ => {}
        }
    }
    assert!(valid.len() > 1 && refused.len() > 1, "no vectors of {}", message);
    (valid, refused)
}

fn unquoted(text: &str) -> String {
    text.trim_matches('"').to_owned()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).expect("hex") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn rewritten(message: &str, wire: &[u8]) -> Result<Vec<u8>, purser_sdk::wire::WireError> {
    rewrite(message, wire).expect("a message of that name")
}

#[test]
fn golden_vectors_read_the_same_as_on_the_host() {
    for message in NAMES {
        for v in read(message).0 {
            assert_eq!(rewritten(message, &v.wire), Ok(v.wire), "{}, {}", message, v.name);
        }
    }
}

#[test]
fn golden_vectors_of_wrong_bytes_are_refused_for_the_hosts_reason() {
    for message in NAMES {
        for v in read(message).1 {
            match rewritten(message, &v.wire) {
                Ok(_) => assert!(v.skips, "{}, {}: read, but a guest refuses it", message, v.name),
                Err(e) => assert_eq!((e.text(), false), (&*v.problem, v.skips), "{}, {}", message, v.name),
            }
        }
    }
}

/// The same numbers each time: a failing mutation can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

fn damaged(random: &mut Random, wire: &[u8], other: &[u8]) -> Vec<u8> {
    let mut wire = wire.to_vec();
    let at = random.below(wire.len() + 1);
    match random.below(5) {
        0 if at < wire.len() => wire[at] ^= 1 << random.below(8),
        1 if at < wire.len() => wire[at] = random.below(256) as u8,
        2 => wire.truncate(at),
        3 => wire.insert(at, random.below(256) as u8),
        _ => wire.splice(at.., other.iter().copied()).for_each(drop),
    }
    wire
}

const MUTATIONS: usize = 2_000;

#[test]
fn damaged_messages_never_panic_and_what_is_read_has_one_spelling() {
    let mut random = Random(20_261_122);
    let mut taken = 0;
    for message in NAMES {
        let (valid, refused) = read(message);
        let seeds: Vec<&[u8]> = valid.iter().chain(&refused).map(|v| &v.wire[..]).collect();
        for _ in 0..MUTATIONS {
            let (seed, other) = (seeds[random.below(seeds.len())], seeds[random.below(seeds.len())]);
            let wire = damaged(&mut random, seed, other);
            if let Ok(canonical) = rewritten(message, &wire) {
                taken += 1;
                assert!(canonical.len() <= wire.len(), "{}: {:?} grew", message, wire);
                assert_eq!(rewritten(message, &canonical), Ok(canonical), "{}: {:?}", message, wire);
            }
        }
    }
    assert!(taken > 1_000, "only {} damaged messages were read, so little was compared", taken);
}
