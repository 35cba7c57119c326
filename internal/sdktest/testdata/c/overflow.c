// A policy whose stack is too small for it. What lies below a stack must not be the plugin's own data: overwritten, that
// would be another ceiling.
#include "purser.h"

static volatile uint8_t settings[4096];

static void configure(purser_config *c) { settings[0] = (uint8_t)purser_config_uint(c, "/deep"); }

static purser_decide_result decide(const purser_decide_request *r) {
	(void)r;
	volatile uint8_t large[64 << 10];
	for (size_t i = sizeof large; settings[0] == 1 && i > 0; i--) {
		large[i - 1] = 0xff;
	}
	return purser_allow();
}

PURSER_POLICY(configure, decide)
