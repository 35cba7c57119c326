//! secp256k1 (SEC 2, section 2.4.1).

use crate::hex::constant;
use crate::modular::{Modulus, Number};

/// p = 2^256 - 2^32 - 977.
pub static FIELD: Modulus =
    Modulus::new(Number::from_word(&constant(b"fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")));

/// n, the number of points.
pub static ORDER: Modulus =
    Modulus::new(Number::from_word(&constant(b"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")));

/// G.
pub const GENERATOR: Point = Point {
    x: Number::from_word(&constant(b"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")),
    y: Number::from_word(&constant(b"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")),
    z: Number::ONE,
};

/// A point in Jacobian coordinates (X/Z², Y/Z³); Z = 0 is the point at infinity.
#[derive(Clone, Copy)]
pub struct Point {
    pub x: Number,
    pub y: Number,
    pub z: Number,
}

const INFINITY: Point = Point { x: Number::ZERO, y: Number::ZERO, z: Number::ZERO };

impl Point {
    /// dbl-2009-l of the Explicit-Formulas Database (curve parameter a = 0).
    pub fn double(self) -> Point {
        let f = &FIELD;
        let a = f.square(self.x);
        let b = f.square(self.y);
        let c = f.square(b);
        let d = f.sub(f.sub(f.square(f.add(self.x, b)), a), c);
        let d = f.add(d, d);
        let e = f.add(f.add(a, a), a);
        let x = f.sub(f.square(e), f.add(d, d));
        let c2 = f.add(c, c);
        let c4 = f.add(c2, c2);
        let y = f.sub(f.mul(e, f.sub(d, x)), f.add(c4, c4));
        let yz = f.mul(self.y, self.z);
        Point { x, y, z: f.add(yz, yz) }
    }

    /// The textbook addition; equal points double, opposite ones are infinity.
    pub fn plus(self, other: Point) -> Point {
        if self.z.is_zero() {
            return other;
        }
        if other.z.is_zero() {
            return self;
        }
        let f = &FIELD;
        let (pz2, qz2) = (f.square(self.z), f.square(other.z));
        let (u1, u2) = (f.mul(self.x, qz2), f.mul(other.x, pz2));
        let (s1, s2) = (f.mul(self.y, f.mul(qz2, other.z)), f.mul(other.y, f.mul(pz2, self.z)));
        if u1 == u2 {
            return if s1 == s2 { self.double() } else { INFINITY };
        }
        let (h, r) = (f.sub(u2, u1), f.sub(s2, s1));
        let h2 = f.square(h);
        let (h3, v) = (f.mul(h2, h), f.mul(u1, h2));
        let x = f.sub(f.sub(f.square(r), h3), f.add(v, v));
        let y = f.sub(f.mul(r, f.sub(v, x)), f.mul(s1, h3));
        Point { x, y, z: f.mul(h, f.mul(self.z, other.z)) }
    }

    /// The coordinates of a point that is not infinity.
    pub fn affine(self) -> (Number, Number) {
        let inverse = FIELD.inverse(self.z);
        let square = FIELD.square(inverse);
        (FIELD.mul(self.x, square), FIELD.mul(self.y, FIELD.mul(square, inverse)))
    }
}

/// a·P + b·Q with one chain of doublings (Shamir's trick).
pub fn two_products(a: Number, p: Point, b: Number, q: Point) -> Point {
    let both = p.plus(q);
    let mut sum = INFINITY;
    for i in (0..256).rev() {
        sum = sum.double();
        match (a.bit(i), b.bit(i)) {
            (true, true) => sum = sum.plus(both),
            (true, false) => sum = sum.plus(p),
            (false, true) => sum = sum.plus(q),
            (false, false) => {}
        }
    }
    sum
}

/// A square root in the field, which exists only when its square is a again: p is 3 modulo 4.
pub fn root(a: Number) -> Number {
    let exponent = FIELD.value.plus(Number::ONE).0;
    FIELD.power(a, exponent.half().half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_has_its_order() {
        let largest = ORDER.value.minus(Number::ONE).0;
        assert!(two_products(ORDER.value, GENERATOR, Number::ZERO, GENERATOR).z.is_zero());
        let (x, y) = two_products(largest, GENERATOR, Number::ZERO, GENERATOR).affine();
        assert_eq!((x, y), (GENERATOR.x, FIELD.sub(Number::ZERO, GENERATOR.y)));
        let twice = two_products(Number::ONE, GENERATOR, Number::ONE, GENERATOR).affine();
        assert_eq!(twice, GENERATOR.double().affine());
    }

    /// Numbers of limbs that are all zeros or all ones are where carries go wrong; what must hold for all numbers is
    /// checked on every pair of them.
    #[test]
    fn arithmetic_keeps_its_laws_at_the_edges() {
        for modulus in [&FIELD, &ORDER] {
            let mut numbers = vec![Number::ZERO, Number::ONE, modulus.value.minus(Number::ONE).0];
            for pattern in 0u32..256 {
                let mut number = Number::ZERO;
                (0..8).filter(|i| pattern >> i & 1 == 1).for_each(|i| number.0[i / 2] |= 0xffff_ffff << (32 * (i % 2)));
                if number.is_below(modulus.value) {
                    numbers.push(number);
                }
            }
            for (i, &a) in numbers.iter().enumerate() {
                for &b in &numbers[i..] {
                    let (sum, product) = (modulus.add(a, b), modulus.mul(a, b));
                    assert!(sum.is_below(modulus.value) && product.is_below(modulus.value));
                    assert_eq!(modulus.sub(sum, b), a);
                    assert_eq!(modulus.mul(b, a), product);
                    // (a + b)² = a² + 2ab + b²
                    let squares = modulus.add(modulus.square(a), modulus.square(b));
                    assert_eq!(modulus.square(sum), modulus.add(squares, modulus.add(product, product)));
                }
                if i % 16 == 2 {
                    assert_eq!(modulus.mul(a, modulus.inverse(a)), Number::ONE);
                }
            }
        }
    }
}
