//! The strict subset of the protobuf wire format that purser speaks (abi/v1.md, section 3): one spelling for each
//! message. Everything outside the subset is refused, except a field that a newer host may add, which is skipped.

pub use crate::decode::Decoder;
pub use crate::encode::Encoder;

/// The largest integer of the format: the largest that every JSON reader keeps exact.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Bounds one top-level message. The limits of a plugin call are far below it.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Bounds the elements of one repeated field, because two bytes on the wire can become a hundred in memory.
pub const REPEATED_MAX: usize = 16_384;

pub(crate) const VARINT: u64 = 0;
pub(crate) const LENGTH_DELIMITED: u64 = 2;

/// Why bytes are not a message, or a message has no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the texts below say it
pub enum WireError {
    NotAscending,
    BehindMessage,
    WireType,
    NotMinimal,
    TooLarge,
    CutShort,
    Twice,
    AnotherType,
    TooMany,
    Zero,
    Bool,
    Enum,
    EmptyText,
    NotUtf8,
    EmptyBytes,
    ZeroAmount,
    Unknown,
    AmountForm,
    AmountsDiffer,
    MessageSize,
    Number,
}

impl WireError {
    /// The problem in the words of the host.
    pub fn text(self) -> &'static str {
        match self {
            WireError::NotAscending => "fields do not ascend",
            WireError::BehindMessage => "field ends behind its message",
            WireError::WireType => "wire type is outside the subset",
            WireError::NotMinimal => "varint is not minimal",
            WireError::TooLarge => "varint is above 2^53-1 or not minimal",
            WireError::CutShort => "varint is cut short",
            WireError::Twice => "field stands twice",
            WireError::AnotherType => "field has another wire type",
            WireError::TooMany => "field is repeated more than WireRepeatedMax times",
            WireError::Zero => "zero is not written",
            WireError::Bool => "bool is neither 0 nor 1",
            WireError::Enum => "enum value is not known",
            WireError::EmptyText => "empty text is not written",
            WireError::NotUtf8 => "text is not UTF-8",
            WireError::EmptyBytes => "empty bytes are not written",
            WireError::ZeroAmount => "zero amount is not written",
            WireError::Unknown => "field is not known",
            WireError::AmountForm => "amount is not the shortest form of a uint256",
            WireError::AmountsDiffer => "decimal and big-endian amount differ",
            WireError::MessageSize => "message is larger than WireMessageBytesMax",
            WireError::Number => "number is above 2^53-1",
        }
    }
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for WireError {}

/// The part of a message that the generator writes.
pub trait Fields {
    /// Appends the fields, ascending.
    fn encode(&self, e: &mut Encoder);

    /// Reads the field that the decoder stands at, or leaves it when the schema has none of that number.
    fn decode_field(&mut self, d: &mut Decoder<'_>) -> Result<(), WireError>;
}

/// What every generated message can do.
pub trait Message: Fields + Default {
    /// The canonical bytes. Fails for what has none: numbers above [`INTEGER_MAX`], more than [`REPEATED_MAX`]
    /// elements, more than [`MESSAGE_BYTES_MAX`] bytes.
    fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut e = Encoder::default();
        self.encode(&mut e);
        e.finish()
    }

    /// Reads canonical bytes and nothing else.
    fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(WireError::MessageSize);
        }
        let mut message = Self::default();
        crate::decode::decode(&mut message, bytes)?;
        Ok(message)
    }
}

impl<T: Fields + Default> Message for T {}
