//! The price-sanity policy in Rust: the same verdicts, byte for byte, as plugins/price-sanity in Go. It shows a purser
//! guest without an SDK and without dependencies: six exports, about 400 lines, no imports from the host.
//!
//! Build it with `sh build.sh`. It needs Rust 1.63 or newer with the wasm32-unknown-unknown target.

mod amount;
mod decide;
mod settings;
mod wire;

use settings::Settings;
use std::cell::RefCell;

/// The most the host ever sends to a policy.
const INPUT_BYTES_MAX: u32 = 64 << 10;

/// What outlives one call. The host restores the state after configure before every decision.
#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
    settings: Option<Settings>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// The minor version of ABI 1 that this policy was written for.
#[no_mangle]
pub extern "C" fn purser_abi_1() -> u32 {
    0
}

/// Makes room for the next message; 0 refuses.
#[no_mangle]
pub extern "C" fn purser_alloc(size: u32) -> u32 {
    if size > INPUT_BYTES_MAX {
        return 0;
    }
    STATE.with(|state| {
        let input = &mut state.borrow_mut().input;
        *input = vec![0; size.max(1) as usize];
        input.as_ptr() as u32
    })
}

#[no_mangle]
pub extern "C" fn purser_configure(at: u32, size: u32) -> u64 {
    serve(at, size, |state, message| {
        let (settings, result) = settings::configure(message)?;
        state.settings = Some(settings);
        Ok(result)
    })
}

#[no_mangle]
pub extern "C" fn purser_policy_decide(at: u32, size: u32) -> u64 {
    serve(at, size, |state, message| {
        let settings = state.settings.as_ref().ok_or(wire::Refused)?;
        decide::decide(settings, message)
    })
}

/// Runs one call on the message the host wrote, and returns pointer and length of the result, or 0. An empty message
/// needs no room and may come from anywhere; any other must lie where purser_alloc said.
fn serve(at: u32, size: u32, call: impl FnOnce(&mut State, &[u8]) -> wire::Result<Vec<u8>>) -> u64 {
    STATE.with(|state| {
        let state = &mut *state.borrow_mut();
        let input = std::mem::take(&mut state.input);
        if size > 0 && (at != input.as_ptr() as u32 || size as usize > input.len()) {
            return 0;
        }
        match call(state, &input[..size as usize]) {
            Ok(mut result) => {
                let length = result.len() as u64;
                result.push(0); // an empty result needs an address too
                state.output = result;
                (state.output.as_ptr() as u64) << 32 | length
            }
            Err(wire::Refused) => 0,
        }
    })
}
