// The values that messages are made of: text, bytes, amounts; and the arena they live in. Include purser.h.
#ifndef PURSER_VALUE_H
#define PURSER_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// purser_text is UTF-8 that somebody else keeps: the request, the arena or a literal. It is not terminated and may
// hold NUL, so the functions of string.h are not for it. The zero value is the empty text.
typedef struct {
	const char *data;
	size_t size; // in bytes
} purser_text;

// purser_bytes are bytes that somebody else keeps. The zero value is empty.
typedef struct {
	const uint8_t *data;
	size_t size;
} purser_bytes;

// purser_amount is a number of the smallest unit of an asset (for USDC: millionths of a dollar), a uint256. It cannot
// hold a fraction and cannot be negative. The zero value is zero.
typedef struct {
	uint64_t words[4]; // least significant word first
} purser_amount;

// ---- arena ----

// PURSER_ARENA_BYTES_MAX bounds all that one instance allocates, configuration included. The memory limit of the
// plugin's manifest and of the host may stop it earlier.
#ifndef PURSER_ARENA_BYTES_MAX
#define PURSER_ARENA_BYTES_MAX (24u << 20)
#endif

// purser_allocate returns zeroed space, aligned for every type of this SDK, or NULL. There is no free: the host resets
// the instance after each call. Once it returned NULL, the call fails whatever the plugin answers, so that a text
// that did not fit cannot become an empty one in a result.
void *purser_allocate(size_t size);

// purser_allocate_array does the same for count elements and refuses products that do not fit.
void *purser_allocate_array(size_t count, size_t size);

// purser_exhausted reports whether an allocation failed.
bool purser_exhausted(void);

// ---- amounts ----

// purser_amount_of returns n smallest units.
purser_amount purser_amount_of(uint64_t n);

// purser_amount_parse reads a decimal integer: "10000". It refuses signs, exponents, separators, leading zeros, the
// empty text and anything above 2^256-1. When it returns false, *out is zero.
bool purser_amount_parse(purser_text text, purser_amount *out);

// purser_amount_text returns the decimal digits, the only spelling that purser_amount_parse takes.
purser_text purser_amount_text(purser_amount a);

// purser_amount_from_bytes reads a big-endian number of at most 32 bytes without a leading zero byte; zero is empty.
// When it returns false, *out is zero.
bool purser_amount_from_bytes(purser_bytes bytes, purser_amount *out);

// purser_amount_word writes the 32-byte big-endian form, as the EVM stores it.
void purser_amount_word(purser_amount a, uint8_t word[32]);

// purser_amount_compare returns -1, 0 or +1 as a is below, equal to or above b.
int purser_amount_compare(purser_amount a, purser_amount b);

// purser_amount_is_zero reports whether a is zero.
bool purser_amount_is_zero(purser_amount a);

// The three operations return false, with *out zero, when the true result is not a uint256. They never wrap.
bool purser_amount_add(purser_amount a, purser_amount b, purser_amount *out);
bool purser_amount_subtract(purser_amount a, purser_amount b, purser_amount *out);
bool purser_amount_multiply(purser_amount a, uint64_t factor, purser_amount *out);

// purser_amount_fits writes a as a uint64 and reports whether it fits; if not, *out is 0.
bool purser_amount_fits(purser_amount a, uint64_t *out);

// ---- text ----

// purser_text_of views a C string. It copies nothing.
purser_text purser_text_of(const char *string);

// purser_text_number returns decimal digits.
purser_text purser_text_number(uint64_t n);

// purser_text_same returns its argument; PURSER_TEXT needs it.
purser_text purser_text_same(purser_text text);

// purser_text_equal compares bytes. purser_equal below also takes C strings.
bool purser_text_equal(purser_text a, purser_text b);

// purser_text_starts reports whether text starts with prefix.
bool purser_text_starts(purser_text text, purser_text prefix);

// purser_text_is_utf8 is what every text of a message must be (RFC 3629: no surrogates, no overlong forms).
bool purser_text_is_utf8(purser_text text);

// purser_text_bytes views a text as bytes.
purser_bytes purser_text_bytes(purser_text text);

// purser_text_joined returns the parts in one text with the separator between them.
purser_text purser_text_joined(const char *separator, const purser_text *parts, size_t count);

// PURSER_TEXT makes a purser_text of a C string, a text, an amount or an unsigned number.
#define PURSER_TEXT(x) \
	_Generic((x), \
		purser_text: purser_text_same, \
		char *: purser_text_of, \
		const char *: purser_text_of, \
		purser_amount: purser_amount_text, \
		unsigned int: purser_text_number, \
		unsigned long: purser_text_number, \
		unsigned long long: purser_text_number)(x)

// purser_equal compares two of them.
#define purser_equal(a, b) purser_text_equal(PURSER_TEXT(a), PURSER_TEXT(b))

// purser_concat puts 1 to 12 of them into one text; purser_join puts spaces between them.
#define purser_concat(...) purser_text_joined("", PURSER_TEXTS(__VA_ARGS__), PURSER_COUNT(__VA_ARGS__))
#define purser_join(...) purser_text_joined(" ", PURSER_TEXTS(__VA_ARGS__), PURSER_COUNT(__VA_ARGS__))

// PURSER_TEXTS is an array of texts and PURSER_COUNT its length; the trailing 0 keeps the last macro's rest from being
// empty, which C11 does not allow.
#define PURSER_COUNT(...) PURSER_COUNT_(__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define PURSER_COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, n, ...) n
#define PURSER_TEXTS(...) ((const purser_text[]){PURSER_PASTE(PURSER_TEXTS_, PURSER_COUNT(__VA_ARGS__))(__VA_ARGS__)})
#define PURSER_PASTE(a, b) PURSER_PASTE_(a, b)
#define PURSER_PASTE_(a, b) a##b
#define PURSER_TEXTS_1(a) PURSER_TEXT(a)
#define PURSER_TEXTS_2(a, ...) PURSER_TEXT(a), PURSER_TEXTS_1(__VA_ARGS__)
#define PURSER_TEXTS_3(a, ...) PURSER_TEXT(a), PURSER_TEXTS_2(__VA_ARGS__)
#define PURSER_TEXTS_4(a, ...) PURSER_TEXT(a), PURSER_TEXTS_3(__VA_ARGS__)
#define PURSER_TEXTS_5(a, ...) PURSER_TEXT(a), PURSER_TEXTS_4(__VA_ARGS__)
#define PURSER_TEXTS_6(a, ...) PURSER_TEXT(a), PURSER_TEXTS_5(__VA_ARGS__)
#define PURSER_TEXTS_7(a, ...) PURSER_TEXT(a), PURSER_TEXTS_6(__VA_ARGS__)
#define PURSER_TEXTS_8(a, ...) PURSER_TEXT(a), PURSER_TEXTS_7(__VA_ARGS__)
#define PURSER_TEXTS_9(a, ...) PURSER_TEXT(a), PURSER_TEXTS_8(__VA_ARGS__)
#define PURSER_TEXTS_10(a, ...) PURSER_TEXT(a), PURSER_TEXTS_9(__VA_ARGS__)
#define PURSER_TEXTS_11(a, ...) PURSER_TEXT(a), PURSER_TEXTS_10(__VA_ARGS__)
#define PURSER_TEXTS_12(a, ...) PURSER_TEXT(a), PURSER_TEXTS_11(__VA_ARGS__)

#endif
