package facilitator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
)

const simulationTextMax = 128

// Revert texts of USDC-like tokens that name a reason better than "simulation failed".
const (
	revertSignature = "invalid signature"
	revertUsed      = "authorization is used"
	revertExpired   = "authorization is expired"
	revertTooEarly  = "authorization is not yet valid"
	revertBalance   = "transfer amount exceeds balance"
)

// chainView is what one look at the chain says about an order.
type chainView struct {
	head    evm.Header
	balance abi.Amount
	used    bool
	code    []byte
	tipWei  abi.Amount
	gasWei  abi.Amount // what the relayer holds
}

// look reads everything at once: the answer takes one round trip, whatever is asked,
// and needs no helper contract on the chain.
func (f *Facilitator) look(ctx context.Context, o order) (chainView, error) {
	var v chainView
	rpc, latest := f.config.RPC, evm.AtTag(evm.Latest)
	err := together(
		func() (err error) { v.head, err = rpc.HeaderAt(ctx, evm.Latest); return },
		func() (err error) { v.balance, err = rpc.TokenBalance(ctx, o.token.asset, o.payer, latest); return },
		func() (err error) {
			v.used, err = rpc.AuthorizationState(ctx, o.token.asset, o.payer, o.nonce, latest)
			return
		},
		func() (err error) { v.code, err = rpc.Code(ctx, o.payer); return },
		func() (err error) { v.tipWei, err = rpc.SuggestedTipWei(ctx); return },
		func() (err error) { v.gasWei, err = rpc.WeiBalance(ctx, f.relayer.address); return },
	)
	if err != nil {
		return chainView{}, fmt.Errorf("look at the chain: %w", err)
	}
	return v, nil
}

// judge says whether the chain would take the order now. An error means that the
// chain could not be asked, which is not the payer's fault.
func (f *Facilitator) judge(ctx context.Context, o order) (chainView, *refusal, error) {
	v, err := f.look(ctx, o)
	if err != nil {
		return chainView{}, nil, err
	}
	switch {
	case v.used:
		return v, refuse(reasonNonceUsed, "the authorization is used or cancelled"), nil
	case o.domainName != o.token.name:
		return v, refuse(reasonTokenName, "the token's domain name is %q, the offer says %q", o.token.name, o.domainName), nil
	case o.domainVersion != o.token.version:
		return v, refuse(reasonTokenVersion, "the token's domain version is %q, the offer says %q", o.token.version, o.domainVersion), nil
	case v.balance.Cmp(o.value) < 0:
		return v, refuse(reasonBalance, "the payer holds %s, the payment is of %s", v.balance, o.value), nil
	}
	no, err := f.simulate(ctx, o, v)
	return v, no, err
}

// simulate runs the transaction as the relayer would, at the relayer's gas limit.
func (f *Facilitator) simulate(ctx context.Context, o order, v chainView) (*refusal, error) {
	_, err := f.config.RPC.Call(ctx, evm.CallRequest{
		From: f.relayer.address, To: o.token.contract,
		Data: o.callData(len(v.code) > 0), GasMax: f.config.GasMax,
	}, evm.AtTag(evm.Latest))
	if err == nil {
		return nil, nil
	}
	text, reverted := evm.Reverted(err)
	if !reverted {
		var node *evm.NodeError
		if !errors.As(err, &node) || !strings.Contains(node.Message, "out of gas") && !strings.Contains(node.Message, "invalid opcode") {
			return nil, fmt.Errorf("simulate the transfer: %w", err) // a quota or an outage is not the payer's fault
		}
		text = "the call ran out of gas or hit an invalid instruction"
	}
	reason := reasonSimulation
	switch {
	case strings.Contains(text, revertSignature) && len(v.code) > 0:
		reason = reasonSignature
	case strings.Contains(text, revertUsed):
		reason = reasonNonceUsed
	case strings.Contains(text, revertExpired):
		reason = reasonValidBefore
	case strings.Contains(text, revertTooEarly):
		reason = reasonValidAfter
	case strings.Contains(text, revertBalance):
		reason = reasonBalance
	}
	if len(text) > simulationTextMax {
		text = text[:simulationTextMax]
	}
	return refuse(reason, "the token would refuse it: %q", text), nil
}

// together runs reads side by side and joins their errors.
func together(reads ...func() error) error {
	errs := make([]error, len(reads))
	var wait sync.WaitGroup
	for i, read := range reads {
		wait.Go(func() { errs[i] = read() })
	}
	wait.Wait()
	return errors.Join(errs...)
}
