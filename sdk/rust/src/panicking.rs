//! Says why a plugin panicked, before the panic becomes a trap: the host knows only that it trapped. It refuses to
//! allocate, to format, and to say more than one line.

use std::panic::PanicInfo;

/// The longest line; more is cut.
const LINE_BYTES_MAX: usize = 240;

struct Line {
    bytes: [u8; LINE_BYTES_MAX],
    size: usize,
}

impl Line {
    fn add(&mut self, text: &[u8]) {
        for &byte in text {
            if self.size < LINE_BYTES_MAX {
                self.bytes[self.size] = byte;
                self.size += 1;
            }
        }
    }

    fn add_number(&mut self, mut number: u32) {
        let mut digits = [b'0'; 10];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.add(&digits[at..]);
    }

    /// What fits, without half a character at its end.
    fn text(&self) -> &str {
        let bytes = &self.bytes[..self.size];
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(cut) => std::str::from_utf8(&bytes[..cut.valid_up_to()]).unwrap_or_default(),
        }
    }
}

fn line(info: &PanicInfo) -> Line {
    let mut line = Line { bytes: [0; LINE_BYTES_MAX], size: 0 };
    line.add(b"panic: ");
    if let Some(text) = info.payload().downcast_ref::<&str>() {
        line.add(text.as_bytes());
    } else if let Some(text) = info.payload().downcast_ref::<String>() {
        line.add(text.as_bytes());
    }
    if let Some(at) = info.location() {
        line.add(b" (");
        line.add(at.file().as_bytes());
        line.add(b":");
        line.add_number(at.line());
        line.add(b")");
    }
    line
}

/// Takes the place of the standard hook, whose text goes to a standard error that a guest does not have.
pub fn report() {
    std::panic::set_hook(Box::new(|info| crate::log::error(line(info).text())));
}
