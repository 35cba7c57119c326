// Moving bytes between a plugin and its host. It refuses every address that it did not hand out itself.
#include "purser.h"

#ifdef __wasm__

// GUEST_INPUT_BYTES_MAX is the most the host ever sends: a chain adapter's request.
#define GUEST_INPUT_BYTES_MAX (1u << 20)

static purser_bytes input;

uint32_t purser_guest_alloc(uint32_t size) {
	if (size > GUEST_INPUT_BYTES_MAX) {
		return 0;
	}
	input = (purser_bytes){purser_allocate(size), size};
	return (uint32_t)(uintptr_t)input.data;
}

// received views a request. It must lie where purser_alloc said; an empty one lies nowhere.
static bool received(uint32_t at, uint32_t size, purser_bytes *in) {
	if (size == 0) {
		*in = (purser_bytes){0};
		return true;
	}
	if (input.data == NULL || at != (uint32_t)(uintptr_t)input.data || size > input.size) {
		return false;
	}
	*in = (purser_bytes){input.data, size};
	return true;
}

// answered is address and length of the result in one number, 0 for failure.
static uint64_t answered(bool ok, purser_bytes out) {
	if (!ok || purser_exhausted()) {
		return 0;
	}
	return (uint64_t)(uintptr_t)out.data << 32 | out.size;
}

// One call of the host: read the request, ask the plugin, write its result.
#define SERVE(kind, call, message) \
	uint64_t purser_guest_##kind##_##call(const purser_##kind *plugin, uint32_t at, uint32_t size) { \
		purser_bytes bytes; \
		purser_##message##_request request; \
		if (!received(at, size, &bytes) || !purser_decode_##message##_request(bytes, &request)) { \
			return 0; \
		} \
		purser_##message##_result result = purser_##kind##_##call(plugin, &request); \
		bool ok = purser_encode_##message##_result(&result, &bytes); \
		return answered(ok, bytes); \
	}

SERVE(policy, configure, configure)
SERVE(policy, decide, decide)
SERVE(chain, configure, configure)
SERVE(chain, describe, describe)
SERVE(chain, needs, needs)
SERVE(chain, build, build)
SERVE(chain, assemble, assemble)
SERVE(chain, verify, verify)
SERVE(chain, plan, plan)
SERVE(chain, facts, facts)

#endif
