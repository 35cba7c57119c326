//! Reads messages, as strictly as the host does, but for fields that the schema does not have: those are skipped.

use crate::amount::Amount;
use crate::wire::{Fields, Message, WireError, INTEGER_MAX, LENGTH_DELIMITED, REPEATED_MAX, VARINT};

/// One loop for all messages: a copy of it in each would be most of a small plugin.
pub(crate) fn decode(message: &mut dyn Fields, bytes: &[u8]) -> Result<(), WireError> {
    let mut d = Decoder::new(bytes);
    while d.next()? {
        message.decode_field(&mut d)?;
    }
    Ok(())
}

/// Writes to a field that is empty, and so owns nothing that would have to be given back.
fn put<T>(empty: &mut T, value: T) {
    std::mem::forget(std::mem::replace(empty, value));
}

/// Walks the fields of one message. After each step, exactly one of its readers takes the field.
pub struct Decoder<'a> {
    rest: &'a [u8],
    /// The number of the field it stands at.
    pub field: u64,
    kind: u64,
    value: u64,
    data: &'a [u8],
    again: bool,
}

impl<'a> Decoder<'a> {
    fn new(message: &'a [u8]) -> Self {
        Decoder { rest: message, field: 0, kind: 0, value: 0, data: &[], again: false }
    }

    /// Reads a field's tag and content; false at the end of the message.
    fn next(&mut self) -> Result<bool, WireError> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let tag = self.varint()?;
        let field = tag >> 3;
        if field == 0 || field < self.field {
            return Err(WireError::NotAscending);
        }
        self.again = field == self.field;
        self.field = field;
        self.kind = tag & 7;
        match self.kind {
            VARINT => self.value = self.varint()?,
            LENGTH_DELIMITED => {
                let size = self.varint()?;
                if size > self.rest.len() as u64 {
                    return Err(WireError::BehindMessage);
                }
                let (data, rest) = self.rest.split_at(size as usize);
                self.data = data;
                self.rest = rest;
            }
            _ => return Err(WireError::WireType),
        }
        Ok(true)
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, WireError> {
        // Most tags, lengths and numbers are one byte.
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (i, &byte) in self.rest.iter().take(9).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if value > INTEGER_MAX || i == 8 {
                return Err(WireError::TooLarge);
            }
            if byte < 0x80 {
                if byte == 0 {
                    return Err(WireError::NotMinimal); // the last byte of several
                }
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(WireError::CutShort)
    }

    /// Checks a field that may stand once.
    fn singular(&self, kind: u64) -> Result<(), WireError> {
        if self.again {
            return Err(WireError::Twice);
        }
        self.typed(kind)
    }

    fn typed(&self, kind: u64) -> Result<(), WireError> {
        if self.kind == kind {
            Ok(())
        } else {
            Err(WireError::AnotherType)
        }
    }

    /// Checks one more element of a repeated field.
    fn element(&self, kind: u64, before: usize) -> Result<(), WireError> {
        if before >= REPEATED_MAX {
            return Err(WireError::TooMany);
        }
        self.typed(kind)
    }

    fn utf8(&self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.data).map_err(|_| WireError::NotUtf8)
    }

    // The readers write to the field they are given, which is empty before, and stay functions of their own: with all of
    // them inside each message's decoder a module would be twice as large.

    fn number(&self) -> Result<u64, WireError> {
        self.singular(VARINT)?;
        if self.value == 0 {
            return Err(WireError::Zero);
        }
        Ok(self.value)
    }

    /// A number.
    #[inline(never)]
    pub fn uint(&self, into: &mut u64) -> Result<(), WireError> {
        *into = self.number()?;
        Ok(())
    }

    /// A truth value.
    #[inline(never)]
    pub fn bool(&self, into: &mut bool) -> Result<(), WireError> {
        if self.number()? > 1 {
            return Err(WireError::Bool);
        }
        *into = true;
        Ok(())
    }

    /// An enum's value.
    pub fn enumeration<E>(&self, into: &mut E, from_wire: fn(u64) -> Option<E>) -> Result<(), WireError> {
        *into = from_wire(self.number()?).ok_or(WireError::Enum)?;
        Ok(())
    }

    fn plain_text(&self) -> Result<&'a str, WireError> {
        self.singular(LENGTH_DELIMITED)?;
        if self.data.is_empty() {
            return Err(WireError::EmptyText);
        }
        self.utf8()
    }

    /// Text.
    #[inline(never)]
    pub fn text(&self, into: &mut String) -> Result<(), WireError> {
        put(into, self.plain_text()?.to_owned());
        Ok(())
    }

    fn plain_bytes(&self) -> Result<&'a [u8], WireError> {
        self.singular(LENGTH_DELIMITED)?;
        if self.data.is_empty() {
            return Err(WireError::EmptyBytes);
        }
        Ok(self.data)
    }

    /// Bytes.
    #[inline(never)]
    pub fn bytes(&self, into: &mut Vec<u8>) -> Result<(), WireError> {
        put(into, self.plain_bytes()?.to_vec());
        Ok(())
    }

    /// A nested message.
    pub fn message<M: Message>(&self, into: &mut Option<M>) -> Result<(), WireError> {
        self.singular(LENGTH_DELIMITED)?;
        decode(into.get_or_insert_with(M::default), self.data)
    }

    /// One element of a repeated number.
    pub fn uint_element(&self, list: &mut Vec<u64>) -> Result<(), WireError> {
        self.element(VARINT, list.len())?;
        list.push(self.value);
        Ok(())
    }

    /// One element of repeated text.
    #[inline(never)]
    pub fn text_element(&self, list: &mut Vec<String>) -> Result<(), WireError> {
        self.element(LENGTH_DELIMITED, list.len())?;
        list.push(self.utf8()?.to_owned());
        Ok(())
    }

    /// One element of repeated bytes.
    pub fn bytes_element(&self, list: &mut Vec<Vec<u8>>) -> Result<(), WireError> {
        self.element(LENGTH_DELIMITED, list.len())?;
        list.push(self.data.to_vec());
        Ok(())
    }

    /// One element of a repeated message.
    pub fn message_element<M: Message>(&self, list: &mut Vec<M>) -> Result<(), WireError> {
        self.element(LENGTH_DELIMITED, list.len())?;
        let mut message = M::default();
        decode(&mut message, self.data)?;
        list.push(message);
        Ok(())
    }

    /// An amount. Both spellings must be there and agree: otherwise a host that reads one and a guest that reads the
    /// other would judge different prices.
    #[inline(never)]
    pub fn amount(&self, into: &mut Amount) -> Result<(), WireError> {
        self.singular(LENGTH_DELIMITED)?;
        if self.data.is_empty() {
            return Err(WireError::ZeroAmount);
        }
        let (mut decimal, mut big_endian) = ("", &[][..]);
        let mut d = Decoder::new(self.data);
        while d.next()? {
            match d.field {
                1 => decimal = d.plain_text()?,
                2 => big_endian = d.plain_bytes()?,
                _ => return Err(WireError::Unknown),
            }
        }
        let amount = Amount::from_big_endian(big_endian).ok_or(WireError::AmountForm)?;
        // What parses has one spelling, so equal numbers are equal texts.
        if amount.is_zero() || Amount::parse(decimal) != Some(amount) {
            return Err(WireError::AmountsDiffer);
        }
        *into = amount;
        Ok(())
    }
}
