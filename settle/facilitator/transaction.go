package facilitator

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
)

// fees are what a transaction offers per gas, in wei (EIP-1559).
type fees struct{ maxFee, tip abi.Amount }

// freshFees offers twice the base fee and the tip, so that six full blocks in a row
// do not price the transaction out, and never more than the cap.
func freshFees(baseFeeWei, tipWei, capWei abi.Amount) (fees, error) {
	double, err := baseFeeWei.Mul(2)
	if err != nil {
		return fees{}, fmt.Errorf("base fee: %w", err)
	}
	tip := atLeastOne(lesser(tipWei, capWei))
	total, err := double.Add(tip)
	if err != nil {
		return fees{}, fmt.Errorf("base fee and tip: %w", err)
	}
	need, err := baseFeeWei.Add(tip)
	if err != nil {
		return fees{}, fmt.Errorf("base fee and tip: %w", err)
	}
	if need.Cmp(capWei) > 0 {
		return fees{}, &abi.Error{
			Code: "fee_above_cap", Message: fmt.Sprintf("gas costs %s wei, the cap is %s", need, capWei),
			Fix: "wait for cheaper gas or raise FeeCapWei", Retry: abi.RetryLater,
		}
	}
	return fees{lesser(total, capWei), tip}, nil
}

// raised adds an eighth to both fees: nodes refuse replacements that add less than a
// tenth. ok is false when the cap leaves no room, and then waiting is all there is.
func (f fees) raised(capWei abi.Amount) (higher fees, ok bool) {
	maxFee, okMax := addEighth(f.maxFee)
	tip, okTip := addEighth(f.tip)
	if !okMax || !okTip || maxFee.Cmp(capWei) > 0 {
		return fees{}, false
	}
	return fees{maxFee, lesser(tip, maxFee)}, true
}

func addEighth(a abi.Amount) (abi.Amount, bool) {
	n, small := a.Uint64()
	if !small || n > 1<<60 {
		return abi.Amount{}, false
	}
	return abi.NewAmount(n + n/8 + 1), true
}

func lesser(a, b abi.Amount) abi.Amount {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func atLeastOne(a abi.Amount) abi.Amount {
	if a.IsZero() {
		return abi.NewAmount(1)
	}
	return a
}

// sign makes the transaction of one relayer nonce.
func (r *relayer) sign(nonce uint64, to evm.Address, data []byte, f fees) (Attempt, error) {
	contract := common.Address(to)
	tx, err := types.SignNewTx(r.key.private, r.signer, &types.DynamicFeeTx{
		ChainID: r.signer.ChainID(), Nonce: nonce, To: &contract, Data: data, Gas: r.gasMax,
		GasFeeCap: bigOf(f.maxFee), GasTipCap: bigOf(f.tip),
	})
	if err != nil {
		return Attempt{}, fmt.Errorf("sign relayer transaction: %w", err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return Attempt{}, fmt.Errorf("encode relayer transaction: %w", err)
	}
	return Attempt{RelayerNonce: nonce, Raw: raw, TxHash: evm.Hash(tx.Hash()), MaxFeeWei: f.maxFee, TipWei: f.tip, At: r.now()}, nil
}

func bigOf(a abi.Amount) *big.Int { return new(big.Int).SetBytes(a.Bytes()) }
