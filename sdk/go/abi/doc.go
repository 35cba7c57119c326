// Package abi holds the messages that a purser plugin exchanges with its host,
// for plugins written in Go. It refuses to import anything that would make a
// WebAssembly module large: no reflection, no fmt, no JSON.
//
// The code is generated from the same schema as the host's package abi and
// replays the same vectors, so that the two need not import each other. A guest
// skips fields it does not know; the host sees to it that no such field matters.
package abi

// Minor is the minor version of ABI 1 that this SDK was built for.
const Minor = 0
