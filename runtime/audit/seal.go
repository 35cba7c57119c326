// Package audit is the evidence: it seals log entries into one hash chain per agent, signs the ends of chains,
// exports a tenant's log and verifies it offline. It refuses to repair: the verifier names the first record that
// is wrong and says nothing good about what comes after it.
//
// The verifier shares no code with the writer except the entry's byte format (abi.Entry); it walks chains, hashes
// and sums on its own, so that a fault in the writer cannot hide itself.
package audit

import (
	"crypto/sha256"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// EntryDomain separates hashes of entries from every other hash of purser.
const EntryDomain = "purser.entry.v1"

// EntryBytesMax bounds one sealed entry. A decision of sixteen plugins with its request is far below it.
const EntryBytesMax = 1 << 20

// Seal puts a draft at the end of its agent's chain and returns the entry's canonical bytes and their SHA-256.
// sequence and hash are of the entry before; zero starts a chain. The draft names tenant, agent, time, kind,
// payment, body and moves; domain, sequence and previous are set here whatever the draft says. It fails with code
// entry_invalid when the draft has no canonical bytes or too many of them.
func Seal(draft abi.Entry, sequence uint64, hash [32]byte) (sealed []byte, sum [32]byte, err error) {
	draft.Domain, draft.Sequence, draft.Previous = EntryDomain, sequence+1, nil
	if sequence > 0 {
		draft.Previous = hash[:]
	}
	if sealed, err = draft.Marshal(); err != nil {
		return nil, sum, &abi.Error{Code: "entry_invalid", Message: "the log entry has no canonical bytes", Cause: err}
	}
	if len(sealed) > EntryBytesMax {
		return nil, sum, &abi.Error{
			Code:    "entry_invalid",
			Message: fmt.Sprintf("the log entry has %d bytes, want at most %d", len(sealed), EntryBytesMax),
		}
	}
	return sealed, sha256.Sum256(sealed), nil
}
