// For unit tests of plugins, which run natively.
#ifndef PURSER_NATIVE_H
#define PURSER_NATIVE_H

// purser_native_reset frees everything allocated so far, as the host's reset does, settings included.
void purser_native_reset(void);

#endif
