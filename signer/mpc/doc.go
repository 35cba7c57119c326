// Package mpc makes two-of-three threshold signatures (ECDSA on secp256k1, Ed25519) and refuses to hand the protocol
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
// # Ceremonies
//
// Key generation and resharing are among all three roles. After every round the roles compare what was broadcast
// before anybody's library sees it (echo.go). A resharing gives all three new shares of the same key, with new
// coordinates, from two or three old ones; a role that hands on and receives is two parties to the library and one on
// the wire (ceremony.go). Its result is not in force until [Engine.ProveEpoch] has passed everywhere and the caller has
// committed; the old shares are copied before the library, which zeroes what it is given, gets them.
//
// # Panics
//
// Calls into the library run inside recover, but the library starts goroutines of its own and a panic in one of
// them cannot be recovered by anybody: it ends the process. The guard is what prevents those, not recover. This is
// also why a co-signer runs as a process of its own under a supervisor, and why two roles in one process are for
// demo, development and tests only.
//
// # Warm sessions
//
// Rounds one to three of a signing session, 99 % of its arithmetic, do not use the digest. [Engine.Prepare] runs them
// ahead with a random number in the digest's place and keeps the peer's message of round three to itself; [Prepared.Sign]
// sets the number behind the pointer that the library holds and then hands the message over, in the goroutine that feeds
// the party. The library reads the number first in round five.
//
// Why this is sound. Until that message is delivered, the one of ours that opens our part of the nonce does not exist:
// the peer has seen a hash of it, and the sum of the thetas. The nonce point is therefore undetermined for the peer when
// the digest and the derived key are fixed, as in plain GG18. It is not presigning, where the point is known first and
// additive key derivation allows a cube-root attack (Groth and Shoup, ePrint 2021/1330). The derivation is fixed before
// the first message and its path is in every frame. What differs from plain GG18 is that the digest may depend on the
// transcript of rounds one to three; that paragraph wants an outside cryptographer's review before mainnet money.
//
// What is pinned by tests (warm_test.go): the number set last is the one that is signed; nothing of round four exists
// before; a library that copied the number instead would make a signature of the random placeholder, which is not
// released. A library that binds the message into its session at the start, as the upstream v4 line does, ends warm
// sessions. A prepared session is single use, stays in memory, takes one digest once, and every frame after it carries
// the hash of the record that both sides signed.
//
// The library's arithmetic takes a time that depends on secrets. Frames of a session that nobody waits for yet
// ([signer.Session].Hurry) leave on a raster of 250 ms (gate.go), which shows how long an answer took only where it crosses
// a line; frames of a cold session and of the rounds after the digest do not. The same file bounds how much of that
// arithmetic runs at once: sessions that somebody waits for first, and nothing ahead while a signature is on its way.
//
// # Point of no return
//
// Whoever receives the peer's last message first owns the signature. [Prepared.Sign] calls beforeLast, where the
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
