// Writing the wire format: what has no canonical bytes is not written.
#include "purser_wire.h"

bool purser_encoder_start(purser_encoder *e) {
	if (e->failed || e->used > PURSER_WIRE_MESSAGE_BYTES_MAX) {
		return false;
	}
	size_t size = e->used;
	*e = (purser_encoder){.out = purser_allocate(size), .out_size = size};
	return e->out != NULL;
}

bool purser_encoder_finish(purser_encoder *e, purser_bytes *out) {
	if (e->failed || e->used != e->out_size) {
		return false;
	}
	*out = (purser_bytes){e->out, e->used};
	return true;
}

// space moves past size bytes and returns where they go, NULL while measuring and on failure.
static uint8_t *space(purser_encoder *e, size_t size) {
	if (e->failed) {
		return NULL;
	}
	// While it measures, one byte above the limit is kept as such, so that the sum cannot wrap.
	size_t most = e->out == NULL ? PURSER_WIRE_MESSAGE_BYTES_MAX + 1 : e->out_size;
	if (size > most - e->used) {
		e->failed = true;
		return NULL;
	}
	uint8_t *at = e->out == NULL ? NULL : e->out + e->used;
	e->used += size;
	return at;
}

static size_t varint_size(uint64_t v) {
	size_t size = 1;
	while (v >= 0x80) {
		v >>= 7;
		size++;
	}
	return size;
}

static void put_varint(uint8_t *at, uint64_t v) {
	while (v >= 0x80) {
		*at++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*at = (uint8_t)v;
}

static void varint(purser_encoder *e, uint64_t v) {
	uint8_t *at = space(e, varint_size(v));
	if (at != NULL) {
		put_varint(at, v);
	}
}

void purser_encoder_uint(purser_encoder *e, uint64_t field, uint64_t v) {
	if (v != 0) {
		purser_encoder_uint_element(e, field, v);
	}
}

void purser_encoder_uint_element(purser_encoder *e, uint64_t field, uint64_t v) {
	if (v > PURSER_WIRE_INTEGER_MAX) {
		e->failed = true;
	}
	varint(e, field << 3 | PURSER_WIRE_VARINT);
	varint(e, v);
}

void purser_encoder_enum(purser_encoder *e, uint64_t field, uint64_t v, uint64_t last) {
	if (v > last) {
		e->failed = true;
	}
	purser_encoder_uint(e, field, v);
}

void purser_encoder_bool(purser_encoder *e, uint64_t field, bool v) { purser_encoder_uint(e, field, v ? 1 : 0); }

void purser_encoder_text(purser_encoder *e, uint64_t field, purser_text text) {
	if (text.size > 0) {
		purser_encoder_text_element(e, field, text);
	}
}

void purser_encoder_text_element(purser_encoder *e, uint64_t field, purser_text text) {
	// Measuring checks all that writing relies on, so it is enough to look once.
	if (e->out == NULL && text.data != NULL && !purser_text_is_utf8(text)) {
		e->failed = true;
	}
	purser_encoder_bytes_element(e, field, purser_text_bytes(text));
}

void purser_encoder_bytes(purser_encoder *e, uint64_t field, purser_bytes bytes) {
	if (bytes.size > 0) {
		purser_encoder_bytes_element(e, field, bytes);
	}
}

void purser_encoder_bytes_element(purser_encoder *e, uint64_t field, purser_bytes bytes) {
	if (bytes.data == NULL && bytes.size > 0) {
		e->failed = true;
	}
	varint(e, field << 3 | PURSER_WIRE_BYTES);
	varint(e, bytes.size);
	uint8_t *at = space(e, bytes.size);
	if (at != NULL) {
		purser_copy(at, bytes.data, bytes.size);
	}
}

void purser_encoder_amount(purser_encoder *e, uint64_t field, purser_amount a) {
	if (purser_amount_is_zero(a)) {
		return;
	}
	char digits[78];
	uint8_t word[32];
	size_t zeros = 0;
	purser_amount_word(a, word);
	while (zeros < sizeof word - 1 && word[zeros] == 0) {
		zeros++;
	}
	size_t mark = purser_encoder_begin(e, field);
	purser_encoder_text(e, 1, (purser_text){digits, purser_amount_digits(a, digits)});
	purser_encoder_bytes(e, 2, (purser_bytes){word + zeros, sizeof word - zeros});
	purser_encoder_end(e, mark);
}

size_t purser_encoder_list(purser_encoder *e, const void *list, size_t count) {
	if (count > PURSER_WIRE_REPEATED_MAX || (list == NULL && count > 0)) {
		e->failed = true;
	}
	return e->failed ? 0 : count;
}

size_t purser_encoder_begin(purser_encoder *e, uint64_t field) {
	varint(e, field << 3 | PURSER_WIRE_BYTES);
	space(e, 1); // most lengths fit in this byte
	return e->used;
}

void purser_encoder_end(purser_encoder *e, size_t mark) {
	if (e->failed) {
		return;
	}
	size_t size = e->used - mark;
	size_t more = varint_size(size) - 1;
	space(e, more);
	if (e->failed || e->out == NULL) {
		return;
	}
	purser_move(e->out + mark + more, e->out + mark, size);
	put_varint(e->out + mark - 1, size);
}
