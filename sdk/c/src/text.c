// Text that may hold any character, NUL included.
#include "purser_wire.h"

purser_text purser_text_of(const char *string) {
	size_t size = 0;
	while (string != NULL && string[size] != 0) {
		size++;
	}
	return (purser_text){string, size};
}

purser_text purser_text_same(purser_text text) { return text; }

purser_text purser_text_number(uint64_t n) { return purser_amount_text(purser_amount_of(n)); }

purser_bytes purser_text_bytes(purser_text text) {
	return (purser_bytes){(const uint8_t *)text.data, text.size};
}

bool purser_text_equal(purser_text a, purser_text b) { return a.size == b.size && purser_same(a.data, b.data, a.size); }

bool purser_text_starts(purser_text text, purser_text prefix) {
	return text.size >= prefix.size && purser_same(text.data, prefix.data, prefix.size);
}

purser_text purser_text_joined(const char *separator, const purser_text *parts, size_t count) {
	purser_text between = purser_text_of(separator);
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		size_t added = parts[i].size + (i > 0 ? between.size : 0);
		// What is larger cannot be allocated either; the check keeps the sum from wrapping.
		if (added > PURSER_ARENA_BYTES_MAX || size + added > PURSER_ARENA_BYTES_MAX) {
			size = PURSER_ARENA_BYTES_MAX + (size_t)1;
			break;
		}
		size += added;
	}
	char *space = purser_allocate(size);
	if (space == NULL) {
		return (purser_text){0};
	}
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			purser_copy(space + at, between.data, between.size);
			at += between.size;
		}
		purser_copy(space + at, parts[i].data, parts[i].size);
		at += parts[i].size;
	}
	return (purser_text){space, size};
}

// sequence_size is the length of the UTF-8 sequence that starts with lead, and the range of its second byte, which is
// where overlong forms, surrogates and numbers above U+10FFFF show (Unicode table 3-7). 0 means no lead byte.
static size_t sequence_size(uint8_t lead, uint8_t *least, uint8_t *most) {
	*least = 0x80;
	*most = 0xbf;
	if (lead < 0x80) {
		return 1;
	}
	if (lead >= 0xc2 && lead <= 0xdf) {
		return 2;
	}
	if (lead >= 0xe0 && lead <= 0xef) {
		*least = lead == 0xe0 ? 0xa0 : 0x80;
		*most = lead == 0xed ? 0x9f : 0xbf;
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		*least = lead == 0xf0 ? 0x90 : 0x80;
		*most = lead == 0xf4 ? 0x8f : 0xbf;
		return 4;
	}
	return 0;
}

bool purser_text_is_utf8(purser_text text) {
	purser_bytes b = purser_text_bytes(text);
	for (size_t i = 0; i < b.size;) {
		uint8_t least, most;
		size_t size = sequence_size(b.data[i], &least, &most);
		if (size == 0 || size > b.size - i) {
			return false;
		}
		for (size_t k = 1; k < size; k++) {
			if (b.data[i + k] < least || b.data[i + k] > most) {
				return false;
			}
			least = 0x80;
			most = 0xbf;
		}
		i += size;
	}
	return true;
}
