// Log lines, by the one function that the host has for a guest.
#include "purser.h"

#ifdef __wasm__

__attribute__((import_module("purser_host_1"), import_name("log"))) void purser_host_log(
	uint32_t level, const char *at, uint32_t size);

void purser_log_line(purser_log_level level, purser_text text) {
	// Any other level is a trap, and a log line is not worth a payment.
	if (text.size > 0 && level <= PURSER_ERROR) {
		purser_host_log((uint32_t)level, text.data, (uint32_t)text.size);
	}
}

#else

#include <stdio.h>

void purser_log_line(purser_log_level level, purser_text text) {
	static const char *const names[] = {"debug", "info", "warn", "error"};
	if (text.size > 0 && level <= PURSER_ERROR) {
		fprintf(stderr, "%s ", names[level]);
		fwrite(text.data, 1, text.size, stderr);
		fputc('\n', stderr);
	}
}

#endif
