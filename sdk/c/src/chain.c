// What makes C functions a chain adapter.
#include "purser.h"

const purser_rejection *purser_rejection_of(const char *code, const char *field, purser_text text) {
	purser_rejection *rejection = purser_allocate(sizeof *rejection);
	if (rejection != NULL) {
		*rejection = (purser_rejection){.code = purser_text_of(code), .field = purser_text_of(field), .text = text};
	}
	return rejection;
}

const purser_answer *purser_chain_answer(const purser_answer *answers, size_t count, const char *id) {
	for (size_t i = 0; i < count; i++) {
		if (purser_equal(answers[i].id, id)) {
			return answers[i].error.size == 0 ? &answers[i] : NULL;
		}
	}
	return NULL;
}

static const purser_rejection *unsupported(const char *call) {
	return purser_reject("unsupported", "", "this adapter does not implement", call);
}

static const purser_rejection *without(const char *field, const char *text) {
	return purser_reject("request_incomplete", field, text);
}

// A plugin without what it needs refuses every configuration, so that it never loads.
static void incomplete(purser_config *c) {
	purser_config_problem_at(c, "", "the adapter lacks describe, build or assemble");
}

purser_configure_result purser_chain_configure(const purser_chain *a, const purser_configure_request *r) {
	bool complete = a->describe != NULL && a->build != NULL && a->assemble != NULL;
	return purser_config_run(complete ? a->configure : incomplete, r);
}

purser_describe_result purser_chain_describe(const purser_chain *a, const purser_describe_request *r) {
	return a->describe == NULL ? (purser_describe_result){0} : a->describe(r);
}

purser_needs_result purser_chain_needs(const purser_chain *a, const purser_needs_request *r) {
	return a->needs == NULL ? (purser_needs_result){.ok = true} : a->needs(r);
}

purser_build_result purser_chain_build(const purser_chain *a, const purser_build_request *r) {
	if (a->build == NULL) {
		return (purser_build_result){.rejection = unsupported("build")};
	}
	if (r->intent == NULL || r->quote == NULL) {
		return (purser_build_result){.rejection = without("intent", "no intent or no quote")};
	}
	return a->build(r);
}

purser_assemble_result purser_chain_assemble(const purser_chain *a, const purser_assemble_request *r) {
	return a->assemble == NULL ? (purser_assemble_result){.rejection = unsupported("assemble")} : a->assemble(r);
}

purser_verify_result purser_chain_verify(const purser_chain *a, const purser_verify_request *r) {
	if (a->verify == NULL) {
		return (purser_verify_result){.rejection = unsupported("verify")};
	}
	return r->quote == NULL ? (purser_verify_result){.rejection = without("quote", "no quote")} : a->verify(r);
}

purser_plan_result purser_chain_plan(const purser_chain *a, const purser_plan_request *r) {
	if (a->plan == NULL) {
		return (purser_plan_result){.rejection = unsupported("plan")};
	}
	return r->quote == NULL ? (purser_plan_result){.rejection = without("quote", "no quote")} : a->plan(r);
}

purser_facts_result purser_chain_facts(const purser_chain *a, const purser_facts_request *r) {
	return a->facts == NULL ? (purser_facts_result){.rejection = unsupported("facts")} : a->facts(r);
}
