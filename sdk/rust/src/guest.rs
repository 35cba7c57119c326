//! Moves bytes between a plugin and its host. It refuses every address that it did not hand out itself. The macros
//! `policy!` and `adapter!` use it; nobody else should.

use crate::wire::Message;
use crate::{ConfigureRequest, ConfigureResult};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;

/// What outlives one call, in a static of the plugin's crate.
pub struct Slot<P> {
    state: UnsafeCell<State<P>>,
}

struct State<P> {
    /// What the host may be looking at.
    input: Vec<u8>,
    output: Vec<u8>,
    plugin: Option<P>,
}

// SAFETY: a guest has one thread, and the host makes one call at a time: none begins inside another.
#[cfg(target_arch = "wasm32")]
unsafe impl<P> Sync for Slot<P> {}

impl<P> Slot<P> {
    /// An empty slot.
    #[allow(clippy::new_without_default)] // a static needs a const fn
    pub const fn new() -> Self {
        Slot { state: UnsafeCell::new(State { input: Vec::new(), output: Vec::new(), plugin: None }) }
    }

    #[allow(clippy::mut_from_ref)] // see Sync above; natively, Slot is not Sync
    fn state(&self) -> &mut State<P> {
        // SAFETY: no caller holds the result of an earlier call, and plugins cannot reach a Slot.
        unsafe { &mut *self.state.get() }
    }

    /// Makes room for the next message; 0 refuses.
    pub fn alloc(&self, size: u32, input_bytes_max: u32) -> u32 {
        if size > input_bytes_max {
            return 0;
        }
        let state = self.state();
        state.input = vec![0; size.max(1) as usize]; // never 0 bytes: its address would not be ours
        address(&state.input)
    }

    /// Answers the configure call, and keeps the plugin it makes.
    pub fn configure(
        &self,
        at: u32,
        size: u32,
        configure: impl FnOnce(&ConfigureRequest) -> (P, ConfigureResult),
    ) -> u64 {
        self.answer(at, size, |plugin, request| {
            let (configured, result) = configure(request);
            *plugin = Some(configured);
            Some(result)
        })
    }

    /// Answers any other call: none before configure.
    pub fn call<Q: Message, R: Message>(&self, at: u32, size: u32, call: impl FnOnce(&P, &Q) -> R) -> u64 {
        self.answer(at, size, |plugin, request| plugin.as_ref().map(|plugin| call(plugin, request)))
    }

    /// Address and length of the result in one number, 0 for failure. The request must lie where alloc said; an empty
    /// one lies nowhere, and the host asks for no space for it.
    fn answer<Q: Message, R: Message>(
        &self,
        at: u32,
        size: u32,
        call: impl FnOnce(&mut Option<P>, &Q) -> Option<R>,
    ) -> u64 {
        let state = self.state();
        let input = std::mem::take(&mut state.input);
        let placed = size == 0 || !input.is_empty() && at == address(&input);
        let request = match input.get(..size as usize) {
            Some(request) if placed => Q::from_bytes(request),
            _ => return 0,
        };
        // Neither request nor result is taken apart again: the host resets the memory, and giving it back piece by piece
        // would cost time and code.
        let result = match request {
            Ok(request) => call(&mut state.plugin, &ManuallyDrop::new(request)),
            Err(_) => return 0,
        };
        match result.map(ManuallyDrop::new).map(|result| result.to_bytes()) {
            Some(Ok(mut output)) => {
                let length = output.len() as u64;
                output.push(0); // an empty result is a valid one, so it needs an address other than 0
                state.output = output;
                u64::from(address(&state.output)) << 32 | length
            }
            _ => 0,
        }
    }
}

fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr() as usize as u32
}

