package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Merchant is what this side remembers of an origin that took payments and did not deliver.
type Merchant struct {
	Origin string `json:"origin"`
	// Run counts payments in a row that were settled without a delivery, or that the merchant left to expire.
	Run uint64 `json:"run"`
	// Latched is set once Run reached a policy's breaker, until an operator resets it.
	Latched *Latch `json:"latched,omitempty"`
	// Counted are the last payments that Run counts: one that is counted again after a crash counts once.
	Counted []string `json:"counted,omitempty"`
}

// Latch says when and by whose breaker an origin was shut out.
type Latch struct {
	Policy  string    `json:"policy"`
	Payment string    `json:"payment"`
	Since   time.Time `json:"since"`
}

const (
	// merchantAgent is the chain that merchants' entries are on. No agent has this name.
	merchantAgent = "_merchants"
	// The states of a merchant's row.
	merchantState, merchantLatched = "merchant", "merchant_latched"
	// countedMax bounds Merchant.Counted: as many as could be under way when a process dies.
	countedMax = 64
	// merchantAttemptsMax bounds writing a row that other payments write too.
	merchantAttemptsMax = 8
)

// verdictOnMerchant says what an event shows of the merchant: 1 that it delivered, -1 that it took or kept an
// authorization and did not, 0 nothing. What the agent presents itself, and what never left this side, is not the
// merchant's doing.
func verdictOnMerchant(p Payment, event Event) int {
	if p.Header == "" || p.Ask.HandOut {
		return 0
	}
	died := func(life abi.Life) int {
		if life == abi.LifeDead {
			return -1
		}
		return 0
	}
	switch e := event.(type) {
	case DeliveredNow:
		return 1
	case Undelivered:
		if p.Delivery != deliveryFailed { // it was counted the first time
			return -1
		}
	case PresentedNow:
		return died(e.Fate.Life)
	case Reconciled:
		return died(e.Fate.Life)
	}
	return 0
}

// countDelivery remembers what an event shows of a merchant, before the event itself is recorded: a crash in between
// finds the event again, and a payment counts once. A ledger that fails here is told to the operator and does not keep
// the payment from its end, which is worth more.
func (r *Runtime) countDelivery(ctx context.Context, rules *Rules, p Payment, event Event) {
	verdict := verdictOnMerchant(p, event)
	if verdict == 0 {
		return
	}
	for range merchantAttemptsMax {
		err := r.countOnce(ctx, rules, p, verdict)
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrConflict) {
			r.config.Log.ErrorContext(ctx, "a merchant's delivery is not counted", "payment", p.ID, "origin", p.Origin, "error", err.Error())
			return
		}
	}
	r.config.Log.ErrorContext(ctx, "a merchant's delivery is not counted", "payment", p.ID, "origin", p.Origin, "error", store.ErrConflict.Error())
}

func (r *Runtime) countOnce(ctx context.Context, rules *Rules, p Payment, verdict int) error {
	row, merchant, err := r.merchant(ctx, p.Origin)
	if err != nil {
		return err
	}
	if verdict > 0 {
		if merchant.Run == 0 {
			return nil
		}
		merchant.Run, merchant.Counted = 0, nil // what is latched stays so: a person looks first
		return r.putMerchant(ctx, row, merchant, "merchant.delivered", p.ID)
	}
	if slices.Contains(merchant.Counted, p.ID) {
		return nil
	}
	merchant.Run++
	merchant.Counted = append(merchant.Counted, p.ID)
	merchant.Counted = merchant.Counted[max(0, len(merchant.Counted)-countedMax):]
	kind := "merchant.undelivered"
	if policy, ok := rules.policyFor(p.Agent); ok && merchant.Latched == nil {
		if breaker := policy.Breaker(); breaker.Latch && breaker.PaidUndelivered > 0 && merchant.Run >= breaker.PaidUndelivered {
			kind, merchant.Latched = "merchant.latched", &Latch{Policy: policy.Name(), Payment: p.ID, Since: r.config.Now().UTC()}
			r.config.Log.ErrorContext(ctx, "breaker latched: no more payments to this merchant until an operator resets it", "origin", p.Origin, "policy", policy.Name(), "in_a_row", merchant.Run)
		}
	}
	return r.putMerchant(ctx, row, merchant, kind, p.ID)
}

