package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/policy"
)

const rule = "price-sanity"

func decide(r *abi.DecideRequest) *abi.DecideResult {
	price := r.Quote.Amount
	if price.IsZero() || price != r.Intent.Amount {
		return refuse(abi.Deny, "quote_mismatch", price, r.Intent.Amount,
			"a quote with the intent's amount", "the quoted price is missing or not what the intent would pay")
	}
	if price.Cmp(settings.ceiling) > 0 {
		return above(abi.Deny, "price_above_ceiling", price, settings.ceiling, "the price is above the ceiling")
	}
	history := r.Facts.Quotes
	if history == nil {
		history = &abi.QuoteHistory{Provenance: abi.ProvenanceOwn}
	}
	// Whoever may write the history may write the median.
	if history.Provenance != abi.ProvenanceOwn {
		return refuse(abi.Hold, "history_not_own", price, settings.ceiling,
			"a quote history from this side's own ledger", "the quote history is somebody else's word")
	}
	samples := history.Samples[:min(len(history.Samples), samplesMax)]
	if uint64(len(samples)) < settings.samplesMin {
		if price.Cmp(settings.firstMax) > 0 {
			return above(abi.Hold, "first_price_above_max", price, settings.firstMax,
				"too few earlier quotes to compare with, and the price is above the first maximum")
		}
		return policy.Allow()
	}
	limit, fits := median(samples).MulSmall(settings.factor)
	if fits && price.Cmp(limit) > 0 {
		return above(abi.Hold, "price_above_median", price, limit, "the price is far above the median of earlier quotes")
	}
	return policy.Allow()
}

func above(outcome abi.Outcome, code string, price, limit abi.Amount, text string) *abi.DecideResult {
	return refuse(outcome, code, price, limit, "at most "+limit.String(), text)
}

func refuse(outcome abi.Outcome, code string, price, limit abi.Amount, wouldPass, text string) *abi.DecideResult {
	return &abi.DecideResult{Outcome: outcome, Reasons: []abi.Reason{{
		Code: code, Rule: rule, Observed: price.String(), Limit: limit.String(), WouldPass: wouldPass, Text: text,
	}}}
}

// median returns the lower of the two middle amounts when their number is even: the stricter one, and no division.
func median(samples []abi.QuoteSample) abi.Amount {
	sorted := make([]abi.Amount, 0, samplesMax)
	for _, sample := range samples {
		at := len(sorted)
		sorted = append(sorted, sample.Amount)
		for ; at > 0 && sorted[at-1].Cmp(sample.Amount) > 0; at-- {
			sorted[at] = sorted[at-1]
		}
		sorted[at] = sample.Amount
	}
	return sorted[(len(sorted)-1)/2]
}
