package abi

// Version of the ABI this host speaks. The major version is part of every
// exported name, so that a static look refuses a wrong module.
const (
	// Major changes when an existing guest would break.
	Major = 1
	// Minor grows with each release that adds fields. A guest built for a newer
	// minor is refused, because it may rely on what this host does not say.
	Minor = 0
)

// Names of the functions a guest exports and of what it may import; v1.md has
// their signatures.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize" // optional: reactor start
	ExportVersion    = "purser_abi_1"
	ExportAlloc      = "purser_alloc"
	ExportConfigure  = "purser_configure"
	ExportDecide     = "purser_policy_decide"

	ExportDescribe = "purser_chain_describe"
	ExportNeeds    = "purser_chain_needs"
	ExportBuild    = "purser_chain_build"
	ExportAssemble = "purser_chain_assemble"
	ExportVerify   = "purser_chain_verify"
	ExportPlan     = "purser_chain_plan"
	ExportFacts    = "purser_chain_facts"

	// ImportModule is the only module beside wasi_snapshot_preview1 that a guest
	// may import from, and ImportLog the only function in it.
	ImportModule = "purser_host_1"
	ImportLog    = "log"

	// ManifestSection is the custom section that holds a module's manifest.
	ManifestSection = "purser.manifest"
)

// WASIModule is the module name of the WASI functions in WASIImports.
const WASIModule = "wasi_snapshot_preview1"

// WASIImports lists the WASI functions that the standard Go toolchain links into
// every guest. The host has deterministic versions of these ten and no others.
// The caller owns the copy.
func WASIImports() []string {
	return []string{
		"args_get", "args_sizes_get", "clock_time_get", "environ_get", "environ_sizes_get",
		"fd_write", "poll_oneoff", "proc_exit", "random_get", "sched_yield",
	}
}
