#include "purser.h"

#include <assert.h>

extern const purser_policy purser_this_policy;

int main(void) {
	const purser_json_entry entries[] = {
		{.type = PURSER_TEXT("object")},
		{.pointer = PURSER_TEXT("/ceiling"), .type = PURSER_TEXT("string"), .text = PURSER_TEXT("50000")},
	};
	purser_configure_request missing = {.entries = entries, .entries_count = 1};
	assert(!purser_policy_configure(&purser_this_policy, &missing).ok);
	purser_configure_request settings = {.entries = entries, .entries_count = 2};
	assert(purser_policy_configure(&purser_this_policy, &settings).ok);

	for (uint64_t amount = 49999; amount <= 50001; amount++) {
		purser_intent intent = {.amount = purser_amount_of(amount)};
		purser_quote quote = {0};
		purser_agent agent = {0};
		purser_decide_request request = {.intent = &intent, .quote = &quote, .agent = &agent};
		purser_outcome want = amount > 50000 ? PURSER_OUTCOME_DENY : PURSER_OUTCOME_ALLOW;
		assert(purser_policy_decide(&purser_this_policy, &request).outcome == want);
	}
	return 0;
}
