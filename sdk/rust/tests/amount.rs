use purser_sdk::Amount;

const LARGEST: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect(text)
}

#[test]
fn plain_decimal_integers_are_read_and_written_alike() {
    let edges = [
        "0",
        "1",
        "9",
        "10",
        "999999999",
        "1000000000",
        "4294967295",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "1000000000000000000000000000000000000000000000",
        LARGEST,
    ];
    for text in edges {
        assert_eq!(amount(text).decimal(), text);
        assert_eq!(amount(text).to_string(), text);
        assert_eq!(Amount::from_big_endian(&amount(text).big_endian()), Some(amount(text)));
        assert_eq!(Amount::from_word(&amount(text).word()), amount(text));
    }
    assert_eq!(amount("0"), Amount::default());
    assert_eq!(amount("18446744073709551615"), Amount::from(u64::MAX));
}

#[test]
fn every_other_spelling_is_refused() {
    let above = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    let long = "1".repeat(79);
    for text in ["", "00", "01", "+1", "-1", "1.0", "1e3", " 1", "1 ", "0x1", "1_000", "٣", above, &long] {
        assert_eq!(Amount::parse(text), None, "{}", text);
    }
    assert_eq!(Amount::from_big_endian(&[0]), None);
    assert_eq!(Amount::from_big_endian(&[0, 1]), None);
    assert_eq!(Amount::from_big_endian(&[1; 33]), None);
    assert_eq!(Amount::from_big_endian(&[]), Some(Amount::default()));
}

#[test]
fn arithmetic_never_wraps() {
    let (one, largest) = (Amount::from(1), amount(LARGEST));
    assert_eq!(largest.checked_add(one), None);
    assert_eq!(Amount::default().checked_sub(one), None);
    assert_eq!(largest.checked_mul(2), None);
    assert_eq!(largest.checked_mul(1 << 32), None);
    assert_eq!(largest.checked_mul(u64::MAX), None);
    assert_eq!(largest.checked_mul(1), Some(largest));
    assert_eq!(largest.checked_mul(0), Some(Amount::default()));
    assert_eq!(largest.checked_sub(largest), Some(Amount::default()));
    assert_eq!(largest.checked_sub(one).and_then(|a| a.checked_add(one)), Some(largest));
    let word = amount("18446744073709551615");
    assert_eq!(word.checked_mul(u64::MAX), Some(amount("340282366920938463426481119284349108225")));
    assert_eq!(word.checked_add(one), Some(amount("18446744073709551616")));
    assert_eq!(amount("18446744073709551616").checked_sub(one), Some(word));
    assert_eq!(amount("18446744073709551616").to_u64(), None);
    assert_eq!(word.to_u64(), Some(u64::MAX));
}

/// Against arithmetic that the compiler brings, on numbers whose halves are the edges where carries go wrong.
#[test]
fn small_numbers_agree_with_the_machines() {
    let halves = [0u64, 1, 2, 9, 0xffff_ffff, 0x1_0000_0000, u64::MAX - 1, u64::MAX];
    let wide = |n: u128| Amount::from_big_endian(&n.to_be_bytes()[n.leading_zeros() as usize / 8..]).unwrap();
    for high in halves {
        for low in halves {
            let a = u128::from(high) << 64 | u128::from(low);
            assert_eq!(wide(a).decimal(), a.to_string());
            for b in halves {
                assert_eq!(wide(a).cmp(&Amount::from(b)), a.cmp(&u128::from(b)));
                assert_eq!(wide(a).checked_sub(Amount::from(b)), a.checked_sub(u128::from(b)).map(wide));
                assert_eq!(Amount::from(low).checked_mul(b), Some(wide(u128::from(low) * u128::from(b))));
                if let Some(sum) = a.checked_add(u128::from(b)) {
                    assert_eq!(wide(a).checked_add(Amount::from(b)), Some(wide(sum)));
                }
            }
        }
    }
}
