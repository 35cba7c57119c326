package meter

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Bounds on one function, and on all of them together. wazero's compiler cannot be interrupted, and needs minutes for one
// body of 300 KB that is all blocks.
const (
	functionBytesMax = 256 << 10
	localsMax        = 4096
	branchTargetsMax = 65_536

	// codeBytesMax bounds the rewritten code of all functions. Usual code grows by a fifth, but a byte that rounds a float
	// becomes eighteen.
	codeBytesMax = 2 * abi.ModuleBytesMax

	// bulkOperationsMax bounds the bulk operations of one function. They are charged by length and checked one by one, but
	// wazero writes each of them out as a loop of its own.
	bulkOperationsMax = 1024

	// compileWorkMax bounds the sum of compileWork over all functions. A policy or an adapter in Go takes up a third of it;
	// what is accepted compiles in some ten seconds at worst.
	compileWorkMax = 1 << 28
)

// shape is what a function's rewritten code says about the time it takes to compile.
type shape struct {
	// branches counts blocks, loops, ifs and branch targets, the meter's included; loops counts those alone, and nesting
	// adds up how many loops each of them is in.
	branches, loops, nesting uint64
	calls                    uint64
	// values counts what calls take and give, each of which the compiler keeps track of on its own.
	values uint64
	bulk   int
}

// compileWork estimates, from measurements, the time and memory wazero needs for one function of the given bytes and
// locals, in units of 20 to 80 nanoseconds. They grow with the square of the number of branches and of the length, and
// faster than that with loops in loops (5000 need 20 seconds) and with loops times locals, because each nested loop gets a
// node for each local: 1000 loops over 1000 locals, 16 KB of code, take 39 seconds and a gigabyte. After each call every
// mutable global is loaded again, used or not: 500 calls beside 4000 globals take 2 seconds and 300 MB. Finding the value
// of a local walks back over branches: 2000 of them beside 1000 locals, 21 KB, take 20 seconds. And each value that a
// call takes or gives is kept track of, though it has no code of its own.
//
// Bytes, branches, loops and calls are below 2^19, locals and globals below 2^13, so 64 bits hold the sum up to the
// bound and one more.
func (s shape) compileWork(bytes, locals, mutableGlobals uint64) uint64 {
	const nodeShare, bytesPerUnit, nestingWork, reloadWork, reloadShare = 64, 64, 32, 8, 1 << 14
	const walkShare, bytesShare, valueWork = 8, 16, 8
	nodes, units, reloads := s.loops*locals, bytes/bytesPerUnit, s.calls*mutableGlobals
	walks := s.branches*s.branches*locals/walkShare + s.branches*bytes/bytesShare
	return walks + s.values*valueWork + s.branches*s.branches + s.nesting*nestingWork + nodes*nodes/nodeShare + units*units + reloads*reloadWork + reloads*reloads/reloadShare
}

// admit adds a rewritten function to the sum. all is the code so far.
func (r *rewriter) admit(f *function, body, all int) error {
	if all > codeBytesMax {
		return refuse("section code", "leave out what is not needed", "the code has more than %d bytes once it is metered", codeBytesMax)
	}
	if f.shape.bulk > bulkOperationsMax {
		return f.refuse("split the function", "function body %d has %d bulk memory operations, at most %d", f.index, f.shape.bulk, bulkOperationsMax)
	}
	s := f.shape
	s.branches += uint64(s.bulk) * bulkBranches                                                           // #nosec G115 -- at most bulkOperationsMax
	r.work += s.compileWork(uint64(body), uint64(f.localCount), uint64(r.mutableGlobals+injectedGlobals)) // #nosec G115 -- lengths
	if r.work > compileWorkMax {
		return f.refuse("split the largest functions", "compiling function body %d with its %d branches, %d loops, %d locals and %d calls would take too long",
			f.index, s.branches, s.loops, f.localCount, s.calls)
	}
	return nil
}

// bulkBranches is how many blocks wazero writes out for one bulk operation.
const bulkBranches = 3

func (f *function) refuse(fix, format string, args ...any) error {
	return refuse(fmt.Sprintf("function %d", f.index), fix, format, args...)
}
