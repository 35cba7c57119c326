// What turns a policy or an adapter into a module: the exports of abi/v1.md section 1. Include purser.h.
#ifndef PURSER_EXPORTS_H
#define PURSER_EXPORTS_H

// PURSER_POLICY makes this module a policy; configure may be NULL. Use it once, at the end of a file, and not together
// with PURSER_CHAIN: a module is one plugin. A unit test finds the policy as purser_this_policy.
#define PURSER_POLICY(configure_fn, decide_fn) \
	extern const purser_policy purser_this_policy; \
	const purser_policy purser_this_policy = {.configure = (configure_fn), .decide = (decide_fn)}; \
	PURSER_EXPORT_BOTH(policy, purser_this_policy) \
	PURSER_EXPORT(policy, purser_this_policy, decide)

// PURSER_CHAIN makes this module a chain adapter: PURSER_CHAIN(.describe = ..., .build = ..., .assemble = ...). A unit
// test finds the adapter as purser_this_chain.
#define PURSER_CHAIN(...) \
	extern const purser_chain purser_this_chain; \
	const purser_chain purser_this_chain = {__VA_ARGS__}; \
	PURSER_EXPORT_BOTH(chain, purser_this_chain) \
	PURSER_EXPORT(chain, purser_this_chain, describe) \
	PURSER_EXPORT(chain, purser_this_chain, needs) \
	PURSER_EXPORT(chain, purser_this_chain, build) \
	PURSER_EXPORT(chain, purser_this_chain, assemble) \
	PURSER_EXPORT(chain, purser_this_chain, verify) \
	PURSER_EXPORT(chain, purser_this_chain, plan) \
	PURSER_EXPORT(chain, purser_this_chain, facts)

#ifdef __wasm__

// Only the macros above export, so that a policy's module holds nothing of an adapter's.
#define PURSER_EXPORT_BOTH(kind, plugin) \
	__attribute__((export_name("purser_abi_1"))) uint32_t purser_export_abi(void); \
	uint32_t purser_export_abi(void) { return PURSER_ABI_MINOR; } \
	__attribute__((export_name("purser_alloc"))) uint32_t purser_export_alloc(uint32_t size); \
	uint32_t purser_export_alloc(uint32_t size) { return purser_guest_alloc(size); } \
	__attribute__((export_name("purser_configure"))) uint64_t purser_export_configure(uint32_t at, uint32_t size); \
	uint64_t purser_export_configure(uint32_t at, uint32_t size) { return purser_guest_##kind##_configure(&(plugin), at, size); }

#define PURSER_EXPORT(kind, plugin, call) \
	__attribute__((export_name("purser_" #kind "_" #call))) uint64_t purser_export_##call(uint32_t at, uint32_t size); \
	uint64_t purser_export_##call(uint32_t at, uint32_t size) { return purser_guest_##kind##_##call(&(plugin), at, size); }

uint32_t purser_guest_alloc(uint32_t size);

#define PURSER_GUEST(kind, call) \
	uint64_t purser_guest_##kind##_##call(const purser_##kind *plugin, uint32_t at, uint32_t size);
PURSER_GUEST(policy, configure)
PURSER_GUEST(policy, decide)
PURSER_GUEST(chain, configure)
PURSER_GUEST(chain, describe)
PURSER_GUEST(chain, needs)
PURSER_GUEST(chain, build)
PURSER_GUEST(chain, assemble)
PURSER_GUEST(chain, verify)
PURSER_GUEST(chain, plan)
PURSER_GUEST(chain, facts)
#undef PURSER_GUEST

#else

// Natively there is no host to export to.
#define PURSER_EXPORT_BOTH(kind, plugin)
#define PURSER_EXPORT(kind, plugin, call)

#endif

#endif
