// The harness through which Go tests reach the C SDK. It answers frames from standard input: a letter, the length of a
// message name, the name, four bytes of length, little-endian, the bytes. 'r' reads the message and writes it again, 'v'
// says what its members hold, as the JSON view; 'R' is 'r' from a caller that does not wait; 'm' computes with amounts; 'k'
// makes a call of the plugin this is linked with, once per process, because nothing resets a native plugin. The answer
// is a letter, a length and bytes: 'a' accepted, 'r' refused.
// Anything that must never be ends the process, as a sanitizer's finding does.
#include "purser.h"
#include "purser_native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES_MAX ((size_t)5 << 20)

static void die(const char *why) {
	fprintf(stderr, "harness: %s\n", why);
	abort();
}

static char *text_written;
static size_t text_size, text_room;

static void put(const char *data, size_t size) {
	if (size > text_room - text_size) {
		text_room = 2 * (text_room + size);
		text_written = realloc(text_written, text_room);
		if (text_written == NULL) {
			die("no memory");
		}
	}
	if (size > 0) {
		memcpy(text_written + text_size, data, size);
		text_size += size;
	}
}

static bool first;

static void open(char bracket) {
	put(&bracket, 1);
	first = true;
}

static void close(char bracket) {
	put(&bracket, 1);
	first = false;
}

static void element(void) {
	if (!first) {
		put(",", 1);
	}
	first = false;
}

static void show_text(purser_text text) {
	put("\"", 1);
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < 0x20 || c == '"' || c == '\\') {
			char escaped[8];
			snprintf(escaped, sizeof escaped, "\\u%04x", c);
			put(escaped, 6);
		} else {
			put(&text.data[i], 1);
		}
	}
	put("\"", 1);
}

static void show_bytes(purser_bytes bytes) {
	put("\"", 1);
	for (size_t i = 0; i < bytes.size; i++) {
		char hex[3];
		snprintf(hex, sizeof hex, "%02x", bytes.data[i]);
		put(hex, 2);
	}
	put("\"", 1);
}

static void show_uint(uint64_t n) {
	char digits[24];
	put(digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n));
}

static void show_bool(bool b) { b ? put("true", 4) : put("false", 5); }

static void member(const char *name) {
	element();
	show_text(purser_text_of(name));
	put(":", 1);
}

struct message {
	const char *name;
	bool (*again)(purser_bytes in, purser_bytes *out);
	bool (*show)(purser_bytes in);
};

// What was read must be writable, and writing what was read must be a fixed point: unknown fields are dropped once.
#define HARNESS_MESSAGE(message) \
	static bool again_##message(purser_bytes in, purser_bytes *out) { \
		purser_##message m, twice; \
		purser_bytes second; \
		if (!purser_decode_##message(in, &m)) { \
			return false; \
		} \
		if (!purser_encode_##message(&m, out) || !purser_decode_##message(*out, &twice) || \
			!purser_encode_##message(&twice, &second) || second.size != out->size || \
			memcmp(second.data, out->data, out->size) != 0) { \
			die("a message that was read does not survive writing: " #message); \
		} \
		return true; \
	} \
	static bool show_##message(purser_bytes in) { \
		purser_##message m; \
		if (!purser_decode_##message(in, &m)) { \
			return false; \
		} \
		view_##message(&m); \
		return true; \
	}

#include "messages_gen.h"

static bool receive(void *into, size_t size) { return size == 0 || fread(into, 1, size, stdin) == size; }

