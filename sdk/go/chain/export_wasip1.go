package chain

import "github.com/purserhq/purser/sdk/go/internal/guest"

//go:wasmexport purser_chain_describe
func describeExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Describe) })
}

//go:wasmexport purser_chain_needs
func needsExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Needs) })
}

//go:wasmexport purser_chain_build
func buildExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Build) })
}

//go:wasmexport purser_chain_assemble
func assembleExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Assemble) })
}

//go:wasmexport purser_chain_verify
func verifyExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Verify) })
}

//go:wasmexport purser_chain_plan
func planExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Plan) })
}

//go:wasmexport purser_chain_facts
func factsExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Facts) })
}
