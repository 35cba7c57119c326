//! The kernel of Extism keeps a memory of its own: a guest reads and writes it word by word.

mod host {
    #[link(wasm_import_module = "extism:host/env")]
    extern "C" {
        pub fn input_length() -> u64;
        pub fn input_load_u8(at: u64) -> u8;
        pub fn input_load_u64(at: u64) -> u64;
        pub fn alloc(size: u64) -> u64;
        pub fn length(at: u64) -> u64;
        pub fn load_u8(at: u64) -> u8;
        pub fn load_u64(at: u64) -> u64;
        pub fn store_u8(at: u64, byte: u8);
        pub fn store_u64(at: u64, word: u64);
        pub fn output_set(at: u64, size: u64);
        pub fn config_get(key: u64) -> u64;
    }
}

const WORD_BYTES: usize = 8;

/// The input of this call.
pub fn input() -> Vec<u8> {
    // SAFETY: the host bounds every access by the block.
    unsafe { copy_in(host::input_length(), |i| host::input_load_u64(i), |i| host::input_load_u8(i)) }
}

/// A value of the plugin's configuration.
pub fn config(key: &str) -> Vec<u8> {
    // SAFETY: the host bounds every access by the block.
    unsafe {
        let at = host::config_get(store(key.as_bytes()));
        copy_in(host::length(at), |i| host::load_u64(at + i), |i| host::load_u8(at + i))
    }
}

/// The output of this call.
pub fn output(bytes: &[u8]) {
    // SAFETY: the block was made by store.
    unsafe { host::output_set(store(bytes), bytes.len() as u64) }
}

fn copy_in(size: u64, word: impl Fn(u64) -> u64, byte: impl Fn(u64) -> u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(size as usize);
    let words = size / WORD_BYTES as u64;
    for i in 0..words {
        out.extend_from_slice(&word(i * WORD_BYTES as u64).to_le_bytes());
    }
    for i in words * WORD_BYTES as u64..size {
        out.push(byte(i));
    }
    out
}

fn store(bytes: &[u8]) -> u64 {
    // SAFETY: the host bounds every access by the block.
    unsafe {
        let at = host::alloc(bytes.len() as u64);
        let mut next = at;
        let mut words = bytes.chunks_exact(WORD_BYTES);
        for chunk in &mut words {
            let mut word = [0; WORD_BYTES];
            word.copy_from_slice(chunk);
            host::store_u64(next, u64::from_le_bytes(word));
            next += WORD_BYTES as u64;
        }
        for &byte in words.remainder() {
            host::store_u8(next, byte);
            next += 1;
        }
        at
    }
}
