// The strict wire format of abi/v1.md section 3, for purser_messages.c. Plugins use the functions that are generated
// from the schema instead.
#ifndef PURSER_WIRE_H
#define PURSER_WIRE_H

#include "purser_value.h"

// Limits of the wire format. Encoder and decoder enforce the same ones, so that what one writes the other reads.
#define PURSER_WIRE_INTEGER_MAX ((UINT64_C(1) << 53) - 1) // the largest that every JSON reader keeps exact
#define PURSER_WIRE_MESSAGE_BYTES_MAX ((size_t)4 << 20)
#define PURSER_WIRE_REPEATED_MAX ((size_t)16384) // two bytes on the wire can become a hundred in memory

// The wire types of the subset. Everything else is refused.
enum { PURSER_WIRE_VARINT = 0, PURSER_WIRE_BYTES = 2 };

// PURSER_REFUSE_UNKNOWN_FIELDS makes the decoder as strict as the host's. A guest is not: a newer host may say more
// than this SDK knows, and fields that must not be skipped are never handed to a guest of an older minor.
#ifdef PURSER_REFUSE_UNKNOWN_FIELDS
#define PURSER_SKIP_UNKNOWN_FIELDS false
#else
#define PURSER_SKIP_UNKNOWN_FIELDS true
#endif

// purser_decoder walks the fields of one message. After purser_decoder_next, exactly one of the readers consumes the
// field. The first failure sticks and ends the walk.
typedef struct {
	const uint8_t *rest;
	size_t rest_size;
	uint64_t field;
	uint64_t value;    // of a varint field
	purser_bytes data; // of a length-delimited field; aliases the input
	uint8_t kind;
	bool again; // the field before had the same number
	bool failed;
} purser_decoder;

purser_decoder purser_decoder_over(purser_bytes in);
bool purser_decoder_next(purser_decoder *d);
void purser_decoder_unknown(purser_decoder *d);

// Readers of fields that may stand once.
uint64_t purser_decoder_uint(purser_decoder *d);
uint64_t purser_decoder_enum(purser_decoder *d, uint64_t last);
bool purser_decoder_bool(purser_decoder *d);
purser_text purser_decoder_text(purser_decoder *d);
purser_bytes purser_decoder_bytes(purser_decoder *d);
purser_amount purser_decoder_amount(purser_decoder *d);
// purser_decoder_inner returns space for a nested message whose bytes are d->data, NULL on failure.
void *purser_decoder_inner(purser_decoder *d, size_t size);

// purser_decoder_list is called at the first element of a repeated field. It returns space for all of them and their
// number, NULL and 0 on failure. purser_decoder_element then moves to each: i is 0, 1 and so on.
void *purser_decoder_list(purser_decoder *d, size_t size, size_t *count);
bool purser_decoder_element(purser_decoder *d, size_t i, uint8_t kind);
// purser_decoder_utf8 returns the element as text.
purser_text purser_decoder_utf8(purser_decoder *d);

// purser_encoder runs over a message twice: first it measures and checks, then it writes into space of that size.
typedef struct {
	uint8_t *out; // NULL while it measures
	size_t out_size;
	size_t used;
	bool failed;
} purser_encoder;

bool purser_encoder_start(purser_encoder *e);
bool purser_encoder_finish(purser_encoder *e, purser_bytes *out);

void purser_encoder_uint(purser_encoder *e, uint64_t field, uint64_t v);
void purser_encoder_uint_element(purser_encoder *e, uint64_t field, uint64_t v);
void purser_encoder_enum(purser_encoder *e, uint64_t field, uint64_t v, uint64_t last);
void purser_encoder_bool(purser_encoder *e, uint64_t field, bool v);
void purser_encoder_text(purser_encoder *e, uint64_t field, purser_text text);
void purser_encoder_text_element(purser_encoder *e, uint64_t field, purser_text text);
void purser_encoder_bytes(purser_encoder *e, uint64_t field, purser_bytes bytes);
void purser_encoder_bytes_element(purser_encoder *e, uint64_t field, purser_bytes bytes);
void purser_encoder_amount(purser_encoder *e, uint64_t field, purser_amount a);
// purser_encoder_list checks a repeated field and returns how many elements to write, 0 on failure.
size_t purser_encoder_list(purser_encoder *e, const void *list, size_t count);
// purser_encoder_begin opens a nested message and returns where its content starts; purser_encoder_end closes it.
size_t purser_encoder_begin(purser_encoder *e, uint64_t field);
void purser_encoder_end(purser_encoder *e, size_t mark);

// purser_amount_digits writes the decimal digits without a terminator and returns how many.
size_t purser_amount_digits(purser_amount a, char digits[78]);

// purser_copy and purser_move are memcpy and memmove for sizes of 0 too, where those are undefined for NULL.
void purser_copy(void *to, const void *from, size_t size);
void purser_move(void *to, const void *from, size_t size);
bool purser_same(const void *a, const void *b, size_t size);

#endif
