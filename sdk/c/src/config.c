// Reading settings from the flattened entries that the host sends, so that a guest needs no JSON parser.
#include "purser.h"
#include "purser_wire.h"

static void problem(purser_config *c, purser_text pointer, const char *message) {
	if (c->problems_count < PURSER_PROBLEMS_MAX) {
		c->problems[c->problems_count++] = (purser_config_problem){.pointer = pointer, .message = purser_text_of(message)};
	}
}

void purser_config_problem_at(purser_config *c, const char *pointer, const char *message) {
	problem(c, purser_text_of(pointer), message);
}

// find returns the index of a setting, or the number of entries.
static size_t find(const purser_config *c, purser_text pointer) {
	size_t i = 0;
	while (i < c->entries_count && !purser_text_equal(c->entries[i].pointer, pointer)) {
		i++;
	}
	return i;
}

// below returns what follows "pointer/" in the pointer of an entry below it, NULL data for every other entry.
static purser_text below(const purser_json_entry *entry, purser_text pointer) {
	purser_text p = entry->pointer;
	if (p.size <= pointer.size || !purser_text_starts(p, pointer) || p.data[pointer.size] != '/') {
		return (purser_text){0};
	}
	return (purser_text){p.data + pointer.size + 1, p.size - pointer.size - 1};
}

bool purser_config_has(const purser_config *c, const char *pointer) {
	size_t i = find(c, purser_text_of(pointer));
	return i < c->entries_count && !purser_equal(c->entries[i].type, "null");
}

// typed finds a setting that must be there, and refuses another type with the given sentence.
static const purser_json_entry *typed(purser_config *c, const char *pointer, const char *type, const char *otherwise) {
	size_t i = find(c, purser_text_of(pointer));
	if (i == c->entries_count) {
		purser_config_problem_at(c, pointer, "is missing");
		return NULL;
	}
	c->read[i] = true;
	if (!purser_equal(c->entries[i].type, type)) {
		purser_config_problem_at(c, pointer, otherwise);
		return NULL;
	}
	return &c->entries[i];
}

purser_text purser_config_text(purser_config *c, const char *pointer) {
	const purser_json_entry *entry = typed(c, pointer, "string", "must be of type string");
	return entry == NULL ? (purser_text){0} : entry->text;
}

bool purser_config_bool(purser_config *c, const char *pointer) {
	const purser_json_entry *entry = typed(c, pointer, "bool", "must be of type bool");
	return entry != NULL && purser_equal(entry->text, "true");
}

uint64_t purser_config_uint(purser_config *c, const char *pointer) {
	const purser_json_entry *entry = typed(c, pointer, "number", "must be of type number");
	purser_amount a;
	uint64_t n = 0;
	if (entry != NULL && (!purser_amount_parse(entry->text, &a) || !purser_amount_fits(a, &n))) {
		purser_config_problem_at(c, pointer, "must not be negative");
	}
	return n;
}

purser_amount purser_config_amount(purser_config *c, const char *pointer) {
	const purser_json_entry *entry = typed(c, pointer, "string", "must be of type string");
	purser_amount a = {0};
	if (entry != NULL && !purser_amount_parse(entry->text, &a)) {
		purser_config_problem_at(
			c, pointer, "amount is not a plain decimal integer below 2^256 without leading zeros");
	}
	return a;
}

size_t purser_config_length(purser_config *c, const char *pointer) {
	const purser_json_entry *list = typed(c, pointer, "array", "must be of type array");
	size_t n = 0;
	if (list == NULL) {
		return 0;
	}
	// All that is below an array follows it directly. What has no further slash is an element of its own.
	for (size_t i = (size_t)(list - c->entries) + 1; i < c->entries_count; i++) {
		purser_text rest = below(&c->entries[i], list->pointer);
		if (rest.data == NULL) {
			break;
		}
		bool deeper = false;
		for (size_t k = 0; k < rest.size; k++) {
			deeper = deeper || rest.data[k] == '/';
		}
		n += !deeper;
	}
	return n;
}

const char *purser_config_element(const char *pointer, size_t index, const char *rest) {
	const char end[] = {0};
	const char *path = rest == NULL ? "" : rest;
	purser_text whole = purser_text_joined("", (const purser_text[]){
		purser_text_of(pointer), {"/", 1}, purser_text_number(index), purser_text_of(path), {end, 1},
	}, 5);
	return whole.data == NULL ? "" : whole.data;
}

const purser_text *purser_config_texts(purser_config *c, const char *pointer, size_t *count) {
	*count = 0;
	size_t most = purser_config_length(c, pointer);
	purser_text *texts = purser_allocate_array(most, sizeof *texts);
	if (most == 0 || texts == NULL) {
		return NULL;
	}
	purser_text list = purser_text_of(pointer);
	for (size_t i = find(c, list) + 1; i < c->entries_count && below(&c->entries[i], list).data != NULL; i++) {
		c->read[i] = true;
		if (!purser_equal(c->entries[i].type, "string")) {
			problem(c, c->entries[i].pointer, "must be a string");
		} else if (*count < most) { // a string deeper down is below a problem already
			texts[(*count)++] = c->entries[i].text;
		}
	}
	return texts;
}

void purser_config_ignore(purser_config *c, const char *pointer) {
	purser_text at = purser_text_of(pointer);
	for (size_t i = 0; i < c->entries_count; i++) {
		if (purser_text_equal(c->entries[i].pointer, at) || below(&c->entries[i], at).data != NULL) {
			c->read[i] = true;
		}
	}
}

purser_configure_result purser_config_run(purser_configure_fn *configure, const purser_configure_request *r) {
	purser_config c = {.entries = r->entries, .entries_count = r->entries_count};
	c.read = purser_allocate_array(c.entries_count, sizeof *c.read);
	c.problems = purser_allocate_array(PURSER_PROBLEMS_MAX, sizeof *c.problems);
	if (c.read == NULL || c.problems == NULL) {
		return (purser_configure_result){0}; // not ok, which refuses
	}
	if (configure != NULL) {
		configure(&c);
	}
	for (size_t i = 0; i < c.entries_count; i++) {
		purser_text type = c.entries[i].type;
		if (!c.read[i] && !purser_equal(type, "object") && !purser_equal(type, "array")) {
			problem(&c, c.entries[i].pointer, "is not a setting of this plugin");
		}
	}
	return (purser_configure_result){
		.ok = c.problems_count == 0, .problems = c.problems, .problems_count = c.problems_count};
}
