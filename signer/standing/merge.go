package standing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
)

// Peer is the other side's orders. Whatever it sends is verified like an operator's own visit.
type Peer interface {
	// Offer gives it orders, at most OrdersPageMax. It takes those that it has not and that hold.
	Offer(ctx context.Context, orders []*abi.Order) error
	// Orders lists what it accepted after the first n, at most OrdersPageMax.
	Orders(ctx context.Context, after uint64) ([]*abi.Order, error)
}

var _ Peer = (*Orders)(nil)

const (
	// OrdersPageMax bounds the orders that change hands in one call.
	OrdersPageMax = 64
	// mergeEvery is the pause between two exchanges when nothing happens here, mergeTimeMax bounds one of them.
	mergeEvery   = 2 * time.Second
	mergeTimeMax = 10 * time.Second
	// mergePagesMax bounds the pages of one exchange; the next one goes on.
	mergePagesMax = ordersMax / OrdersPageMax
	// startOverEvery is how many exchanges pass before all of both sides is compared again: the other side may have
	// come back with an older ledger.
	startOverEvery = 256
)

// Offer takes the other side's orders. One that does not hold is logged and passed over; only this side's own failure
// is an error.
func (o *Orders) Offer(ctx context.Context, orders []*abi.Order) error {
	if len(orders) > OrdersPageMax {
		return &abi.Error{Code: "order_invalid", Message: fmt.Sprintf("%d orders at once, want at most %d", len(orders), OrdersPageMax)}
	}
	for _, offered := range orders {
		if err := o.Accept(ctx, offered); err != nil && !Refusal(err) {
			return err
		}
	}
	return nil
}

// Refusal reports whether an error of Accept is about the order, so that offering it again changes nothing.
func Refusal(err error) bool {
	code := abi.CodeOf(err)
	return strings.HasPrefix(code, "order_") || code == "operators_invalid" || code == "orders_full"
}

// Orders lists what this side accepted after the first n, in the order of acceptance, at most OrdersPageMax.
func (o *Orders) Orders(ctx context.Context, after uint64) ([]*abi.Order, error) {
	if err := o.current(ctx); err != nil {
		return nil, err
	}
	o.mu.RLock()
	var page [][]byte
	if count := uint64(len(o.accepted)); after < count {
		page = o.accepted[after:min(count, after+OrdersPageMax)]
	}
	o.mu.RUnlock()
	list := make([]*abi.Order, 0, len(page))
	for _, encoded := range page {
		accepted := new(abi.Order)
		if err := accepted.Unmarshal(encoded); err != nil {
			return nil, fmt.Errorf("read order: %w", err)
		}
		list = append(list, accepted)
	}
	return list, nil
}

// Merge keeps both sides' orders the union of both until ctx ends: every few seconds, and at once when this side
// accepts one. A peer that does not answer is asked again; it blocks nothing.
func (o *Orders) Merge(ctx context.Context, peer Peer) {
	ticker := time.NewTicker(mergeEvery)
	defer ticker.Stop()
	var exchange exchange
	failing := false
	for round := 0; ; round++ {
		if round%startOverEvery == 0 {
			exchange.taken, exchange.given = 0, 0
		}
		bounded, cancel := context.WithTimeout(ctx, mergeTimeMax)
		err := exchange.run(bounded, o, peer)
		cancel()
		if err != nil && ctx.Err() == nil && !failing { // once, not every two seconds
			o.config.Log.WarnContext(ctx, "orders cannot be exchanged with the other side", "code", abi.CodeOf(err), "error", err.Error())
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-o.changed:
		}
	}
}

// exchange is how far each side's orders went over to the other.
type exchange struct{ taken, given uint64 }

// run goes both ways, whatever becomes of the first: a peer that gives nothing can still be told of a freeze.
func (x *exchange) run(ctx context.Context, ours *Orders, peer Peer) error {
	given := x.move(ctx, &x.given, ours, peer)
	return errors.Join(given, x.move(ctx, &x.taken, peer, ours))
}

func (x *exchange) move(ctx context.Context, done *uint64, from, to Peer) error {
	for range mergePagesMax {
		orders, err := from.Orders(ctx, *done)
		if err != nil || len(orders) == 0 {
			return err
		}
		if err := to.Offer(ctx, orders); err != nil {
			return err
		}
		*done += uint64(len(orders))
	}
	return nil
}

func (o *Orders) wake() {
	select {
	case o.changed <- struct{}{}:
	default: // a token waits already
	}
}
