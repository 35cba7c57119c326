package main

import "math/bits"

const (
	keccakRateBytes = 136 // 1600 - 2*256 bits
	keccakRounds    = 24
	keccakLanes     = 25
)

// keccakRoundConstants are iota's (FIPS 202, section 3.2.5).
var keccakRoundConstants = [keccakRounds]uint64{
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
	0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
	0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
}

// keccak256 is the legacy Keccak-256 of Ethereum: padding 0x01, where SHA3-256 has 0x06.
func keccak256(parts ...[]byte) [32]byte {
	var message []byte
	for _, part := range parts {
		message = append(message, part...)
	}
	padded := append(message, make([]byte, keccakRateBytes-len(message)%keccakRateBytes)...)
	padded[len(message)] ^= 0x01
	padded[len(padded)-1] ^= 0x80
	var state [keccakLanes]uint64
	for ; len(padded) > 0; padded = padded[keccakRateBytes:] {
		for lane := range keccakRateBytes / 8 {
			for i, c := range padded[8*lane : 8*lane+8] {
				state[lane] ^= uint64(c) << (8 * i)
			}
		}
		keccakPermute(&state)
	}
	var sum [32]byte
	for i := range sum {
		sum[i] = byte(state[i/8] >> (8 * (i % 8))) // #nosec G115 -- one byte of the word
	}
	return sum
}

func keccakPermute(a *[keccakLanes]uint64) {
	var b [keccakLanes]uint64
	for round := 0; round < keccakRounds; round += 2 {
		keccakRound(&b, a, keccakRoundConstants[round])
		keccakRound(a, &b, keccakRoundConstants[round+1])
	}
}

// keccakRound spells out the lanes, which costs a guest less than half of what loops cost. Row by row: theta's mix of two
// columns, rho's rotation and pi's permutation of the lanes, chi's combination of the row, and iota's constant.
func keccakRound(to, from *[keccakLanes]uint64, constant uint64) {
	c0 := from[0] ^ from[5] ^ from[10] ^ from[15] ^ from[20]
	c1 := from[1] ^ from[6] ^ from[11] ^ from[16] ^ from[21]
	c2 := from[2] ^ from[7] ^ from[12] ^ from[17] ^ from[22]
	c3 := from[3] ^ from[8] ^ from[13] ^ from[18] ^ from[23]
	c4 := from[4] ^ from[9] ^ from[14] ^ from[19] ^ from[24]
	d0 := c4 ^ bits.RotateLeft64(c1, 1)
	d1 := c0 ^ bits.RotateLeft64(c2, 1)
	d2 := c1 ^ bits.RotateLeft64(c3, 1)
	d3 := c2 ^ bits.RotateLeft64(c4, 1)
	d4 := c3 ^ bits.RotateLeft64(c0, 1)
	b0 := from[0] ^ d0
	b1 := bits.RotateLeft64(from[6]^d1, 44)
	b2 := bits.RotateLeft64(from[12]^d2, 43)
	b3 := bits.RotateLeft64(from[18]^d3, 21)
	b4 := bits.RotateLeft64(from[24]^d4, 14)
	to[0], to[1], to[2], to[3], to[4] = b0^^b1&b2^constant, b1^^b2&b3, b2^^b3&b4, b3^^b4&b0, b4^^b0&b1
	b0 = bits.RotateLeft64(from[3]^d3, 28)
	b1 = bits.RotateLeft64(from[9]^d4, 20)
	b2 = bits.RotateLeft64(from[10]^d0, 3)
	b3 = bits.RotateLeft64(from[16]^d1, 45)
	b4 = bits.RotateLeft64(from[22]^d2, 61)
	to[5], to[6], to[7], to[8], to[9] = b0^^b1&b2, b1^^b2&b3, b2^^b3&b4, b3^^b4&b0, b4^^b0&b1
	b0 = bits.RotateLeft64(from[1]^d1, 1)
	b1 = bits.RotateLeft64(from[7]^d2, 6)
	b2 = bits.RotateLeft64(from[13]^d3, 25)
	b3 = bits.RotateLeft64(from[19]^d4, 8)
	b4 = bits.RotateLeft64(from[20]^d0, 18)
	to[10], to[11], to[12], to[13], to[14] = b0^^b1&b2, b1^^b2&b3, b2^^b3&b4, b3^^b4&b0, b4^^b0&b1
	b0 = bits.RotateLeft64(from[4]^d4, 27)
	b1 = bits.RotateLeft64(from[5]^d0, 36)
	b2 = bits.RotateLeft64(from[11]^d1, 10)
	b3 = bits.RotateLeft64(from[17]^d2, 15)
	b4 = bits.RotateLeft64(from[23]^d3, 56)
	to[15], to[16], to[17], to[18], to[19] = b0^^b1&b2, b1^^b2&b3, b2^^b3&b4, b3^^b4&b0, b4^^b0&b1
	b0 = bits.RotateLeft64(from[2]^d2, 62)
	b1 = bits.RotateLeft64(from[8]^d3, 55)
	b2 = bits.RotateLeft64(from[14]^d4, 39)
	b3 = bits.RotateLeft64(from[15]^d0, 41)
	b4 = bits.RotateLeft64(from[21]^d1, 2)
	to[20], to[21], to[22], to[23], to[24] = b0^^b1&b2, b1^^b2&b3, b2^^b3&b4, b3^^b4&b0, b4^^b0&b1
}
