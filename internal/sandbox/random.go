package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// randomStream is what a guest gets instead of randomness: SHA-256 of key and counter, block after block. Go guests
// seed their maps from it, so the same module iterates the same way in every replay, on every host. It is a value:
// copying it saves its position. It is no secret and must never feed a key or a nonce; entropy for those comes in the
// request.
type randomStream struct {
	key     Digest
	counter uint64
	block   Digest
	// rest is how many bytes of block are still to be handed out.
	rest int
}

const randomDomain = "purser/sandbox/random/2"

// newRandomStream keys a stream by module. moduleHash stands for the module's bytes. The configuration is no part of
// the key, so that the state a guest starts in is the same for all of them.
func newRandomStream(moduleHash Digest) randomStream {
	return randomStream{key: lengthPrefixed([]byte(randomDomain), moduleHash[:])}
}

func (s *randomStream) fill(p []byte) {
	for len(p) > 0 {
		if s.rest == 0 {
			var seed [sha256.Size + 8]byte
			copy(seed[:], s.key[:])
			binary.BigEndian.PutUint64(seed[sha256.Size:], s.counter)
			s.counter++
			s.block, s.rest = sha256.Sum256(seed[:]), sha256.Size
		}
		n := copy(p, s.block[sha256.Size-s.rest:])
		p, s.rest = p[n:], s.rest-n
	}
}
