// adapter is a purser chain adapter that describes one network and says honestly what it cannot do yet.
#include "purser.h"

static const purser_text network = {"eip155:1337", 11}, scheme = {"exact", 5};

static purser_describe_result describe(const purser_describe_request *r) {
	(void)r;
	return (purser_describe_result){.networks = &network, .networks_count = 1, .schemes = &scheme, .schemes_count = 1};
}

// build makes what is to be signed. The host hashes it, decodes it again and compares it with the intent.
static purser_build_result build(const purser_build_request *r) {
	if (!purser_equal(r->intent->network, network)) {
		return (purser_build_result){.rejection = purser_reject("network_unknown", "intent.network", "this adapter knows eip155:1337 only")};
	}
	return (purser_build_result){.rejection = purser_reject("unsupported", "intent.scheme", "this adapter cannot build payments yet")};
}

// assemble makes the wire payload of what was signed. It must verify every signature first.
static purser_assemble_result assemble(const purser_assemble_request *r) {
	(void)r;
	return (purser_assemble_result){.rejection = purser_reject("unsupported", "", "this adapter cannot build payments yet")};
}

// needs, verify, plan and facts may be left out: the adapter needs no reads and rejects the rest.
PURSER_CHAIN(.describe = describe, .build = build, .assemble = assemble)
