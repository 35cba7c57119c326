package sandbox

import "slices"

// Kind says which of the two contracts a module implements. A module is never both: a policy that could also
// describe a payment would be judging its own work.
type Kind string

const (
	// Policy decides whether a payment may happen.
	Policy Kind = "policy"
	// Chain builds what is to be signed and reads what came of it.
	Chain Kind = "chain"
)

// ABI version this host speaks. The major is part of every export name, so a static look at a module is enough to
// refuse the wrong one.
const (
	abiMajor = 1
	abiMinor = 0
)

// Names of the exports shared by both kinds (ABI v1).
const (
	exportMemory     = "memory"
	exportInitialize = "_initialize"
	exportStart      = "_start"
	exportABI        = "purser_abi_1"
	exportAlloc      = "purser_alloc"
	exportConfigure  = "purser_configure"

	// exportPrefix is reserved: any export that starts with it and is not in the kind's table is refused.
	exportPrefix = "purser_"
)

// callExports are the exports of each kind that Configured.Call may name.
var callExports = map[Kind][]string{
	Policy: {"purser_policy_decide"},
	Chain: {
		"purser_chain_describe", "purser_chain_needs", "purser_chain_build", "purser_chain_assemble",
		"purser_chain_verify", "purser_chain_plan", "purser_chain_facts",
	},
}

func (k Kind) valid() bool { return k == Policy || k == Chain }

// callable reports whether the contract of k has a call of that name.
func (k Kind) callable(export string) bool { return slices.Contains(callExports[k], export) }
