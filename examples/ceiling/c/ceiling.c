// ceiling is a purser policy that denies every payment above one amount.
#include "purser.h"

static purser_amount ceiling;

static void configure(purser_config *c) { ceiling = purser_config_amount(c, "/ceiling"); }

static purser_decide_result decide(const purser_decide_request *r) {
	if (purser_amount_compare(r->intent->amount, ceiling) > 0) {
		return purser_deny("ceiling_exceeded", "the amount is above the ceiling of", ceiling);
	}
	return purser_allow();
}

PURSER_POLICY(configure, decide)