static void answer(bool accepted, const void *data, size_t size) {
	uint8_t head[5] = {accepted ? 'a' : 'r', (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(size >> 24)};
	if (fwrite(head, 1, sizeof head, stdout) != sizeof head || (size > 0 && fwrite(data, 1, size, stdout) != size)) {
		die("cannot answer");
	}
}

// Two words of 32 bytes, and an operation.
static void compute(const char *operation, purser_bytes in) {
	purser_amount operands[2] = {{{0}}, {{0}}}, result = {0};
	bool fits = true;
	if (strcmp(operation, "parse") == 0) {
		fits = purser_amount_parse((purser_text){(const char *)in.data, in.size}, &result);
	} else {
		if (in.size != 64) {
			die("want two words");
		}
		for (size_t i = 0; i < 2; i++) {
			purser_bytes word = {in.data + 32 * i, 32};
			while (word.size > 0 && word.data[0] == 0) {
				word.data++;
				word.size--;
			}
			if (!purser_amount_from_bytes(word, &operands[i])) {
				die("want words");
			}
		}
		uint64_t factor;
		if (strcmp(operation, "add") == 0) {
			fits = purser_amount_add(operands[0], operands[1], &result);
		} else if (strcmp(operation, "subtract") == 0) {
			fits = purser_amount_subtract(operands[0], operands[1], &result);
		} else if (strcmp(operation, "multiply") == 0) {
			fits = purser_amount_fits(operands[1], &factor) && purser_amount_multiply(operands[0], factor, &result);
		} else if (strcmp(operation, "compare") == 0) {
			result = purser_amount_of((uint64_t)(purser_amount_compare(operands[0], operands[1]) + 1));
		} else {
			die("no such operation");
		}
	}
	if (!fits && !purser_amount_is_zero(result)) {
		die("a failed operation left a number");
	}
	purser_text text = purser_amount_text(result);
	answer(fits, text.data, fits ? text.size : 0);
}

#ifdef HARNESS_PLUGIN

#define CALL(kind, call, message) \
	if (strcmp(name, #call) == 0) { \
		purser_##message##_request request; \
		if (!purser_decode_##message##_request(in, &request)) { \
			die("cannot read the request"); \
		} \
		purser_##message##_result result = purser_##kind##_##call(&purser_this_##kind, &request); \
		purser_bytes out; \
		bool ok = purser_encode_##message##_result(&result, &out) && !purser_exhausted(); \
		answer(ok, out.data, ok ? out.size : 0); \
		return; \
	}

extern const purser_chain purser_this_chain;

static void call(const char *name, purser_bytes in) {
	CALL(chain, configure, configure)
	CALL(chain, describe, describe)
	CALL(chain, needs, needs)
	CALL(chain, build, build)
	CALL(chain, assemble, assemble)
	CALL(chain, verify, verify)
	CALL(chain, plan, plan)
	CALL(chain, facts, facts)
	die("no such call");
}

#else

static void call(const char *name, purser_bytes in) {
	(void)in;
	die(name);
}

#endif

static void serve(char kind, const char *name, purser_bytes in) {
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		if (strcmp(messages[i].name, name) != 0) {
			continue;
		}
		if (kind == 'v') {
			text_size = 0;
			bool accepted = messages[i].show(in);
			answer(accepted, text_written, accepted ? text_size : 0);
		} else {
			purser_bytes out = {0};
			bool accepted = messages[i].again(in, &out);
			answer(accepted, out.data, accepted ? out.size : 0);
		}
		if (purser_exhausted()) {
			die("the arena is too small for this harness");
		}
		return;
	}
	die("no such message");
}

// kept_frames keeps the requests of calls until the process ends.
static void kept_frames(uint8_t *data) {
	static uint8_t *kept[8];
	static size_t count;
	if (count == sizeof kept / sizeof kept[0]) {
		die("too many calls in one process");
	}
	kept[count++] = data;
}

int main(void) {
	uint8_t head[2], size[4];
	char name[256];
	while (fread(head, 1, sizeof head, stdin) == sizeof head) {
		if (!receive(name, head[1]) || !receive(size, sizeof size)) {
			die("frame is cut short");
		}
		name[head[1]] = 0;
		size_t n = (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
		if (n > FRAME_BYTES_MAX) {
			die("frame is too large");
		}
		// An object of exactly this size, so that the sanitizer sees one byte too many.
		uint8_t *data = malloc(n > 0 ? n : 1);
		if (data == NULL || !receive(data, n)) {
			die("frame is cut short");
		}
		purser_bytes in = {data, n};
		if (head[0] == 'k') {
			call(name, in);
		} else if (head[0] == 'm') {
			compute(name, in);
		} else {
			serve((char)head[0], name, in);
		}
		if (head[0] != 'k') { // settings alias the request that they came in
			purser_native_reset();
			free(data);
		} else {
			kept_frames(data);
		}
		if (head[0] != 'R' && fflush(stdout) != 0) {
			die("cannot answer");
		}
	}
	free(text_written);
	return 0;
}
