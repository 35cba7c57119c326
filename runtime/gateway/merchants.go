package gateway

import (
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

func (g *Gateway) merchants(c call) (any, error) {
	if !c.who.operator {
		return nil, forbidden("only the operator lists merchants that did not deliver")
	}
	all, err := g.config.Runtime.Merchants(c.ctx)
	if err != nil {
		return nil, err
	}
	views := []api.MerchantView{}
	for _, merchant := range all {
		views = append(views, merchantView(merchant))
	}
	return map[string]any{"merchants": views}, nil
}

func (g *Gateway) resetMerchant(c call) (any, error) {
	if !c.who.operator {
		return nil, forbidden("only the operator resets a merchant")
	}
	var params api.MerchantParams
	if err := c.decode(&params); err != nil {
		return nil, err
	}
	merchant, err := g.config.Runtime.ResetMerchant(c.ctx, params.Origin)
	if err != nil {
		return nil, err
	}
	return merchantView(merchant), nil
}

func merchantView(merchant runtime.Merchant) api.MerchantView {
	view := api.MerchantView{Origin: merchant.Origin, Undelivered: merchant.Run}
	if latch := merchant.Latched; latch != nil {
		view.LatchedBy, view.Payment, view.Since = latch.Policy, latch.Payment, &latch.Since
	}
	return view
}
