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

// rho and pi walk the same path through the lanes: keccakPath holds the lane each step writes, keccakTurns how far
// it is rotated.
var (
	keccakPath  = [keccakLanes - 1]int{10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1}
	keccakTurns = [keccakLanes - 1]int{1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44}
)

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
	for _, roundConstant := range keccakRoundConstants {
		var column [5]uint64
		for x := range column {
			column[x] = a[x] ^ a[x+5] ^ a[x+10] ^ a[x+15] ^ a[x+20]
		}
		for x := range column {
			mix := column[(x+4)%5] ^ bits.RotateLeft64(column[(x+1)%5], 1)
			for y := 0; y < keccakLanes; y += 5 {
				a[x+y] ^= mix
			}
		}
		carried := a[1]
		for i, lane := range keccakPath {
			a[lane], carried = bits.RotateLeft64(carried, keccakTurns[i]), a[lane]
		}
		for y := 0; y < keccakLanes; y += 5 {
			row := [5]uint64(a[y : y+5])
			for x := range row {
				a[x+y] = row[x] ^ ^row[(x+1)%5]&row[(x+2)%5]
			}
		}
		a[0] ^= roundConstant
	}
}
