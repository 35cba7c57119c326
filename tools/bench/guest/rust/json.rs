//! A pull parser for JSON, written by hand because a plugin without dependencies has no other. A document that is not as
//! asked for ends in None.

use std::borrow::Cow;

/// Bounds nesting in skip.
const DEPTH_MAX: u32 = 64;

/// Reads one document from front to back.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    first: bool,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Reader { text, at: 0, first: false }
    }

    /// Some when nothing is left over.
    pub fn end(mut self) -> Option<()> {
        match self.peek() {
            None => Some(()),
            Some(_) => None,
        }
    }

    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// Reads '{' or '['.
    pub fn enter(&mut self, open: u8) -> Option<()> {
        self.first = true;
        self.take(open)
    }

    /// Whether another member comes before the closing '}' or ']', which it reads.
    pub fn more(&mut self, close: u8) -> Option<bool> {
        let first = std::mem::replace(&mut self.first, false);
        if self.peek()? == close {
            self.at += 1;
            return Some(false);
        }
        if !first {
            self.take(b',')?;
        }
        Some(true)
    }

    /// Reads a member's name and the colon.
    pub fn key(&mut self) -> Option<Cow<'a, str>> {
        let key = self.text()?;
        self.take(b':')?;
        Some(key)
    }

    /// Reads a string. One without escapes is a piece of the document.
    pub fn text(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let end = start + rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
        self.at = end;
        match self.text.as_bytes()[end] {
            b'"' => {
                self.at += 1;
                Some(Cow::Borrowed(&self.text[start..end]))
            }
            b'\\' => self.unescape(self.text[start..end].to_owned()).map(Cow::Owned),
            _ => None,
        }
    }

    fn unescape(&mut self, mut out: String) -> Option<String> {
        loop {
            let c = self.text[self.at..].chars().next()?;
            self.at += c.len_utf8();
            match c {
                '"' => return Some(out),
                '\\' => out.push(self.escape()?),
                c if c < ' ' => return None,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(match c {
            b'"' | b'\\' | b'/' => char::from(c),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hex4()?;
                if !(0xd800..0xe000).contains(&unit) {
                    return char::from_u32(unit);
                }
                if unit >= 0xdc00 || self.text.as_bytes().get(self.at..self.at + 2) != Some(b"\\u") {
                    return None;
                }
                self.at += 2;
                let low = self.hex4()?.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
                return char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low);
            }
            _ => return None,
        })
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// Reads a whole number below 2^64.
    pub fn uint(&mut self) -> Option<u64> {
        self.peek()?;
        let digits = self.text[self.at..].bytes().take_while(u8::is_ascii_digit).count();
        let number = self.text[self.at..self.at + digits].parse().ok();
        self.at += digits;
        number
    }

    /// Passes over one value of any type.
    pub fn skip(&mut self) -> Option<()> {
        self.skip_within(DEPTH_MAX)
    }

    fn skip_within(&mut self, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'"' => {
                self.text()?;
            }
            b'{' => {
                self.enter(b'{')?;
                while self.more(b'}')? {
                    self.key()?;
                    self.skip_within(depth)?;
                }
            }
            b'[' => {
                self.enter(b'[')?;
                while self.more(b']')? {
                    self.skip_within(depth)?;
                }
            }
            _ => {
                let scalar = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let length = self.text[self.at..].bytes().take_while(scalar).count();
                self.at += length;
                return if length == 0 { None } else { Some(()) };
            }
        }
        Some(())
    }
}
