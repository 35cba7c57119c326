// What the C SDK promises and no vector shows: what it refuses to write, and what a plugin's gaps become.
#include "purser.h"
#include "purser_native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void claim(bool holds, const char *what) {
	if (!holds) {
		fprintf(stderr, "does not hold: %s\n", what);
		failures++;
	}
}

static bool writes_reason(purser_reason reason) {
	purser_bytes out;
	purser_decide_result result = {.reasons = &reason, .reasons_count = 1};
	return purser_encode_decide_result(&result, &out);
}

static purser_text text(const char *data, size_t size) { return (purser_text){data, size}; }

static void only_canonical_bytes_are_written(void) {
	claim(writes_reason((purser_reason){.text = text("\xf0\x9d\x84\x9e\0", 5)}), "text with NUL is text");
	static const struct {
		const char *data;
		size_t size;
	} wrong[] = {
		{"\xff", 1}, {"\xc0\x80", 2}, {"\xed\xa0\x80", 3}, {"\xe0\x80\x80", 3}, {"\xf0\x80\x80\x80", 4}, {"\xf4\x90\x80\x80", 4},
		{"\xf5\x80\x80\x80", 4}, {"\x80", 1}, {"\xe2\x82", 2}, {"a\xc3", 2}, {"\xe2\x28\xa1", 3}, {"\xf0\x9d\x84\x28", 4},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		claim(!writes_reason((purser_reason){.text = text(wrong[i].data, wrong[i].size)}), "text that is not UTF-8 is not written");
	}
	claim(!writes_reason((purser_reason){.code = text(NULL, 3)}), "text without data is not written");

	purser_bytes out;
	purser_obligation twenty[20];
	memset(twenty, 0, sizeof twenty);
	purser_decide_result result = {.obligations = twenty, .obligations_count = 20};
	claim(purser_encode_decide_result(&result, &out) && out.size == 40, "empty elements are written");
	result.obligations = NULL;
	claim(!purser_encode_decide_result(&result, &out) && out.size == 0, "a list without elements is not written");
	result = (purser_decide_result){.outcome = (purser_outcome)3};
	claim(!purser_encode_decide_result(&result, &out), "an unknown outcome is not written");
	result = (purser_decide_result){.outcome = (purser_outcome)-1};
	claim(!purser_encode_decide_result(&result, &out), "a negative outcome is not written");

	purser_query query = {.quorum = (UINT64_C(1) << 53) - 1};
	claim(purser_encode_query(&query, &out), "2^53-1 is written");
	query.quorum++;
	claim(!purser_encode_query(&query, &out), "2^53 is not written");

	static purser_text many[16385];
	purser_describe_result describe = {.networks = many, .networks_count = 16384};
	claim(purser_encode_describe_result(&describe, &out), "16384 elements are written");
	describe.networks_count = 16385;
	claim(!purser_encode_describe_result(&describe, &out), "16385 elements are not written");
	describe.networks_count = SIZE_MAX;
	claim(!purser_encode_describe_result(&describe, &out), "a count of everything is not written");

	static const uint8_t large[(4u << 20) + 1];
	purser_answer answer = {.result = {large, (4u << 20) - 5}};
	claim(purser_encode_answer(&answer, &out) && out.size == 4u << 20, "4 MiB are written");
	purser_answer read;
	claim(purser_decode_answer(out, &read) && read.result.size == answer.result.size, "4 MiB are read");
	answer.result.size++;
	claim(!purser_encode_answer(&answer, &out), "one byte more is not written");
	answer.result.size = SIZE_MAX;
	claim(!purser_encode_answer(&answer, &out), "all of memory is not written");
	claim(!purser_decode_answer((purser_bytes){large, (4u << 20) + 1}, &read), "one byte more is not read");
	// Tag, length, content of 16384 elements of nothing, and one more.
	static uint8_t elements[2 * 16385];
	for (size_t i = 0; i < sizeof elements; i += 2) {
		elements[i] = 0x0a;
	}
	claim(purser_decode_describe_result((purser_bytes){elements, 2 * 16384}, &describe), "16384 elements are read");
	claim(!purser_decode_describe_result((purser_bytes){elements, sizeof elements}, &describe), "16385 elements are not read");
	claim(describe.networks == NULL && describe.networks_count == 0, "what was refused is empty");
}

static purser_decide_result facts_are_there(const purser_decide_request *r) {
	return r->facts != NULL && r->facts->budgets_count == 0 ? purser_allow() : purser_hold("no_facts", "held", 1u, r->intent->amount);
}

