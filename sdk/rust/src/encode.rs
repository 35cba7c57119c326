//! Writes messages. What cannot be written canonically is not written at all.

use crate::amount::Amount;
use crate::wire::{Fields, Message, WireError, INTEGER_MAX, LENGTH_DELIMITED, MESSAGE_BYTES_MAX, REPEATED_MAX, VARINT};

/// Appends fields in the order it is called, which the generated code keeps ascending. The first problem sticks, so
/// that encoders read straight.
#[derive(Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    problem: Option<WireError>,
}

impl Encoder {
    pub(crate) fn finish(self) -> Result<Vec<u8>, WireError> {
        match self.problem {
            Some(problem) => Err(problem),
            None if self.bytes.len() > MESSAGE_BYTES_MAX => Err(WireError::MessageSize),
            None => Ok(self.bytes),
        }
    }

    fn fail(&mut self, problem: WireError) {
        self.problem.get_or_insert(problem);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn delimited(&mut self, field: u64, content: &[u8]) {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(content.len() as u64);
        self.bytes.extend_from_slice(content);
    }

    fn uint_element(&mut self, field: u64, value: u64) {
        if value > INTEGER_MAX {
            self.fail(WireError::Number);
        }
        self.varint(field << 3 | VARINT);
        self.varint(value);
    }

    /// A number, or an enum's; zero is not written.
    pub fn uint(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.uint_element(field, value);
        }
    }

    /// A truth value; false is not written.
    pub fn bool(&mut self, field: u64, value: bool) {
        self.uint(field, u64::from(value));
    }

    /// Text; the empty one is not written.
    pub fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// Bytes; none are not written.
    pub fn bytes(&mut self, field: u64, content: &[u8]) {
        if !content.is_empty() {
            self.delimited(field, content);
        }
    }

    /// An amount in both spellings; zero is not written.
    pub fn amount(&mut self, field: u64, amount: Amount) {
        if amount.is_zero() {
            return;
        }
        let mark = self.begin(field);
        self.text(1, &amount.decimal());
        self.bytes(2, amount.shortest(&mut [0; 32]));
        self.end(mark);
    }

    /// A message that is present, even an empty one.
    pub fn message<M: Message>(&mut self, field: u64, message: &Option<M>) {
        if let Some(message) = message {
            self.message_element(field, message);
        }
    }

    fn message_element(&mut self, field: u64, message: &dyn Fields) {
        let mark = self.begin(field);
        message.encode(self);
        self.end(mark);
    }

    fn count(&mut self, elements: usize) {
        if elements > REPEATED_MAX {
            self.fail(WireError::TooMany);
        }
    }

    /// All elements, even empty ones.
    pub fn uint_list(&mut self, field: u64, list: &[u64]) {
        self.count(list.len());
        list.iter().for_each(|&value| self.uint_element(field, value));
    }

    /// All elements, even empty ones.
    pub fn text_list(&mut self, field: u64, list: &[String]) {
        self.count(list.len());
        list.iter().for_each(|text| self.delimited(field, text.as_bytes()));
    }

    /// All elements, even empty ones.
    pub fn bytes_list(&mut self, field: u64, list: &[Vec<u8>]) {
        self.count(list.len());
        list.iter().for_each(|content| self.delimited(field, content));
    }

    /// All elements, even empty ones.
    pub fn message_list<M: Message>(&mut self, field: u64, list: &[M]) {
        self.count(list.len());
        list.iter().for_each(|message| self.message_element(field, message));
    }

    /// Opens a nested message and returns where its content starts.
    fn begin(&mut self, field: u64) -> usize {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.bytes.push(0); // most lengths fit in this byte
        self.bytes.len()
    }

    /// Writes the length of the message that begin opened, moving the content when the length needs more than the
    /// byte kept for it.
    fn end(&mut self, mark: usize) {
        let mut size = self.bytes.len() - mark;
        let mut at = mark - 1;
        while size >= 0x80 {
            self.bytes[at] = size as u8 | 0x80;
            size >>= 7;
            at += 1;
            self.bytes.insert(at, 0);
        }
        self.bytes[at] = size as u8;
    }
}
