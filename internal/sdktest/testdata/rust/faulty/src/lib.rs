//! A policy that does the wrong thing its request asks for. The test that compiles it says what the host must see.

use purser_sdk::policy::{allow, deny, Request};
use purser_sdk::{log, Config, DecideResult, Policy};
use std::cell::Cell;

struct Faulty {
    calls: Cell<u32>,
}

impl Policy for Faulty {
    fn configure(_: &mut Config) -> Self {
        Faulty { calls: Cell::new(0) }
    }

    fn decide(&self, request: &Request) -> DecideResult {
        self.calls.set(self.calls.get() + 1);
        let purpose = &*request.intent.purpose;
        match purpose {
            "panic" => panic!("asked to"),
            "formatted panic" => panic!("asked for {}", purpose.len()),
            "long panic" => panic!("{}", "x".repeat(100_000)),
            "index" => return deny(["a"][purpose.len()], &[]),
            "overflow the stack" => return deny("depth", &[&depth(purpose.len() as u64).to_string()]),
            "exhaust the memory" => hoard(purpose.len()),
            "free and grow" => return grown(),
            "log" => log::warn("asked to log"),
            _ => {}
        }
        if self.calls.get() > 1 {
            return deny("remembers", &[]);
        }
        allow()
    }
}

purser_sdk::policy!(Faulty);

/// Hides from the optimizer that nobody needs a value.
fn needed(value: &u64) -> u64 {
    // SAFETY: it reads what a reference points to.
    unsafe { std::ptr::read_volatile(value) }
}

fn depth(n: u64) -> u64 {
    let frame = [n; 64];
    let below = depth(needed(&frame[5]) + 1);
    below ^ needed(&frame[7])
}

fn hoard(size: usize) {
    let mut all = Vec::new();
    loop {
        let mut block = Vec::with_capacity(1 << 13);
        block.push(size as u64);
        needed(&block[0]);
        all.push(block);
    }
}

/// Puts the allocator through every way a block can grow, shrink, move and come back, and checks what they hold.
fn grown() -> DecideResult {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for round in 0..200usize {
        let mut block = vec![round as u8; round * 7 % 97 + 1];
        if round % 3 == 0 {
            block.extend((0..round * 5).map(|_| round as u8)); // the last block grows where it is
        }
        if let Some(earlier) = blocks.get_mut(round / 2) {
            earlier.resize(round * 11 % 301 + 1, (round / 2) as u8); // another moves, or shrinks
            earlier.shrink_to_fit();
        }
        blocks.push(block);
        if round % 10 == 9 {
            drop(std::mem::take(&mut blocks[round - 4]));
            blocks[round - 4] = vec![(round - 4) as u8; 33];
        }
    }
    for (i, block) in blocks.iter().enumerate() {
        if block.iter().any(|&byte| byte != i as u8) {
            return deny("blocks_overlap", &[]);
        }
    }
    allow()
}
