// What makes a C function a policy.
#include "purser.h"

purser_decide_result purser_because(purser_outcome outcome, const char *code, purser_text text) {
	purser_decide_result result = {.outcome = outcome};
	purser_reason *reason = purser_allocate(sizeof *reason);
	if (reason != NULL) {
		*reason = (purser_reason){.code = purser_text_of(code), .text = text};
		result.reasons = reason;
		result.reasons_count = 1;
	}
	return result;
}

purser_decide_result purser_allow(void) { return (purser_decide_result){.outcome = PURSER_OUTCOME_ALLOW}; }

// A plugin without what it needs refuses every configuration, so that it never loads.
static void incomplete(purser_config *c) { purser_config_problem_at(c, "", "the plugin lacks a required function"); }

purser_configure_result purser_policy_configure(const purser_policy *p, const purser_configure_request *r) {
	return purser_config_run(p->decide == NULL ? incomplete : p->configure, r);
}

purser_decide_result purser_policy_decide(const purser_policy *p, const purser_decide_request *r) {
	if (p->decide == NULL || r->intent == NULL || r->quote == NULL || r->agent == NULL) {
		return purser_deny("request_incomplete", "no policy, or a request without intent, quote or agent");
	}
	static const purser_facts no_facts;
	purser_decide_request whole = *r;
	if (whole.facts == NULL) {
		whole.facts = &no_facts;
	}
	return p->decide(&whole);
}
