//! Writes lines to the host's log, for an operator who looks for a fault. It refuses to matter: the host caps it, and
//! nothing logged is ever part of a decision. It is all that a plugin imports from the host; a panic says there why.

/// Logs what only the plugin's author wants to see.
pub fn debug(text: &str) {
    write(0, text);
}

/// Logs what an operator may want to see.
pub fn info(text: &str) {
    write(1, text);
}

/// Logs what an operator should look at.
pub fn warn(text: &str) {
    write(2, text);
}

/// Logs what went wrong.
pub fn error(text: &str) {
    write(3, text);
}

#[cfg(target_arch = "wasm32")]
fn write(level: u32, text: &str) {
    #[link(wasm_import_module = "purser_host_1")]
    extern "C" {
        fn log(level: u32, address: *const u8, length: usize);
    }
    // SAFETY: the host reads that text during the call, and keeps a copy if anything.
    unsafe { log(level, text.as_ptr(), text.len()) }
}

/// Natively the line goes to standard error, where a unit test shows it.
#[cfg(not(target_arch = "wasm32"))]
fn write(level: usize, text: &str) {
    eprintln!("{} {}", ["debug", "info", "warn", "error"][level], text);
}
