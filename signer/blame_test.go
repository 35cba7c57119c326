package signer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

func TestOnlyABrokenProtocolIsBlamedOnTheOtherSide(t *testing.T) {
	coded := func(code string, cause error) error { return &abi.Error{Code: code, Message: "m", Cause: cause} }
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("away"), false},
		{context.DeadlineExceeded, false},
		{ErrTransportClosed, false},
		{coded("mpc_interrupted", nil), false},
		{coded("armed_expired", nil), false},
		{coded("busy", nil), false},
		{coded(CodeMessageRefused, nil), true},
		{coded(CodeProtocolFailed, nil), true},
		{coded(CodeFrameInvalid, nil), true},
		{coded("mpc_outcome_unknown", coded(CodeProtocolFailed, nil)), true},
		{coded("mpc_outcome_unknown", coded("mpc_interrupted", nil)), false},
		{fmt.Errorf("payment p: %w", coded(codeArmedInvalid, nil)), true},
		{coded(codeSignatureInvalid, nil), true},
	} {
		if got := Blamed(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}

func TestThreeBrokenSessionsInARowFreezeTheWalletForLongerEachTime(t *testing.T) {
	broken := &abi.Error{Code: CodeProtocolFailed}
	now := time.Unix(1_800_000_000, 0)
	s := new(Strikes)
	row := func() (frozen bool) {
		for n := range abortsInRowMax {
			if frozen = s.Note(now, broken); frozen != (n == abortsInRowMax-1) {
				t.Fatalf("abort %d freezes: %v", n+1, frozen)
			}
		}
		return frozen
	}
	for _, want := range []time.Duration{coolDownMin, 2 * coolDownMin, 4 * coolDownMin} {
		row()
		now = now.Add(want - 1)
		if err := s.Refuse(now); abi.CodeOf(err) != CodeWalletCooling {
			t.Errorf("%v after the freeze: %v", want-1, err)
		}
		now = now.Add(1)
		if err := s.Refuse(now); err != nil {
			t.Errorf("%v after the freeze: %v", want, err)
		}
	}
	for range 40 {
		row()
		now = now.Add(coolDownMax)
		if err := s.Refuse(now); err != nil {
			t.Errorf("no freeze is longer than a day: %v", err)
		}
	}
	now = now.Add(coolDownMax + 1)
	row()
	if err := s.Refuse(now.Add(coolDownMin)); err != nil {
		t.Errorf("old freezes are not forgotten: %v", err)
	}
	// A signature ends a row, silence does not make one.
	fresh := new(Strikes)
	for range 10 {
		for _, end := range []error{broken, broken, ErrTransportClosed, nil} {
			if fresh.Note(now, end) {
				t.Fatal("frozen without three in a row")
			}
		}
	}
}
