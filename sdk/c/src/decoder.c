// Reading the wire format: every message has one spelling, and everything else is refused.
#include "purser_wire.h"

#define VARINT_BYTES_MAX 8 // of 53 bits

purser_decoder purser_decoder_over(purser_bytes in) {
	return (purser_decoder){.rest = in.data, .rest_size = in.data == NULL ? 0 : in.size};
}

static uint64_t varint(purser_decoder *d) {
	uint64_t v = 0;
	for (size_t i = 0; i < d->rest_size && i < VARINT_BYTES_MAX; i++) {
		uint8_t c = d->rest[i];
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (v > PURSER_WIRE_INTEGER_MAX) {
			break;
		}
		if (c < 0x80) {
			if (c == 0 && i > 0) { // not minimal
				break;
			}
			d->rest += i + 1;
			d->rest_size -= i + 1;
			return v;
		}
	}
	d->failed = true;
	return 0;
}

bool purser_decoder_next(purser_decoder *d) {
	if (d->failed || d->rest_size == 0) {
		return false;
	}
	uint64_t tag = varint(d);
	uint64_t field = tag >> 3;
	d->kind = (uint8_t)(tag & 7);
	if (field == 0 || field < d->field) {
		d->failed = true;
	}
	d->again = field == d->field;
	d->field = field;
	d->data = (purser_bytes){0};
	if (d->failed) {
		return false;
	}
	if (d->kind == PURSER_WIRE_VARINT) {
		d->value = varint(d);
	} else if (d->kind == PURSER_WIRE_BYTES) {
		uint64_t size = varint(d);
		if (d->failed || size > d->rest_size) { // it ends behind its message
			d->failed = true;
			return false;
		}
		d->data = (purser_bytes){d->rest, (size_t)size};
		d->rest += size;
		d->rest_size -= (size_t)size;
	} else {
		d->failed = true;
	}
	return !d->failed;
}

void purser_decoder_unknown(purser_decoder *d) {
	if (!PURSER_SKIP_UNKNOWN_FIELDS) {
		d->failed = true;
	}
}

// singular checks a field that may stand once. A false means that the walk ends.
static bool singular(purser_decoder *d, uint8_t kind) {
	if (d->again || d->kind != kind) {
		d->failed = true;
	}
	return !d->failed;
}

uint64_t purser_decoder_uint(purser_decoder *d) {
	if (singular(d, PURSER_WIRE_VARINT) && d->value == 0) { // zero is not written
		d->failed = true;
	}
	return d->failed ? 0 : d->value;
}

uint64_t purser_decoder_enum(purser_decoder *d, uint64_t last) {
	uint64_t v = purser_decoder_uint(d);
	if (v > last) {
		d->failed = true;
		return 0;
	}
	return v;
}

bool purser_decoder_bool(purser_decoder *d) { return purser_decoder_enum(d, 1) == 1; }

purser_text purser_decoder_utf8(purser_decoder *d) {
	purser_text text = {(const char *)d->data.data, d->data.size};
	if (d->failed || !purser_text_is_utf8(text)) {
		d->failed = true;
		return (purser_text){0};
	}
	return text;
}

purser_text purser_decoder_text(purser_decoder *d) {
	purser_decoder_bytes(d);
	return purser_decoder_utf8(d);
}

purser_bytes purser_decoder_bytes(purser_decoder *d) {
	if (singular(d, PURSER_WIRE_BYTES) && d->data.size == 0) { // empty is not written
		d->failed = true;
	}
	return d->failed ? (purser_bytes){0} : d->data;
}

// purser_decoder_amount requires that both spellings agree: otherwise a host that reads one and a guest that reads
// the other would judge different prices.
purser_amount purser_decoder_amount(purser_decoder *d) {
	purser_decoder inner = purser_decoder_over(purser_decoder_bytes(d));
	purser_text decimal = {0};
	purser_bytes big_endian = {0};
	while (!d->failed && purser_decoder_next(&inner)) {
		if (inner.field == 1) {
			decimal = purser_decoder_text(&inner);
		} else if (inner.field == 2) {
			big_endian = purser_decoder_bytes(&inner);
		} else {
			inner.failed = true; // an amount never grows a field, so a guest skips none here either
		}
	}
	purser_amount a = {0};
	char digits[78];
	if (d->failed || inner.failed || !purser_amount_from_bytes(big_endian, &a) || purser_amount_is_zero(a) ||
		!purser_text_equal(decimal, (purser_text){digits, purser_amount_digits(a, digits)})) {
		d->failed = true;
		return (purser_amount){0};
	}
	return a;
}

void *purser_decoder_inner(purser_decoder *d, size_t size) {
	if (!singular(d, PURSER_WIRE_BYTES)) {
		return NULL;
	}
	void *space = purser_allocate(size);
	if (space == NULL) {
		d->failed = true;
	}
	return space;
}

void *purser_decoder_list(purser_decoder *d, size_t size, size_t *count) {
	*count = 0;
	// A copy walks ahead to count, so that the list is allocated once. What it stumbles over, d meets later.
	purser_decoder ahead = *d;
	size_t found = 1;
	while (purser_decoder_next(&ahead) && ahead.field == d->field && found <= PURSER_WIRE_REPEATED_MAX) {
		found++;
	}
	// Elements stand together, so this field cannot have been met before.
	if (d->failed || d->again || found > PURSER_WIRE_REPEATED_MAX) {
		d->failed = true;
		return NULL;
	}
	void *space = purser_allocate_array(found, size);
	if (space == NULL) {
		d->failed = true;
		return NULL;
	}
	*count = found;
	return space;
}

bool purser_decoder_element(purser_decoder *d, size_t i, uint8_t kind) {
	uint64_t field = d->field;
	if (i > 0 && (!purser_decoder_next(d) || d->field != field)) {
		d->failed = true;
	}
	if (d->kind != kind) {
		d->failed = true;
	}
	return !d->failed;
}
