// echo is a chain adapter that answers every call out of its request, so that a test sees each message go in and out.
// It moves no money: its payload is the amount, the payee and the signature, with bars between them.
#include "purser.h"

static purser_text network;
static const purser_text *schemes;
static size_t schemes_count;
static uint64_t quorum;
static purser_amount fee_max;

static void configure(purser_config *c) {
	network = purser_config_text(c, "/network");
	schemes = purser_config_texts(c, "/schemes", &schemes_count);
	quorum = purser_config_uint(c, "/quorum");
	if (purser_config_has(c, "/fees")) {
		for (size_t i = 0, n = purser_config_length(c, "/fees"); i < n; i++) {
			purser_amount fee = purser_config_amount(c, purser_config_element("/fees", i, "/most"));
			if (!purser_config_bool(c, purser_config_element("/fees", i, "/ignored")) && !purser_amount_add(fee_max, fee, &fee_max)) {
				purser_config_problem_at(c, "/fees", "the fees together are above 2^256-1");
			}
		}
	}
	purser_config_ignore(c, "/comment");
}

static purser_describe_result describe(const purser_describe_request *r) {
	(void)r;
	static const purser_text kinds[] = {{"eip712", 6}}, curves[] = {{"secp256k1", 9}, {"ed25519", 7}};
	return (purser_describe_result){
		.networks = &network, .networks_count = 1, .schemes = schemes, .schemes_count = schemes_count,
		.signing_kinds = kinds, .signing_kinds_count = 1, .curves = curves, .curves_count = 2,
		.finality = purser_join("at most", fee_max, "for", quorum),
	};
}

static purser_needs_result needs(const purser_needs_request *r) {
	if (r->intent != NULL && !purser_equal(r->intent->network, network)) {
		return (purser_needs_result){
			.rejection = purser_reject("network_unknown", "intent.network", r->intent->network, "is not", network)};
	}
	purser_query *queries = purser_allocate_array(2, sizeof *queries);
	if (queries == NULL) {
		return (purser_needs_result){0};
	}
	queries[0] = (purser_query){.id = r->operation, .method = purser_text_of("eth_call"),
		.params = purser_text_bytes(purser_concat("[\"", r->payer, "\"]")), .quorum = quorum};
	queries[1] = (purser_query){.id = purser_text_of("payload"), .method = purser_text_of("eth_getCode"), .params = r->payload};
	return (purser_needs_result){.ok = true, .queries = queries, .queries_count = 2};
}

static purser_build_result build(const purser_build_request *r) {
	purser_amount limit;
	if (!purser_amount_add(r->quote->amount, fee_max, &limit) || purser_amount_compare(r->intent->amount, limit) > 0) {
		return (purser_build_result){
			.rejection = purser_reject("amount_too_large", "intent.amount", r->intent->amount, "is above", r->quote->amount)};
	}
	const purser_answer *code = purser_chain_answer(r->answers, r->answers_count, "build");
	if (r->answers_count > 0 && code == NULL) {
		purser_log(PURSER_WARN, "no answer for", r->intent->payment);
		return (purser_build_result){.rejection = purser_reject("answer_missing", "answers", "the query build failed")};
	}
	purser_summary *summary = purser_allocate(sizeof *summary);
	purser_signing_request *signing = purser_allocate(sizeof *signing);
	if (summary == NULL || signing == NULL) {
		return (purser_build_result){0};
	}
	*summary = (purser_summary){.network = r->intent->network, .asset = r->intent->asset, .payer = r->payer,
		.payee = r->intent->payee, .amount = r->intent->amount, .valid_after_unix_s = r->valid_after_unix_s,
		.valid_before_unix_s = r->valid_before_unix_s, .nonce = r->nonce};
	*signing = (purser_signing_request){.id = purser_text_of("transfer"), .kind = purser_text_of("eip712"),
		.curve = purser_text_of("secp256k1"), .preimage = r->nonce, .summary = summary};
	return (purser_build_result){.ok = true, .signing = signing, .signing_count = 1,
		.state = purser_text_bytes(purser_concat(r->intent->amount, "|", r->intent->payee, "|"))};
}

static purser_assemble_result assemble(const purser_assemble_request *r) {
	if (r->signatures_count != 1 || !purser_equal(r->signatures[0].id, "transfer")) {
		return (purser_assemble_result){
			.rejection = purser_reject("signature_missing", "signatures", "want one, got", r->signatures_count)};
	}
	purser_text state = {(const char *)r->state.data, r->state.size};
	purser_text signature = {(const char *)r->signatures[0].signature.data, r->signatures[0].signature.size};
	return (purser_assemble_result){.ok = true, .payload = purser_text_bytes(purser_concat(state, signature))};
}

// paid reads the amount that a payload starts with.
static bool paid(purser_bytes payload, purser_amount *amount) {
	purser_text digits = {(const char *)payload.data, 0};
	while (digits.size < payload.size && digits.data[digits.size] != '|') {
		digits.size++;
	}
	return purser_amount_parse(digits, amount);
}

static purser_verify_result verify(const purser_verify_request *r) {
	purser_amount amount, missing;
	if (!paid(r->payload, &amount)) {
		return (purser_verify_result){.rejection = purser_reject("payload_invalid", "payload", "it holds no amount")};
	}
	if (purser_amount_subtract(r->quote->amount, amount, &missing) && !purser_amount_is_zero(missing)) {
		return (purser_verify_result){.rejection = purser_reject("amount_too_small", "payload", missing, "is missing")};
	}
	purser_summary *summary = purser_allocate(sizeof *summary);
	if (summary == NULL) {
		return (purser_verify_result){0};
	}
	*summary = (purser_summary){.network = network, .amount = amount};
	return (purser_verify_result){.ok = true, .verified = summary};
}

static purser_plan_result plan(const purser_plan_request *r) {
	purser_template *template = purser_allocate(sizeof *template);
	purser_amount value;
	if (template == NULL || !purser_amount_multiply(r->quote->amount, r->answers_count, &value)) {
		return (purser_plan_result){.rejection = purser_reject("amount_too_large", "quote.amount", "it overflows")};
	}
	*template = (purser_template){
		.network = network, .to = r->quote->payee, .data = r->payload, .value = value, .gas_max = 100000};
	return (purser_plan_result){.ok = true, .templates = template, .templates_count = 1};
}

static purser_facts_result facts(const purser_facts_request *r) {
	purser_amount amount;
	if (!paid(r->payload, &amount)) {
		return (purser_facts_result){.rejection = purser_reject("payload_invalid", "payload", "it holds no amount")};
	}
	uint8_t word[32];
	purser_amount_word(amount, word);
	return (purser_facts_result){.ok = true, .status = PURSER_CHAIN_STATUS_FINAL, .life = PURSER_LIFE_DEAD,
		.transaction = purser_text_of("0x01"), .block = word[31], .transferred = amount, .fee = fee_max};
}

PURSER_CHAIN(.configure = configure, .describe = describe, .needs = needs, .build = build, .assemble = assemble,
	.verify = verify, .plan = plan, .facts = facts)
