package cosigner

import (
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

const (
	patrolEvery    = 2 * time.Second
	patrolBatchMax = 128
)

// patrol looks at promises whose time is over. Nothing the runtime says ends one: only this side's own view of the
// chain does.
func (c *CoSigner) patrol() {
	ticker := time.NewTicker(patrolEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case <-ticker.C:
		}
		c.look()
	}
}

// look asks about every promise whose time is over, in pages, so that ones that cannot be told do not hide the rest.
func (c *CoSigner) look() {
	query := store.RowQuery{Tenant: c.config.Tenant, States: []string{armed, spent}, DueBefore: c.config.Now(), Max: patrolBatchMax}
	for {
		rows, err := c.config.Store.Rows(c.life, query)
		if err != nil {
			if c.life.Err() == nil {
				c.config.Log.ErrorContext(c.life, "cannot look for ended promises", "error", err.Error())
			}
			return
		}
		for _, row := range rows {
			query.After = row.ID
			if err := c.reconcile(row); err != nil && c.life.Err() == nil {
				c.config.Log.WarnContext(c.life, "cannot tell what became of a promise", "payment", row.ID, "error", err.Error())
			}
		}
		if len(rows) < patrolBatchMax {
			return
		}
	}
}

func (c *CoSigner) reconcile(row store.Row) error {
	r, err := readRecord(row)
	if err != nil {
		return err
	}
	chain, ok := c.config.Chains[r.Transfer.Token.Asset.Network()]
	if !ok {
		return invalid("network", "no port to the payment's network")
	}
	life, err := chain.Life(c.life, r.Transfer)
	if err != nil {
		return err
	}
	state, closing := row.State, store.KeepOpen
	switch life {
	case abi.LifeUsed:
		state, closing = settled, store.Settle
	case abi.LifeDead:
		state, closing = dead, store.Release
	case abi.LifeLive: // its time is over by the clock, not yet by a finalized block
		return nil
	}
	next, err := change(row, state, r, "cosigner."+state, map[string]any{"digest": r.Armed.Digest})
	if err != nil {
		return err
	}
	next.Close, next.Due = closing, time.Time{}
	_, err = c.config.Store.Commit(c.life, next)
	return err
}
