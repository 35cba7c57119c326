// UTF-8 by the rules of RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. The standard library's
// decoder replaces what is wrong; a replaced character is another text than the one the host judged.

function isUTF8(at: usize, size: usize): bool {
  const end = at + size;
  while (at < end) {
    const first = <u32>load<u8>(at);
    if (first < 0x80) {
      at++;
      continue;
    }
    let following: usize = 1;
    let low: u32 = 0x80; // bounds of the second byte: they exclude overlong forms and surrogates
    let high: u32 = 0xbf;
    if (first < 0xc2 || first > 0xf4) return false;
    if (first >= 0xf0) {
      following = 3;
      if (first == 0xf0) low = 0x90;
      if (first == 0xf4) high = 0x8f;
    } else if (first >= 0xe0) {
      following = 2;
      if (first == 0xe0) low = 0xa0;
      if (first == 0xed) high = 0x9f;
    }
    if (end - at <= following) return false;
    const second = <u32>load<u8>(at + 1);
    if (second < low || second > high) return false;
    for (let i: usize = 2; i <= following; i++) {
      if ((load<u8>(at + i) & 0xc0) != 0x80) return false;
    }
    at += following + 1;
  }
  return true;
}

/** The text of UTF-8 bytes, null for all others. */
export function decodeUTF8(at: usize, size: usize): string | null {
  if (!isASCII(at, size)) return isUTF8(at, size) ? String.UTF8.decodeUnsafe(at, size) : null;
  // Most texts end here: a string holds two bytes for each byte of ASCII.
  let to = __new(size << 1, idof<string>());
  const text = changetype<string>(to);
  const end = at + size;
  for (; end - at >= 4; at += 4, to += 8) widen(at, to);
  if (size >= 4) {
    widen(end - 4, to - ((at + 4 - end) << 1)); // the rest, and some of it again
  } else {
    for (; at < end; at++, to += 2) store<u16>(to, load<u8>(at));
  }
  return text;
}

// @ts-ignore: decorator
@inline
function widen(at: usize, to: usize): void {
  const four = <u64>load<u32>(at);
  store<u64>(to, (four & 0xff) | ((four & 0xff00) << 8) | ((four & 0xff_0000) << 16) | ((four & 0xff00_0000) << 24));
}

function isASCII(at: usize, size: usize): bool {
  const end = at + size;
  if (size >= 8) {
    for (; end - at > 8; at += 8) {
      if ((load<u64>(at) & 0x8080_8080_8080_8080) != 0) return false;
    }
    return (load<u64>(end - 8) & 0x8080_8080_8080_8080) == 0; // the rest, and some of it again
  }
  for (; at < end; at++) {
    if (load<u8>(at) >= 0x80) return false;
  }
  return true;
}

/** The number of bytes that a text has in UTF-8, -1 for a text with half a surrogate pair, which has no UTF-8. */
export function utf8Length(text: string): i32 {
  let size = 0;
  let at = changetype<usize>(text);
  const end = at + (<usize>text.length << 1);
  while (at < end) {
    if (end - at >= 8 && (load<u64>(at) & 0xff80_ff80_ff80_ff80) == 0) {
      size += 4; // four units of ASCII
      at += 8;
      continue;
    }
    const unit = <u32>load<u16>(at);
    at += 2;
    if (unit < 0x80) {
      size += 1;
    } else if (unit < 0x800) {
      size += 2;
    } else if (unit < 0xd800 || unit > 0xdfff) {
      size += 3;
    } else {
      if (unit > 0xdbff || at >= end) return -1;
      const low = <u32>load<u16>(at);
      at += 2;
      if (low < 0xdc00 || low > 0xdfff) return -1;
      size += 4;
    }
  }
  return size;
}

/** Writes a text, whose utf8Length is size, to memory. */
export function encodeUTF8(text: string, size: i32, to: usize): void {
  if (size != text.length) {
    String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, to);
    return;
  }
  let at = changetype<usize>(text); // as many bytes as units: all of it is ASCII
  const end = to + size;
  for (; end - to >= 4; at += 8, to += 4) {
    const four = load<u64>(at);
    store<u32>(to, <u32>((four & 0xff) | ((four >> 8) & 0xff00) | ((four >> 16) & 0xff_0000) | ((four >> 24) & 0xff00_0000)));
  }
  for (; to < end; at += 2, to++) store<u8>(to, load<u8>(at));
}
