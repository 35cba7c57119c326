package abi

// Limits of one plugin call. A manifest may ask for less, never for more; an
// operator may narrow them.
const (
	// PolicyFuelMax and ChainFuelMax bound one call in units of metered work.
	PolicyFuelMax = 25_000_000
	ChainFuelMax  = 100_000_000
	// StartFuelMax bounds start-up and configure together; a Go guest starts its
	// whole runtime here, for a few million.
	StartFuelMax = 100_000_000

	// PolicyMemoryPagesMax and ChainMemoryPagesMax bound linear memory in pages
	// of 64 KiB.
	PolicyMemoryPagesMax = 256
	ChainMemoryPagesMax  = 512

	// PolicyInputBytesMax, ChainInputBytesMax: larger requests are not handed over.
	PolicyInputBytesMax = 64 << 10
	ChainInputBytesMax  = 1 << 20
	// PolicyOutputBytesMax, ChainOutputBytesMax: larger results are refused unread.
	PolicyOutputBytesMax = 64 << 10
	ChainOutputBytesMax  = 256 << 10

	// PolicyLogCallsMax, ChainLogCallsMax bound calls of the host's log function.
	PolicyLogCallsMax = 64
	ChainLogCallsMax  = 256
	// LogBytesMax bounds the log of one call; the rest is cut with a mark.
	LogBytesMax = 16 << 10

	// QueriesMax bounds what one needs call may ask for.
	QueriesMax = 256
	// QuorumMax bounds the RPC endpoints that one query may require to agree.
	QuorumMax = 9

	// ReasonsMax and ReasonBytesMax bound what one verdict may say; more is cut
	// with a mark.
	ReasonsMax     = 16
	ReasonBytesMax = 512
	// ObligationsMax bounds the obligations of one verdict; more is refused,
	// because cutting one would drop a condition of the payment.
	ObligationsMax = 16
	// ConfigProblemsMax bounds the problems that one configure call reports.
	ConfigProblemsMax = 64
)

// Limits of a module at install.
const (
	// ModuleBytesMax bounds a module file.
	ModuleBytesMax = 16 << 20
	// ModuleFunctionsMax bounds the functions a module defines.
	ModuleFunctionsMax = 65_536
	// ModuleGlobalsMax bounds the globals a module defines.
	ModuleGlobalsMax = 4096
	// ModuleTablesMax and ModuleTableElementsMax bound tables.
	ModuleTablesMax        = 4
	ModuleTableElementsMax = 131_072
	// ModuleDataSegmentsMax bounds data segments.
	ModuleDataSegmentsMax = 65_536
	// ManifestBytesMax bounds the manifest in its custom section.
	ManifestBytesMax = 256 << 10
)

// Limits of configuration documents and other JSON read from outside.
const (
	// ConfigBytesMax bounds the canonical JSON of one plugin's configuration.
	ConfigBytesMax = 256 << 10
	// JSONDepthMax bounds how deep objects and arrays nest.
	JSONDepthMax = 32
	// JSONEntriesMax bounds the entries of a flattened document.
	JSONEntriesMax = WireRepeatedMax
	// FlattenedBytesMax bounds the pointers and texts of a flattened document
	// together.
	FlattenedBytesMax = 1 << 20
	// JSONIntegerMax is the largest magnitude of an integer that every JSON reader
	// keeps exact (RFC 7493 section 2.2).
	JSONIntegerMax = WireIntegerMax
)
