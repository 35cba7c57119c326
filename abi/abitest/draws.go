package abitest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

// draws is a reproducible stream of numbers (SplitMix64): a report that names its seed can be had again on any machine.
type draws struct{ state uint64 }

// newDraws gives each purpose a stream of its own, so that one more draw in one does not change the others.
func newDraws(seed uint64, purpose string) *draws {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), purpose...))
	return &draws{binary.BigEndian.Uint64(sum[:8])}
}

// Below returns a number below n, n above zero. The bias of the remainder does not matter here.
func (d *draws) Below(n uint64) uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) % n
}

// shownBytesMax bounds what a report quotes.
const shownBytesMax = 400

func clip[T ~string | ~[]byte](text T) string {
	if len(text) > shownBytesMax {
		return string(text[:shownBytesMax]) + "…"
	}
	return string(text)
}

func hex(b []byte) string { return clip(fmt.Sprintf("%x", b)) }

// describe is an error with its code, on one line.
func describe(err error) string {
	text, code := err.Error(), abi.CodeOf(err)
	if !strings.HasPrefix(text, code+": ") {
		text = code + ": " + text
	}
	return clip(strings.ReplaceAll(text, "\n", " "))
}
