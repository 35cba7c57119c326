// 256-bit numbers in halves of words: a product of two halves fits in a word, so that no compiler runtime is needed.
#include "purser_wire.h"

#define HALVES 8
#define AMOUNT_BYTES_MAX 32
#define AMOUNT_DIGITS_MAX 78

static uint32_t half(const purser_amount *a, size_t i) { return (uint32_t)(a->words[i / 2] >> (32 * (i % 2))); }

static void set_half(purser_amount *a, size_t i, uint32_t v) {
	uint64_t kept = i % 2 == 0 ? UINT64_C(0xffffffff00000000) : UINT64_C(0x00000000ffffffff);
	a->words[i / 2] = (a->words[i / 2] & kept) | (uint64_t)v << (32 * (i % 2));
}

// multiply_add multiplies in place and reports whether the result fits.
static bool multiply_add(purser_amount *a, uint32_t factor, uint32_t term) {
	uint64_t carry = term;
	for (size_t i = 0; i < HALVES; i++) {
		carry += (uint64_t)half(a, i) * factor; // at most (2^32-1)^2 + 2^32-1
		set_half(a, i, (uint32_t)carry);
		carry >>= 32;
	}
	return carry == 0;
}

// divide divides in place and returns the remainder.
static uint32_t divide(purser_amount *a, uint32_t by) {
	uint64_t remainder = 0;
	for (size_t i = HALVES; i > 0; i--) {
		uint64_t part = remainder << 32 | half(a, i - 1);
		set_half(a, i - 1, (uint32_t)(part / by));
		remainder = part % by;
	}
	return (uint32_t)remainder;
}

purser_amount purser_amount_of(uint64_t n) { return (purser_amount){{n, 0, 0, 0}}; }

bool purser_amount_is_zero(purser_amount a) { return (a.words[0] | a.words[1] | a.words[2] | a.words[3]) == 0; }

bool purser_amount_fits(purser_amount a, uint64_t *out) {
	bool fits = (a.words[1] | a.words[2] | a.words[3]) == 0;
	*out = fits ? a.words[0] : 0;
	return fits;
}

int purser_amount_compare(purser_amount a, purser_amount b) {
	for (size_t i = 4; i > 0; i--) {
		if (a.words[i - 1] != b.words[i - 1]) {
			return a.words[i - 1] < b.words[i - 1] ? -1 : 1;
		}
	}
	return 0;
}

bool purser_amount_add(purser_amount a, purser_amount b, purser_amount *out) {
	uint64_t carry = 0;
	for (size_t i = 0; i < HALVES; i++) {
		carry += (uint64_t)half(&a, i) + half(&b, i);
		set_half(&a, i, (uint32_t)carry);
		carry >>= 32;
	}
	*out = carry == 0 ? a : (purser_amount){0};
	return carry == 0;
}

bool purser_amount_subtract(purser_amount a, purser_amount b, purser_amount *out) {
	if (purser_amount_compare(a, b) < 0) {
		*out = (purser_amount){0};
		return false;
	}
	uint64_t borrow = 0;
	for (size_t i = 0; i < 4; i++) {
		uint64_t taken = a.words[i] - b.words[i];
		uint64_t difference = taken - borrow;
		borrow = (uint64_t)(a.words[i] < b.words[i]) | (uint64_t)(taken < borrow);
		a.words[i] = difference;
	}
	*out = a;
	return true;
}

bool purser_amount_multiply(purser_amount a, uint64_t factor, purser_amount *out) {
	purser_amount low = a, high = a, shifted = {0};
	bool fits = multiply_add(&low, (uint32_t)factor, 0) && multiply_add(&high, (uint32_t)(factor >> 32), 0);
	fits = fits && half(&high, HALVES - 1) == 0;
	for (size_t i = HALVES - 1; i > 0; i--) {
		set_half(&shifted, i, half(&high, i - 1));
	}
	if (fits && purser_amount_add(low, shifted, out)) {
		return true;
	}
	*out = (purser_amount){0};
	return false;
}

bool purser_amount_parse(purser_text text, purser_amount *out) {
	purser_amount a = {0};
	*out = a;
	if (text.size == 0 || text.size > AMOUNT_DIGITS_MAX || (text.data[0] == '0' && text.size > 1)) {
		return false;
	}
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (c < '0' || c > '9' || !multiply_add(&a, 10, (uint32_t)(c - '0'))) {
			return false;
		}
	}
	*out = a;
	return true;
}

bool purser_amount_from_bytes(purser_bytes bytes, purser_amount *out) {
	*out = (purser_amount){0};
	if (bytes.size > AMOUNT_BYTES_MAX || (bytes.size > 0 && bytes.data[0] == 0)) {
		return false;
	}
	for (size_t i = 0; i < bytes.size; i++) {
		size_t place = bytes.size - 1 - i;
		out->words[place / 8] |= (uint64_t)bytes.data[i] << (8 * (place % 8));
	}
	return true;
}

void purser_amount_word(purser_amount a, uint8_t word[AMOUNT_BYTES_MAX]) {
	for (size_t i = 0; i < AMOUNT_BYTES_MAX; i++) {
		size_t place = AMOUNT_BYTES_MAX - 1 - i;
		word[i] = (uint8_t)(a.words[place / 8] >> (8 * (place % 8)));
	}
}

size_t purser_amount_digits(purser_amount a, char digits[AMOUNT_DIGITS_MAX]) {
	// Chunks of nine digits, the most that fit in half a word, written from the right.
	enum { CHUNK_DIGITS = 9, CHUNK = 1000000000, ALL = 9 * CHUNK_DIGITS };
	char reversed[ALL];
	size_t size = 0;
	while (size == 0 || !purser_amount_is_zero(a)) {
		uint32_t chunk = divide(&a, CHUNK);
		for (size_t i = 0; i < CHUNK_DIGITS && size < ALL; i++) {
			reversed[size++] = (char)('0' + chunk % 10);
			chunk /= 10;
		}
	}
	while (size > 1 && reversed[size - 1] == '0') {
		size--;
	}
	for (size_t i = 0; i < size; i++) {
		digits[i] = reversed[size - 1 - i];
	}
	return size;
}

purser_text purser_amount_text(purser_amount a) {
	char digits[AMOUNT_DIGITS_MAX];
	size_t size = purser_amount_digits(a, digits);
	char *space = purser_allocate(size);
	if (space == NULL) {
		return (purser_text){0};
	}
	purser_copy(space, digits, size);
	return (purser_text){space, size};
}
