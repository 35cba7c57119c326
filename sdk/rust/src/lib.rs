//! Write policies and chain adapters for purser in Rust: plugins that run as WebAssembly between an AI agent and its
//! money. The crate refuses to allow by accident: a missing answer, a missing intent and a panic all deny.
//!
//! A policy is a type with [`Policy`] and one line, [`policy!`]; a chain adapter is a type with [`Adapter`] and
//! [`adapter!`]. Both compile natively too, so that plugins have ordinary unit tests.
//!
//! A plugin has no clock, no network and no memory of earlier calls: the host restores what configure left behind. So
//! on WebAssembly this crate brings an allocator that never gives memory back, and a panic is a line in
//! the log and a trap.

#![forbid(unsafe_op_in_unsafe_fn)]

mod amount;
pub mod chain;
pub mod config;
mod decode;
mod encode;
#[doc(hidden)]
pub mod guest;
pub mod log;
mod messages_gen;
#[cfg(any(target_arch = "wasm32", test))]
mod panicking;
pub mod policy;
pub mod wire;

#[cfg(target_arch = "wasm32")]
mod heap;

pub use amount::Amount;
pub use chain::Adapter;
pub use config::Config;
pub use messages_gen::*;
pub use policy::Policy;

/// The minor version of ABI 1 that this crate speaks.
pub const ABI_MINOR: u32 = 0;
