//! The strict subset of the protobuf wire format that purser speaks (abi/v1.md): just what this policy reads and
//! writes. Anything outside the subset is refused; fields that a newer host may add are skipped.

/// The message is not in the subset. The policy answers nothing then, and the host denies.
#[derive(Debug)]
pub struct Refused;

pub type Result<T> = std::result::Result<T, Refused>;

/// The largest integer of the format, 2^53-1.
const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Most elements of one repeated field.
pub const REPEATED_MAX: usize = 16_384;

enum Content<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// One field of a message.
pub struct Field<'a> {
    pub number: u64,
    /// The field before had the same number.
    again: bool,
    content: Content<'a>,
}

impl<'a> Field<'a> {
    /// The content of a length-delimited field that may stand once.
    pub fn message(&self) -> Result<&'a [u8]> {
        if self.again {
            return Err(Refused);
        }
        self.element()
    }

    /// The content of one element of a repeated field.
    pub fn element(&self) -> Result<&'a [u8]> {
        match self.content {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Varint(_) => Err(Refused),
        }
    }

    /// Text that may stand once; empty text is not written.
    pub fn text(&self) -> Result<&'a str> {
        let bytes = self.message()?;
        if bytes.is_empty() {
            return Err(Refused);
        }
        std::str::from_utf8(bytes).map_err(|_| Refused)
    }

    /// A number that may stand once; zero is not written.
    pub fn number(&self) -> Result<u64> {
        match self.content {
            Content::Varint(value) if value != 0 && !self.again => Ok(value),
            _ => Err(Refused),
        }
    }
}

/// Walks the fields of one message.
pub struct Fields<'a> {
    rest: &'a [u8],
    last: u64,
}

impl<'a> Fields<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Fields { rest: message, last: 0 }
    }

    /// The next field, or None at the end.
    pub fn next(&mut self) -> Result<Option<Field<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number < self.last {
            return Err(Refused);
        }
        let again = number == self.last;
        self.last = number;
        let content = match tag & 7 {
            0 => Content::Varint(self.varint()?),
            2 => {
                let size = self.varint()?;
                if size > self.rest.len() as u64 {
                    return Err(Refused);
                }
                let (bytes, rest) = self.rest.split_at(size as usize);
                self.rest = rest;
                Content::Bytes(bytes)
            }
            _ => return Err(Refused),
        };
        Ok(Some(Field { number, again, content }))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().enumerate().take(8) {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if value > INTEGER_MAX {
                return Err(Refused);
            }
            if byte < 0x80 {
                if byte == 0 && i > 0 {
                    return Err(Refused); // not minimal
                }
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(Refused)
    }
}

/// Appends a varint field; zero is not written.
pub fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_varint(out, field << 3);
        put_varint(out, value);
    }
}

/// Appends a length-delimited field; empty text is not written.
pub fn put_text(out: &mut Vec<u8>, field: u64, text: &str) {
    if !text.is_empty() {
        put_message(out, field, text.as_bytes());
    }
}

/// Appends a nested message, empty ones too.
pub fn put_message(out: &mut Vec<u8>, field: u64, message: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, message.len() as u64);
    out.extend_from_slice(message);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