static void nothing_allows_by_accident(void) {
	purser_intent intent = {0};
	purser_quote quote = {0};
	purser_agent agent = {0};
	purser_decide_request whole = {.intent = &intent, .quote = &quote, .agent = &agent};
	const purser_policy policy = {.decide = facts_are_there}, none = {0};
	claim(purser_policy_decide(&policy, &whole).outcome == PURSER_OUTCOME_ALLOW, "facts are never NULL");
	claim(purser_policy_decide(&none, &whole).outcome == PURSER_OUTCOME_DENY, "no policy denies");
	purser_configure_request settings = {0};
	claim(!purser_policy_configure(&none, &settings).ok, "no policy is not configured");
	claim(purser_policy_configure(&policy, &settings).ok, "a policy without settings is");
	for (int i = 0; i < 3; i++) {
		purser_decide_request r = whole;
		r.intent = i == 0 ? NULL : r.intent;
		r.quote = i == 1 ? NULL : r.quote;
		r.agent = i == 2 ? NULL : r.agent;
		purser_decide_result result = purser_policy_decide(&policy, &r);
		claim(result.outcome == PURSER_OUTCOME_DENY && purser_equal(result.reasons[0].code, "request_incomplete"), "a gap denies");
	}
	purser_budget_level level = {0};
	purser_facts facts = {.budgets = &level, .budgets_count = 1};
	whole.facts = &facts;
	purser_decide_result held = purser_policy_decide(&policy, &whole);
	claim(held.outcome == PURSER_OUTCOME_HOLD && purser_equal(held.reasons[0].text, "held 1 0"), "texts are joined by spaces");
}

static void what_an_adapter_lacks_is_rejected(void) {
	const purser_chain none = {0};
	purser_intent intent = {0};
	purser_quote quote = {0};
	purser_configure_request settings = {0};
	purser_build_request build = {.intent = &intent, .quote = &quote};
	purser_assemble_request assemble = {0};
	purser_verify_request verify = {.quote = &quote};
	purser_plan_request plan = {.quote = &quote};
	purser_facts_request facts = {0};
	purser_needs_request needs = {0};
	purser_describe_request describe = {0};
	const purser_rejection *rejections[] = {
		purser_chain_build(&none, &build).rejection, purser_chain_assemble(&none, &assemble).rejection,
		purser_chain_verify(&none, &verify).rejection, purser_chain_plan(&none, &plan).rejection, purser_chain_facts(&none, &facts).rejection,
	};
	for (size_t i = 0; i < sizeof rejections / sizeof rejections[0]; i++) {
		claim(rejections[i] != NULL && purser_equal(rejections[i]->code, "unsupported"), "a call that is not implemented is rejected");
	}
	claim(purser_chain_needs(&none, &needs).ok, "no reads are needed");
	claim(purser_chain_describe(&none, &describe).networks_count == 0, "nothing is described");
	claim(!purser_chain_configure(&none, &settings).ok, "an adapter without its required functions is not configured");
	claim(purser_chain_facts(&none, &facts).life == PURSER_LIFE_LIVE, "unknown facts read as an authorization that lives");
}

static void the_arena_is_bounded(void) {
	claim(purser_allocate_array(SIZE_MAX, 2) == NULL && purser_exhausted(), "a product that wraps is refused");
	purser_native_reset();
	claim(!purser_exhausted(), "a reset forgets");
	claim(purser_allocate(SIZE_MAX) == NULL && purser_exhausted(), "more than the arena is refused");
	purser_native_reset();
	purser_text half = text("x", (size_t)PURSER_ARENA_BYTES_MAX / 2 + 1); // never read: it is refused by its size
	claim(purser_concat(half, half).size == 0 && purser_exhausted(), "texts that are too long together are refused");
	purser_native_reset();
	claim(purser_equal(purser_concat("a", purser_text_of(NULL), UINT64_MAX), "a18446744073709551615"), "texts are concatenated");
	claim(purser_equal(purser_join("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"), "1 2 3 4 5 6 7 8 9 10 11 12"), "twelve texts");
}

int main(void) {
	only_canonical_bytes_are_written();
	purser_native_reset();
	nothing_allows_by_accident();
	what_an_adapter_lacks_is_rejected();
	purser_native_reset();
	the_arena_is_bounded();
	purser_native_reset();
	return failures == 0 ? 0 : 1;
}
