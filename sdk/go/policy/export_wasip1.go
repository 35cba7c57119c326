package policy

import "github.com/purserhq/purser/sdk/go/internal/guest"

//go:wasmexport purser_policy_decide
func decideExport(at, size uint32) uint64 {
	return guest.Call(at, size, func(in []byte) ([]byte, bool) { return guest.Serve(in, Decide) })
}