/// The exports of a module. Natively there are none, but what they would call is type-checked.
#[doc(hidden)]
#[macro_export]
macro_rules! __plugin {
    ($plugin:ty, $configure:expr, $input_bytes_max:expr, $reserve_bytes:expr, { $($export:ident => $call:expr;)* }) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static SLOT: $crate::guest::Slot<$plugin> = $crate::guest::Slot::new();

            #[no_mangle]
            pub extern "C" fn purser_abi_1() -> u32 {
                $crate::ABI_MINOR
            }

            #[no_mangle]
            pub extern "C" fn purser_alloc(size: u32) -> u32 {
                SLOT.alloc(size, $input_bytes_max)
            }

            #[no_mangle]
            pub extern "C" fn purser_configure(at: u32, size: u32) -> u64 {
                $crate::guest::report_panics();
                let answer = SLOT.configure(at, size, $configure);
                $crate::guest::reserve($reserve_bytes);
                answer
            }

            $(
                #[no_mangle]
                pub extern "C" fn $export(at: u32, size: u32) -> u64 {
                    SLOT.call(at, size, $call)
                }
            )*
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            let _ = $configure;
            $(let _ = $call;)*
        };
    };
}

/// Makes panics say why from here on. Nothing of a plugin's own runs before configure.
#[cfg(target_arch = "wasm32")]
pub fn report_panics() {
    crate::panicking::report();
}

/// Makes sure that an ordinary call needs no more memory than configure left: a host that meets a guest with grown
/// memory has to throw the instance away instead of resetting it.
#[cfg(target_arch = "wasm32")]
pub fn reserve(bytes: usize) {
    crate::heap::reserve(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DescribeRequest, Reason};

    fn configured() -> Slot<u64> {
        let slot = Slot::new();
        let answer = slot.configure(0, 0, |_| (7, ConfigureResult { ok: true, ..ConfigureResult::default() }));
        assert_eq!(answer as u32, 2); // field 1, true
        slot
    }

    /// Hands a request over as the host does.
    fn send(slot: &Slot<u64>, request: &[u8], size: u32, at_offset: u32) -> u64 {
        let at = slot.alloc(request.len() as u32, 64);
        slot.state().input.copy_from_slice(request);
        slot.call(at.wrapping_add(at_offset), size, |plugin, reason: &Reason| Reason {
            text: [&*reason.code, &*plugin.to_string()].concat(),
            ..Reason::default()
        })
    }

    #[test]
    fn a_request_gets_address_and_length_of_its_result() {
        let slot = configured();
        let answer = send(&slot, b"\x0a\x02hi", 4, 0);
        assert_eq!(answer as u32, 5);
        assert_eq!((answer >> 32) as u32, address(&slot.state().output));
        assert_eq!(slot.state().output, b"\x32\x03hi7\0");
    }

    #[test]
    fn an_empty_result_is_not_a_failure() {
        let answer = configured().call(0, 0, |_, request: &DescribeRequest| request.clone());
        assert_eq!(answer as u32, 0);
        assert_ne!(answer, 0);
    }

    #[test]
    fn addresses_that_were_not_handed_out_and_bytes_that_are_no_message_are_failures() {
        let slot = configured();
        assert_eq!(send(&slot, b"\x0a\x02hi", 4, 1), 0);
        assert_eq!(send(&slot, b"\x0a\x02hi", 5, 0), 0);
        assert_eq!(send(&slot, b"\x0a\x02hi", u32::MAX, 0), 0);
        assert_eq!(send(&slot, b"\x0a\x03hi", 4, 0), 0);
        assert_eq!(slot.call(8, 4, |_, reason: &Reason| reason.clone()), 0); // nothing was handed out
        assert_eq!(slot.alloc(65, 64), 0);
    }

    #[test]
    fn no_call_works_before_configure() {
        assert_eq!(Slot::<u64>::new().call(0, 0, |_, request: &DescribeRequest| request.clone()), 0);
    }

    #[test]
    fn a_result_without_canonical_bytes_is_a_failure() {
        let slot = configured();
        let above = crate::QuoteSample { observed_unix_s: crate::wire::INTEGER_MAX + 1, ..Default::default() };
        assert_eq!(slot.call(0, 0, |_, _: &DescribeRequest| above), 0);
    }
}
