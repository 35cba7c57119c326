// Package sandbox loads, checks, configures and calls WebAssembly guests (policies and chain adapters), and refuses
// to give them anything but bytes: no clock, no randomness, no files, no network, no memory of an earlier call.
//
// It is the only importer of wazero. It moves bytes and does not know the message schema: what a request means, and
// whether a result is canonical, is package abi's business. Everything a guest says is a claim; it is bounded, copied
// and checked here before anybody parses it.
//
// A module is installed once (Host.Install), configured once for each use (Plugin.Configure) and then called any number
// of times, from any number of goroutines (Configured.Call). Every call begins in the same state: after a call the
// memory and the globals of the instance are put back to what they were once it was configured, and an instance that
// failed, grew, or changed what cannot be put back is thrown away. So nothing leaks from one call into the next, and a
// call that is made again gives the same bytes for the same fuel.
//
// # What stops a guest that does not stop
//
// Fuel. Package meter rewrites the module to count its work and to end when there is none left, to bound the depth of
// its calls, and to let Go's scheduler in now and then: native code is not preemptible, and without that a garbage
// collection would wait for the guest. No wall clock ends a guest, because a decision that depends on how busy the
// machine was cannot be replayed; the caller's deadline acts between calls only.
package sandbox
