//! Says why a plugin panicked, before the panic becomes a trap: the host sees only the trap. It refuses to bring
//! formatting into a module, which has its own price in bytes and fuel.

use crate::log;
use std::any::Any;

/// What is logged of a longer message, so that it fits the host's limit of a call's log.
const MESSAGE_BYTES_MAX: usize = 1 << 10;

/// Takes the place of the standard hook, whose text goes to a standard error that a guest does not have.
pub fn report() {
    std::panic::set_hook(Box::new(|info| {
        let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
        log::error(&["panic: ", message(info.payload()), " (", file, ":", decimal(line, &mut [0; 10]), ")"].concat());
    }));
}

fn message(payload: &dyn Any) -> &str {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "panic",
    };
    text.get(..MESSAGE_BYTES_MAX).unwrap_or(text)
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &str {
    let mut at = digits.len();
    while at > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_that_says_why_is_still_a_panic() {
        report();
        let caught = std::panic::catch_unwind(|| panic!("asked to, {}", 1));
        drop(std::panic::take_hook());
        assert!(caught.is_err());
    }

    #[test]
    fn numbers_of_lines_are_plain_decimal() {
        for (number, want) in [(0, "0"), (7, "7"), (10, "10"), (4096, "4096"), (u32::MAX, "4294967295")] {
            assert_eq!(decimal(number, &mut [0; 10]), want);
        }
    }
}
