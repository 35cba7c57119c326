// The arena: space is handed out and never taken back, because the host resets the instance after each call.
#include "purser_value.h"

_Static_assert(PURSER_ARENA_BYTES_MAX <= 1u << 30, "addresses of 32 bits must not wrap");

static bool exhausted;

bool purser_exhausted(void) { return exhausted; }

void *purser_allocate_array(size_t count, size_t size) {
	if (size > 0 && count > PURSER_ARENA_BYTES_MAX / size) {
		exhausted = true;
		return NULL;
	}
	return purser_allocate(count * size);
}

#ifdef __wasm__

#define ALIGNMENT 16u
#define PAGE_BYTES 65536u

// The linker puts this symbol behind static data and stack.
extern unsigned char __heap_base;

static uintptr_t next;

// Memory above the heap's base is zero when an instance starts, and the reset that rewinds next zeroes it again.
void *purser_allocate(size_t size) {
	const uintptr_t base = (uintptr_t)&__heap_base;
	if (next == 0) {
		next = (base + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
	}
	uintptr_t used = next - base;
	if (size > PURSER_ARENA_BYTES_MAX || used > PURSER_ARENA_BYTES_MAX - size) {
		exhausted = true;
		return NULL;
	}
	// Never 0 bytes: two objects must not share an address.
	uintptr_t end = next + ((size + (size == 0) + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
	uintptr_t memory = __builtin_wasm_memory_size(0) * PAGE_BYTES;
	if (end > memory) {
		// Pages are taken as they are needed: the host copies all of them at every reset.
		size_t pages = (end - memory + PAGE_BYTES - 1) / PAGE_BYTES;
		if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) {
			exhausted = true;
			return NULL;
		}
	}
	void *space = (void *)next;
	next = end;
	return space;
}

#else

#include "purser_native.h"
#include <stdlib.h>

// Natively each object is one of malloc's, so that a sanitizer sees where it ends.
struct object {
	struct object *before;
	max_align_t space[];
};

static struct object *objects;
static size_t used;

void *purser_allocate(size_t size) {
	if (size > PURSER_ARENA_BYTES_MAX - used) {
		exhausted = true;
		return NULL;
	}
	struct object *o = calloc(1, sizeof *o + size);
	if (o == NULL) {
		exhausted = true;
		return NULL;
	}
	used += size;
	o->before = objects;
	objects = o;
	return o->space;
}

void purser_native_reset(void) {
	while (objects != NULL) {
		struct object *before = objects->before;
		free(objects);
		objects = before;
	}
	used = 0;
	exhausted = false;
}

#endif
