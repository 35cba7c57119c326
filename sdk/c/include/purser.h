// The purser SDK for C11: write a policy or a chain adapter. It needs no libc in the guest and allocates from an arena
// that the host resets after each call. It refuses to allow by accident: what cannot be read, written or allocated is
// a failed call, and a failed call denies.
//
// A policy:
//
//	static purser_decide_result decide(const purser_decide_request *r) { ... }
//	PURSER_POLICY(configure, decide)
//
// Everything here compiles natively too, so that plugins have ordinary unit tests. Nothing is safe for concurrent use;
// a guest has one thread.
#ifndef PURSER_H
#define PURSER_H

#include "purser_messages.h"
#include "purser_value.h"

// The version of the ABI that this SDK speaks (abi/v1.md).
#define PURSER_ABI_MINOR 0

// ---- settings ----

// PURSER_PROBLEMS_MAX is how many problems one report holds, as the host reads no more.
#define PURSER_PROBLEMS_MAX 64

// purser_config is one configuration being read. Its readers collect problems instead of failing, each with the JSON
// pointer of its setting; any problem refuses the configuration. So does a setting that no reader asked for: a
// misspelled limit is no limit. Texts and arrays that readers return stay valid in all later calls.
typedef struct {
	const purser_json_entry *entries;
	size_t entries_count;
	bool *read; // by entry
	purser_config_problem *problems;
	size_t problems_count;
} purser_config;

// purser_config_problem_at reports a fault of a setting, in a sentence without a full stop.
void purser_config_problem_at(purser_config *c, const char *pointer, const char *message);

// purser_config_has reports whether there is a setting, of any type but null.
bool purser_config_has(const purser_config *c, const char *pointer);

// These read a setting that must be there. On a problem they return the zero value. A uint is at most 2^53-1; an amount
// is decimal digits in a string, in the asset's smallest unit.
purser_text purser_config_text(purser_config *c, const char *pointer);
bool purser_config_bool(purser_config *c, const char *pointer);
uint64_t purser_config_uint(purser_config *c, const char *pointer);
purser_amount purser_config_amount(purser_config *c, const char *pointer);

// purser_config_length reads the number of elements of an array that must be there. purser_config_element is the
// pointer of one of them, with more of the path behind it: purser_config_element("/payees", 3, "/cap").
size_t purser_config_length(purser_config *c, const char *pointer);
const char *purser_config_element(const char *pointer, size_t index, const char *rest);

// purser_config_texts reads an array of strings that must be there; it may be empty.
const purser_text *purser_config_texts(purser_config *c, const char *pointer, size_t *count);

// purser_config_ignore marks a setting, and all below it, as known although it is not read.
void purser_config_ignore(purser_config *c, const char *pointer);

// purser_configure_fn reads the settings, once, before any other call.
typedef void purser_configure_fn(purser_config *c);

// purser_config_run does natively what the host's configure call does; configure may be NULL.
purser_configure_result purser_config_run(purser_configure_fn *configure, const purser_configure_request *r);

// ---- policy ----

// purser_policy is what PURSER_POLICY makes. intent, quote, agent and facts of the request are never NULL; the
// histories in facts are NULL unless the manifest asks for them. decide must depend on nothing but the request and the
// settings: memory written there is gone before the next call.
typedef struct {
	purser_configure_fn *configure; // optional
	purser_decide_result (*decide)(const purser_decide_request *r);
} purser_policy;

// purser_policy_configure and purser_policy_decide do natively what the host's calls do.
purser_configure_result purser_policy_configure(const purser_policy *p, const purser_configure_request *r);
purser_decide_result purser_policy_decide(const purser_policy *p, const purser_decide_request *r);

// purser_allow says yes.
purser_decide_result purser_allow(void);

// purser_hold asks for a person, purser_deny says no. The code is stable and snake_case; 1 to 12 texts, C strings,
// amounts and unsigned numbers follow, for people, and are joined by spaces.
#define purser_hold(code, ...) purser_because(PURSER_OUTCOME_HOLD, (code), purser_join(__VA_ARGS__))
#define purser_deny(code, ...) purser_because(PURSER_OUTCOME_DENY, (code), purser_join(__VA_ARGS__))

// purser_because is an outcome with one reason.
purser_decide_result purser_because(purser_outcome outcome, const char *code, purser_text text);

// ---- chain adapter ----

// purser_chain is a chain adapter. What must survive from one call to the next travels through the host, as
// build_result.state: memory written in one call is gone in the next. Left out functions reject their call.
typedef struct {
	purser_configure_fn *configure; // optional
	purser_describe_result (*describe)(const purser_describe_request *r); // required
	purser_needs_result (*needs)(const purser_needs_request *r); // optional: no reads
	purser_build_result (*build)(const purser_build_request *r); // required; intent and quote are never NULL
	purser_assemble_result (*assemble)(const purser_assemble_request *r); // required; must verify each signature
	purser_verify_result (*verify)(const purser_verify_request *r); // optional; quote is never NULL
	purser_plan_result (*plan)(const purser_plan_request *r); // optional; quote is never NULL
	purser_facts_result (*facts)(const purser_facts_request *r); // optional
} purser_chain;

// These do natively what the host's calls do.
purser_configure_result purser_chain_configure(const purser_chain *a, const purser_configure_request *r);
purser_describe_result purser_chain_describe(const purser_chain *a, const purser_describe_request *r);
purser_needs_result purser_chain_needs(const purser_chain *a, const purser_needs_request *r);
purser_build_result purser_chain_build(const purser_chain *a, const purser_build_request *r);
purser_assemble_result purser_chain_assemble(const purser_chain *a, const purser_assemble_request *r);
purser_verify_result purser_chain_verify(const purser_chain *a, const purser_verify_request *r);
purser_plan_result purser_chain_plan(const purser_chain *a, const purser_plan_request *r);
purser_facts_result purser_chain_facts(const purser_chain *a, const purser_facts_request *r);

// purser_reject makes a rejection: a stable snake_case code, the field at fault in the words of the request
// ("quote.payee"), and what purser_deny takes for people.
#define purser_reject(code, field, ...) purser_rejection_of((code), (field), purser_join(__VA_ARGS__))
const purser_rejection *purser_rejection_of(const char *code, const char *field, purser_text text);

// purser_chain_answer finds the answer to the query of that id. It is NULL when there is none or the query failed.
const purser_answer *purser_chain_answer(const purser_answer *answers, size_t count, const char *id);

// ---- log ----

typedef enum { PURSER_DEBUG, PURSER_INFO, PURSER_WARN, PURSER_ERROR } purser_log_level;

// purser_log writes a line to the operator's log, for whoever looks for a fault. The host caps it, and nothing logged is
// ever part of a decision. A plugin that does not call it imports nothing.
#define purser_log(level, ...) purser_log_line((level), purser_join(__VA_ARGS__))
void purser_log_line(purser_log_level level, purser_text text);

#include "purser_exports.h"

#endif
