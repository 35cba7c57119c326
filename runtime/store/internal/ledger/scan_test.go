package ledger

import (
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestADamagedColumnIsAnErrorAndNotAValue(t *testing.T) {
	for _, damaged := range []any{nil, int64(5), 5.0, []byte("5"), "", "05", "-5", "5e3", " 5"} {
		var into abi.Amount
		if err := Amount(&into).Scan(damaged); err == nil || !into.IsZero() {
			t.Errorf("amount %#v was read as %s", damaged, into)
		}
	}
	for _, damaged := range []any{nil, "abcd", int64(5), []byte{}, []byte{1, 2, 3}, []byte{1, 2, 3, 4, 5}} {
		into := [4]byte{}
		if err := Fixed(into[:]).Scan(damaged); err == nil || into != [4]byte{} {
			t.Errorf("bytes %#v were read as %x", damaged, into)
		}
	}
}

func TestAScannedValueIsTheStoredOne(t *testing.T) {
	var amount abi.Amount
	stored := []byte{1, 2, 3, 4}
	into := [4]byte{}
	if err := Amount(&amount).Scan("115792089237316195423570985008687907853269984665640564039457584007913129639935"); err != nil || amount.IsZero() {
		t.Errorf("%s, %v", amount, err)
	}
	if err := Fixed(into[:]).Scan(stored); err != nil || into != [4]byte{1, 2, 3, 4} {
		t.Errorf("%x, %v", into, err)
	}
	stored[0] = 9 // a driver reuses its buffer
	if into[0] != 1 {
		t.Error("the bytes are the driver's and not a copy")
	}
}
