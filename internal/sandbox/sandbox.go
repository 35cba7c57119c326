// Package sandbox loads, checks, configures and calls WebAssembly guests (policies and chain adapters), and refuses
// to give them anything but bytes: no clock, no randomness, no files, no network, no memory of an earlier call.
//
// It is the only importer of wazero. It moves bytes and does not know the message schema: what a request means, and
// whether a result is canonical, is package abi's business. Everything a guest says is a claim; it is bounded, copied
// and checked here before anybody parses it.
//
// A module is installed once (Host.Install), configured once (Plugin.Configure) and then called any number of times,
// from any number of goroutines (Configured.Call). Every call runs in a fresh instance that has been initialised and
// configured again, so nothing can leak from one call into the next.
//
// # What stops a guest that does not stop
//
// A call ends after Limits.CallTime of wall clock. wazero looks at the clock at every loop head, and callGuard looks
// at every function entry, because wazero alone never interrupts a recursion without loops. Wall clock cannot tell a
// guest that runs for ever from an honest one on a slow machine: both end as time_limit, and that denies. Metering by
// rewriting, which counts work instead of time, replaces it behind the same interface; Result.Fuel is its seam.
// Both checks also let Go's garbage collector in: native guest code is not preemptible, so between two checks a guest
// delays the whole process. The longest such stretch is bounded by functionBodyBytesMax and bulkOperationsMax.
package sandbox
