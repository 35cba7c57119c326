// Package abi is the vocabulary that every part of purser and every plugin
// shares: amounts, assets, outcomes, reasons, errors, and the messages that
// cross the sandbox boundary or are hashed or signed. It refuses to do anything
// with them: it never touches a network, a disk, a clock or a key, and imports
// nothing but the standard library.
//
// The messages come from purser.proto; v1.md is the normative text. Host and
// guest never share Go code: package abi of sdk/go is generated from the same
// schema, and testdata/v1 proves that the two agree.
package abi

//go:generate go run ../internal/gen/abigen -root ..
//go:generate go run ../internal/gen/vectors -root ..
