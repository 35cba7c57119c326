// Package mpc makes two-of-three threshold signatures (ECDSA on secp256k1) and refuses to hand the protocol
// library any message it has not checked itself, and to release a signature it has not verified itself.
//
// It is the only importer of github.com/bnb-chain/tss-lib/v2, which stays behind [Engine] so that it can be
// replaced. The engine knows nothing of payments: what may be signed is decided by its caller, in package signer.
//
// # The guard
//
// tss-lib v2.0.2 trusts its caller to keep hostile messages out: it lets a second message of a type replace the
// first one (which voids every commitment of the protocol), dereferences nil on a zero ciphertext, indexes past
// short lists, and raises numbers to exponents of any size. Every incoming message therefore passes the guard
// (guard.go) first: sender, session, sequence, type, round, write-once, size, part counts, ranges, membership in
// the right group. A message the guard refuses ends the session; nothing is skipped and nothing is retried.
//
// # Panics
//
// Calls into the library run inside recover, but the library starts goroutines of its own and a panic in one of
// them cannot be recovered by anybody: it ends the process. The guard is what prevents those, not recover. This is
// also why a co-signer runs as a process of its own under a supervisor, and why two roles in one process are for
// demo, development and tests only.
//
// # Point of no return
//
// Whoever receives the peer's last message first owns the signature. [Engine.Sign] calls beforeLast, where the
// caller makes the spend durable, before its own last message leaves. Every error after that moment has the code
// [CodeOutcomeUnknown]: the digest counts as signed until it is proven dead, and only the identical digest may be
// signed again, in a new session.
//
// Goroutines: the engine starts none. A session runs in its caller's goroutine and the library joins its workers
// before a call returns, so cancelling the context takes effect at the next message, at most one round of
// arithmetic (about half a CPU-second) later.
//
// Zeroisation is limited in Go: big integers are copied by the library and by the collector. Secrets stay in memory
// until they are collected; keep keyshares loaded only while their wallet is active and disable core dumps.
package mpc