// checkBreaker refuses a merchant that a policy's breaker has shut out. A breaker that does not latch opens again when one
// of the payments that it counts is delivered after all.
func (r *Runtime) checkBreaker(ctx context.Context, rules *Rules, p Payment) (*abi.Reason, error) {
	policy, ok := rules.policyFor(p.Agent)
	if !ok || policy.Breaker().PaidUndelivered == 0 {
		return nil, nil
	}
	_, merchant, err := r.merchant(ctx, p.Origin)
	limit := policy.Breaker().PaidUndelivered
	if err != nil || merchant.Latched == nil && merchant.Run < limit {
		return nil, err
	}
	return &abi.Reason{
		Code: abi.ReasonBreakerOpen, Rule: policy.Name() + ".breaker", Observed: fmt.Sprintf("%d in a row at %s", merchant.Run, p.Origin),
		Limit: fmt.Sprint(limit), Text: "the merchant was paid and did not deliver; an operator has to look",
	}, nil
}

// denied ends a payment for a host's own reason, or passes the error on.
func denied(reason *abi.Reason, err error) (Event, error) {
	if err != nil {
		return nil, err
	}
	return Failed{Reason: *reason}, nil
}

// Merchants lists the origins that are remembered for not delivering, at most store.RowsMax.
func (r *Runtime) Merchants(ctx context.Context) ([]Merchant, error) {
	rows, err := r.config.Store.Rows(ctx, store.RowQuery{Tenant: r.config.Tenant, Agent: merchantAgent, States: []string{merchantState, merchantLatched}, Max: store.RowsMax})
	if err != nil {
		return nil, fmt.Errorf("list merchants: %w", err)
	}
	all := make([]Merchant, 0, len(rows))
	for _, row := range rows {
		merchant, err := readMerchant(row)
		if err != nil {
			return nil, err
		}
		if merchant.Run > 0 || merchant.Latched != nil {
			all = append(all, merchant)
		}
	}
	return all, nil
}

// ResetMerchant lets payments to an origin go on, and returns what was held against it. The error has code not_found when
// nothing was.
func (r *Runtime) ResetMerchant(ctx context.Context, origin string) (Merchant, error) {
	for range merchantAttemptsMax {
		row, merchant, err := r.merchant(ctx, origin)
		if err != nil {
			return merchant, err
		}
		if merchant.Run == 0 && merchant.Latched == nil {
			return merchant, &abi.Error{Code: "not_found", Where: origin, Message: "nothing is held against this origin", Fix: "list the merchants with: purser merchants list"}
		}
		err = r.putMerchant(ctx, row, Merchant{Origin: origin}, "merchant.reset", "")
		if !errors.Is(err, store.ErrConflict) {
			return merchant, err
		}
	}
	return Merchant{}, store.ErrConflict
}

func merchantID(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return "merchant_" + hex.EncodeToString(sum[:16])
}

// merchant reads what is remembered. A row at version 0 is one that is not there yet.
func (r *Runtime) merchant(ctx context.Context, origin string) (store.Row, Merchant, error) {
	row, err := r.config.Store.Row(ctx, r.config.Tenant, merchantID(origin))
	if errors.Is(err, store.ErrNotFound) {
		return store.Row{}, Merchant{Origin: origin}, nil
	}
	if err != nil {
		return row, Merchant{}, fmt.Errorf("read merchant: %w", err)
	}
	merchant, err := readMerchant(row)
	return row, merchant, err
}

func readMerchant(row store.Row) (Merchant, error) {
	var merchant Merchant
	if err := json.Unmarshal(row.Body, &merchant); err != nil {
		return merchant, fmt.Errorf("read merchant %s: %w", row.ID, err)
	}
	return merchant, nil
}

func (r *Runtime) putMerchant(ctx context.Context, row store.Row, merchant Merchant, kind, payment string) error {
	body, err := json.Marshal(merchant)
	if err != nil {
		return fmt.Errorf("write merchant: %w", err)
	}
	entry, err := newEntry(kind, "", map[string]any{"origin": merchant.Origin, "run": merchant.Run, "latched": merchant.Latched, "payment": payment})
	if err != nil {
		return err
	}
	state := merchantState
	if merchant.Latched != nil {
		state = merchantLatched
	}
	if row.Version == 0 {
		id := merchantID(merchant.Origin)
		first := store.Row{Tenant: r.config.Tenant, Agent: merchantAgent, ID: id, Key: id, State: state, Body: body}
		_, claim, err := r.config.Store.Insert(ctx, first, entry)
		if err == nil && claim != store.ClaimCreated {
			err = store.ErrConflict
		}
		if err != nil {
			return err
		}
	} else if _, err := r.config.Store.Commit(ctx, store.Change{Tenant: row.Tenant, ID: row.ID, Version: row.Version, State: state, Body: body, Entry: entry}); err != nil {
		return err
	}
	r.tail.wake()
	return nil
}
