package cosigner

import (
	"context"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
)

// agentOf is the registry's row of the agent that asks, or one that says nothing where nobody is enrolled.
func (c *CoSigner) agentOf(ctx context.Context, claim claimed) (store.Agent, error) {
	if !c.listens() {
		return store.Agent{}, nil
	}
	return c.enrolled(ctx, claim.intent.Agent)
}

// target is what freezes are compared with. Before a wallet is asked for, it is the one that the registry names.
func target(claim claimed, agent store.Agent) order.Target {
	wallet := claim.wallet
	if wallet == "" {
		wallet = agent.Wallet
	}
	return order.Target{Agent: claim.intent.Agent, Wallet: wallet, Payee: claim.intent.Payee, Network: claim.intent.Network}
}

// unfrozen refuses to go on with a promise while operators froze any part of it. What is asked is what was promised,
// not what somebody says of it.
func (c *CoSigner) unfrozen(ctx context.Context, agent string, r record) error {
	return c.orders.Frozen(ctx, order.Target{
		Agent: agent, Wallet: r.Armed.Wallet, Payee: r.Transfer.Payee, Network: string(r.Transfer.Token.Asset.Network()),
	})
}

// LiveAuthorization is a promise that the chain has not ended: whoever holds its signature may still use it, frozen or
// not. An operator who cannot wait for its time cancels its nonce on the chain.
type LiveAuthorization struct {
	Payment, Agent, Wallet, Path string
	// Payer is the account it spends from, Payee and Amount (smallest units of Asset) what it pays.
	Payer, Payee string
	Asset        abi.Asset
	Amount       abi.Amount
	// Nonce is what cancelAuthorization takes (EIP-3009).
	Nonce [32]byte
	// ExpiresUnixS is the authorization's validBefore.
	ExpiresUnixS uint64
	// Spent says that our last message may have left: a signature may exist. Without it none does.
	Spent bool
}

// liveMax bounds one list of live authorizations. They end within minutes, so more are a fault in itself.
const liveMax = 10_000

// LiveAuthorizations lists every promise whose end the chain has not shown, in order of creation. With more than
// 10,000 of them it returns the first ones and an error with code "list_cut".
func (c *CoSigner) LiveAuthorizations(ctx context.Context) ([]LiveAuthorization, error) {
	query := store.RowQuery{Tenant: c.config.Tenant, States: []string{armed, spent}, Max: store.RowsMax}
	var live []LiveAuthorization
	for {
		rows, err := c.config.Store.Rows(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list live authorizations: %w", err)
		}
		for _, row := range rows {
			r, err := readRecord(row)
			if err != nil {
				return nil, err
			}
			if len(live) == liveMax {
				return live, &abi.Error{Code: "list_cut", Message: fmt.Sprintf("there are more than %d live authorizations", liveMax), Fix: "these are the oldest; ask again when they have ended"}
			}
			live = append(live, LiveAuthorization{
				Payment: row.ID, Agent: row.Agent, Wallet: r.Armed.Wallet, Path: r.Armed.Path, Payer: r.Transfer.Payer, Payee: r.Transfer.Payee,
				Asset: r.Transfer.Token.Asset, Amount: r.Transfer.Amount, Nonce: r.Transfer.Nonce, ExpiresUnixS: r.Transfer.ValidBefore, Spent: row.State == spent,
			})
			query.After = row.ID
		}
		if len(rows) < store.RowsMax {
			return live, nil
		}
	}
}
