package signer

import (
	"encoding/binary"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Head is what one side says of its ledger when it arms.
type Head struct {
	// Position is its last log position as it speaks.
	Position uint64
	// Witnessed is the highest position that the other side named in a promise this ledger holds. A ledger that was set
	// back has forgotten promises, and says so here even after its own position has grown past where it was.
	Witnessed uint64
}

// headBytes are two big-endian numbers.
const headBytes = 16

// Bytes is the head as an Armed record carries it.
func (h Head) Bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, h.Position), h.Witnessed)
}

// ReadHead reads what Bytes wrote, or fails with code head_invalid.
func ReadHead(data []byte) (Head, error) {
	if len(data) != headBytes {
		return Head{}, &abi.Error{
			Code: "head_invalid", Message: fmt.Sprintf("a ledger's head has %d bytes, want %d", len(data), headBytes),
			Fix: "run the same version on both sides", Retry: abi.RetryNever,
		}
	}
	return Head{Position: binary.BigEndian.Uint64(data), Witnessed: binary.BigEndian.Uint64(data[8:])}, nil
}
