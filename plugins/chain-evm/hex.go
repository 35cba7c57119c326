package main

// The standard library's hex and binary packages bring fmt and reflect into the module, which adds a third to its size.

const hexDigits = "0123456789abcdef"

func appendHex(text, data []byte) []byte {
	for _, c := range data {
		text = append(text, hexDigits[c>>4], hexDigits[c&0x0f])
	}
	return text
}

func hexText(data []byte) string { return string(appendHex([]byte("0x"), data)) }

// decodeInto reads exactly as many hex digits of any case as fill the slice.
func decodeInto(into []byte, digits string) bool {
	if len(digits) != 2*len(into) {
		return false
	}
	for i := range into {
		high, low := hexValue(digits[2*i]), hexValue(digits[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		into[i] = high<<4 | low
	}
	return true
}

// hexValue returns the value of a hex digit, or 255.
func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

func bigEndian(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func putBigEndian(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i], n = byte(n), n>>8
	}
}
