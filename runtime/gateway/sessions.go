package gateway

import (
	"maps"
	"slices"

	"github.com/purserhq/purser/runtime/api"
)

// sessions tells how many signing sessions are prepared ahead for each wallet, and how payments found them.
func (g *Gateway) sessions(c call) (any, error) {
	if !c.who.operator {
		return nil, forbidden("only the operator sees signing sessions")
	}
	all := g.config.Runtime.Sessions()
	views := []api.SessionsView{}
	for _, wallet := range slices.Sorted(maps.Keys(all)) {
		pool := all[wallet]
		views = append(views, api.SessionsView{
			Wallet: wallet, Address: pool.Address, Ready: pool.Ready, Preparing: pool.Preparing, Expected: pool.Expected,
			Warm: pool.Warm, Cold: pool.Cold, Refilled: pool.Refilled, Dropped: pool.Dropped, Failed: pool.Failed,
		})
	}
	return map[string]any{"sessions": views}, nil
}
