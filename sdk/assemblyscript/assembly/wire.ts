// Limits of the wire format (abi/v1.md section 3). Reader and Writer enforce the same ones.

/** The largest integer of the wire format: the largest that every JSON reader keeps exact. */
export const integerMax: u64 = (1 << 53) - 1;

/** The largest message. The limits of a plugin call are far below it. */
export const messageBytesMax = 4 << 20;

/** The most elements of one repeated field, because two bytes on the wire can become a hundred in memory. */
export const repeatedMax = 16_384;

// The wire types of the subset. Everything else is refused.
export const wireVarint: u32 = 0;
export const wireBytes: u32 = 2;

/** The bytes of the longest varint, which is below 2^53. */
export const varintBytesMax = 8;

/** What a message without bytes holds. One for all: an empty array cannot be written to. */
export const noBytes: Uint8Array = new Uint8Array(0);
