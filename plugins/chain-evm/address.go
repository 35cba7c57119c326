package main

// address is a 20-byte account or contract.
type address [20]byte

// parseAddress reads 0x and 40 hex digits of any case. The checksum in the case of the letters is not checked: x402
// parties send lower case too.
func parseAddress(text string) (a address, ok bool) {
	ok = len(text) == 42 && text[:2] == "0x" && decodeInto(a[:], text[2:])
	return a, ok
}

// parseWord reads 0x and 64 hex digits.
func parseWord(text string) (word [32]byte, ok bool) {
	ok = len(text) == 66 && text[:2] == "0x" && decodeInto(word[:], text[2:])
	return word, ok
}

// parseHex reads 0x and an even number of hex digits.
func parseHex(text string) ([]byte, bool) {
	if len(text) < 2 || text[:2] != "0x" {
		return nil, false
	}
	b := make([]byte, len(text[2:])/2)
	return b, decodeInto(b, text[2:])
}

func (a address) String() string { return hexText(a[:]) }

// checksum returns the EIP-55 spelling.
func (a address) checksum() string {
	text := appendHex(nil, a[:])
	hash := keccak256(text)
	for i, c := range text {
		if nibble := hash[i/2] >> (4 - 4*(i%2)) & 0x0f; c >= 'a' && nibble >= 8 {
			text[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(text)
}
