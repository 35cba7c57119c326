package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// randomStream is what a guest gets instead of randomness: SHA-256 of key and counter, block after block. Go guests
// seed their maps from it, so the same module and configuration iterate the same way in every replay, on every host.
// It is no secret and must never feed a key or a nonce; entropy for those comes in the request.
type randomStream struct {
	key     Digest
	counter uint64
	rest    []byte
}

const randomDomain = "purser/sandbox/random/1"

// newRandomStream keys a stream by module and configuration. moduleHash stands for the module's bytes.
func newRandomStream(moduleHash Digest, config []byte) *randomStream {
	return &randomStream{key: lengthPrefixed([]byte(randomDomain), moduleHash[:], config)}
}

func (s *randomStream) fill(p []byte) {
	for len(p) > 0 {
		if len(s.rest) == 0 {
			var block [sha256.Size + 8]byte
			copy(block[:], s.key[:])
			binary.BigEndian.PutUint64(block[sha256.Size:], s.counter)
			s.counter++
			sum := sha256.Sum256(block[:])
			s.rest = sum[:]
		}
		n := copy(p, s.rest)
		p, s.rest = p[n:], s.rest[n:]
	}
}
