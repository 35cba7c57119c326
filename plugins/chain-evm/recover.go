package main

const (
	signatureBytes = 65
	signatureV27   = 27
)

// recoverSigner returns the address whose key made a signature r ‖ s ‖ v over the digest (SEC 1, section 4.1.6).
// It takes exactly what token contracts take: 65 bytes, v of 27 or 28, r and s in range, and s in the lower half
// (EIP-2), because the twin with the high s passes many verifiers and then reverts on chain.
func recoverSigner(digest [32]byte, signature []byte) (address [20]byte, ok bool) {
	if len(signature) != signatureBytes {
		return address, false
	}
	r, s, v := numberFromBytes(signature[:32]), numberFromBytes(signature[32:64]), signature[64]
	if v != signatureV27 && v != signatureV27+1 || r.isZero() || s.isZero() || !less(r, order.value) || less(order.value.half(), s) {
		return address, false
	}
	// v has no value for an x-coordinate of r + n, so r itself is the x-coordinate.
	square := field.add(field.mul(field.mul(r, r), r), number{7})
	y := root(square)
	if field.mul(y, y) != square {
		return address, false
	}
	if odd := v == signatureV27+1; y.bit(0) != odd {
		y = field.sub(number{}, y)
	}
	e := numberFromBytes(digest[:])
	if !less(e, order.value) {
		e, _ = subtract(e, order.value)
	}
	// Q = (s·R - e·G) / r
	inverse := order.inverse(r)
	key := twoProducts(order.mul(inverse, order.sub(number{}, e)), generator, order.mul(inverse, s), point{r, y, number{1}})
	if key.z.isZero() {
		return address, false
	}
	x, y := key.affine()
	xBytes, yBytes := x.bytes(), y.bytes()
	hash := keccak256(xBytes[:], yBytes[:])
	return [20]byte(hash[12:]), true
}
