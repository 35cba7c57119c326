// Moving bytes without a libc.
#include "purser_wire.h"

void purser_copy(void *to, const void *from, size_t size) {
	if (size > 0) {
		__builtin_memcpy(to, from, size);
	}
}

void purser_move(void *to, const void *from, size_t size) {
	if (size > 0) {
		__builtin_memmove(to, from, size);
	}
}

bool purser_same(const void *a, const void *b, size_t size) {
	const uint8_t *left = a, *right = b;
	for (size_t i = 0; i < size; i++) {
		if (left[i] != right[i]) {
			return false;
		}
	}
	return true;
}

#ifdef __wasm__

// The compiler calls these for what it does not write inline. They are weak, for authors who bring a libc.
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

#ifdef __wasm_bulk_memory__

// With bulk memory the builtins below are single instructions; without it they would call themselves.
__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t size) {
	return __builtin_memcpy(to, from, size);
}

__attribute__((weak)) void *memmove(void *to, const void *from, size_t size) {
	return __builtin_memmove(to, from, size);
}

__attribute__((weak)) void *memset(void *to, int byte, size_t size) { return __builtin_memset(to, byte, size); }

#else

__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t size) {
	return memmove(to, from, size);
}

__attribute__((weak)) void *memmove(void *to, const void *from, size_t size) {
	// volatile keeps the compiler from finding a memmove in these loops.
	volatile uint8_t *into = to;
	const uint8_t *source = from;
	if ((uintptr_t)to < (uintptr_t)from) {
		for (size_t i = 0; i < size; i++) {
			into[i] = source[i];
		}
	} else {
		for (size_t i = size; i > 0; i--) {
			into[i - 1] = source[i - 1];
		}
	}
	return to;
}

__attribute__((weak)) void *memset(void *to, int byte, size_t size) {
	volatile uint8_t *into = to;
	for (size_t i = 0; i < size; i++) {
		into[i] = (uint8_t)byte;
	}
	return to;
}

#endif
#endif
