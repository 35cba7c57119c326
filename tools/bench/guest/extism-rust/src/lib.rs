//! The bench's policy as an Extism plugin, on the bare imports of the Extism runtime and with JSON read by hand.

#[path = "../../rust/json.rs"]
mod json;
mod kernel;
#[path = "../../rust/policy.rs"]
mod policy;
mod read;
mod wire;

use policy::{Settings, Verdict};

/// Read from the plugin's configuration at its first call; Extism keeps the instance.
static mut SETTINGS: Option<Settings> = None;

/// JSON in and out. 0 when there is an output.
#[no_mangle]
pub extern "C" fn decide() -> i32 {
    status(answer())
}

/// The same in purser's encoding.
#[no_mangle]
pub extern "C" fn decide_wire() -> i32 {
    status(answer_wire())
}

fn status(answered: Option<()>) -> i32 {
    match answered {
        Some(()) => 0,
        None => 1,
    }
}

fn settings() -> Option<&'static Settings> {
    // SAFETY: a guest has one thread, and the host makes one call at a time.
    let settings = unsafe { &mut *std::ptr::addr_of_mut!(SETTINGS) };
    if settings.is_none() {
        let text = String::from_utf8(kernel::config("policy")).ok()?;
        *settings = Some(read::settings(&text)?);
    }
    settings.as_ref()
}

fn answer() -> Option<()> {
    let input = String::from_utf8(kernel::input()).ok()?;
    let verdict = match read::payment(&input)? {
        Some(mut request) => settings()?.decide(&request.payment()),
        None => policy::unreadable(),
    };
    kernel::output(document(&verdict).as_bytes());
    Some(())
}

fn answer_wire() -> Option<()> {
    let input = kernel::input();
    let verdict = match wire::payment(&input)? {
        Some(payment) => settings()?.decide(&payment),
        None => policy::unreadable(),
    };
    kernel::output(&wire::result(&verdict));
    Some(())
}

fn document(verdict: &Verdict) -> String {
    let mut out = String::with_capacity(64);
    out.push_str("{\"outcome\":");
    out.push(char::from(b'0' + verdict.outcome));
    out.push_str(",\"codes\":[");
    for (i, code) in verdict.codes.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(code);
        out.push('"');
    }
    out.push_str("]}");
    out
}
