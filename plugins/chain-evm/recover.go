package main

const (
	signatureBytes = 65
	signatureV27   = 27

	curveB = 7
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
	y, ok := curveY(r, v == signatureV27+1)
	if !ok {
		return address, false
	}
	R := pointOf(r, y)
	e := order.reduce(numberFromBytes(digest[:]))
	// Q = (s·R - e·G) / r
	inverse := order.inverse(r)
	key := sumOfProducts(order.mul(inverse, order.sub(number{}, e)), order.mul(inverse, s), &R)
	if key.z.isZero() {
		return address, false
	}
	x, y := key.affine()
	xBytes, yBytes := x.bytes(), y.bytes()
	hash := keccak256(xBytes[:], yBytes[:])
	return [20]byte(hash[12:]), true
}

// curveY returns the y-coordinate of the curve's points at x < p that is odd or even, if there is any: y² = x³ + 7.
func curveY(x number, odd bool) (y number, ok bool) {
	var cube, root, square element
	base := elementOf(x)
	cube.square(&base)
	cube.product(&cube, &base)
	cube[0] += curveB
	root.root(&cube)
	square.square(&root)
	if square.number() != cube.number() {
		return y, false
	}
	if root.number().isOdd() != odd {
		root.difference(0, &root, 1, &root)
	}
	return root.number(), true
}
