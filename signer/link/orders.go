package link

import (
	"context"
	"net/http"

	"github.com/purserhq/purser/abi"
)

// Orders are what operators told the co-signer. Orders prove themselves, so the runtime may carry them in both
// directions: it can withhold one, which is why operators also reach the co-signer themselves.
type Orders interface {
	// Accept takes one order, or says why it does not hold.
	Accept(ctx context.Context, order *abi.Order) error
	// Offer takes those of a list that hold.
	Offer(ctx context.Context, orders []*abi.Order) error
	// Orders lists a page of what was accepted after the first n.
	Orders(ctx context.Context, after uint64) ([]*abi.Order, error)
}

const pathAccept, pathOffer, pathOrders = "/v1/orders/accept", "/v1/orders/offer", "/v1/orders/list"

func (s *Server) acceptOrder(w http.ResponseWriter, r *http.Request) {
	answerCall(s, w, r, new(abi.Order), func(ctx context.Context, order *abi.Order) (*abi.OrderPage, error) {
		return &abi.OrderPage{}, s.config.Orders.Accept(ctx, order)
	})
}

func (s *Server) offerOrders(w http.ResponseWriter, r *http.Request) {
	answerCall(s, w, r, new(abi.OrderPage), func(ctx context.Context, page *abi.OrderPage) (*abi.OrderPage, error) {
		return &abi.OrderPage{}, s.config.Orders.Offer(ctx, pointers(page.Orders))
	})
}

func (s *Server) listOrders(w http.ResponseWriter, r *http.Request) {
	answerCall(s, w, r, new(abi.OrderPage), func(ctx context.Context, page *abi.OrderPage) (*abi.OrderPage, error) {
		orders, err := s.config.Orders.Orders(ctx, page.After)
		return &abi.OrderPage{After: page.After, Orders: values(orders)}, err
	})
}

// Accept gives the co-signer one order.
func (c *Client) Accept(ctx context.Context, order *abi.Order) error {
	_, err := call(ctx, c, pathAccept, order, new(abi.OrderPage))
	return err
}

// Offer gives the co-signer orders; it takes those that hold.
func (c *Client) Offer(ctx context.Context, orders []*abi.Order) error {
	_, err := call(ctx, c, pathOffer, &abi.OrderPage{Orders: values(orders)}, new(abi.OrderPage))
	return err
}

// Orders lists a page of what the co-signer accepted after the first n. Each is a claim: it proves itself or is nothing.
func (c *Client) Orders(ctx context.Context, after uint64) ([]*abi.Order, error) {
	page, err := call(ctx, c, pathOrders, &abi.OrderPage{After: after}, new(abi.OrderPage))
	if err != nil {
		return nil, err
	}
	return pointers(page.Orders), nil
}

func pointers(orders []abi.Order) []*abi.Order {
	all := make([]*abi.Order, len(orders))
	for i := range orders {
		all[i] = &orders[i]
	}
	return all
}

func values(orders []*abi.Order) []abi.Order {
	all := make([]abi.Order, len(orders))
	for i, order := range orders {
		all[i] = *order
	}
	return all
}
