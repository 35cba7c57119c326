// Package settle holds the contracts between the payment spine and the networks money moves on: how a price is
// read, how a signed payment is presented, and what the chain says became of it. It refuses to sign, and it holds
// no client of any chain: settle/x402 and settle/evm do.
package settle

import (
	"context"
	"net/http"
	"time"

	"github.com/purserhq/purser/abi"
)

// Resource is the request an agent wants answered. The bytes are fixed for the life of a payment, so that a repeat
// is the same request.
type Resource struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   []byte            `json:"body,omitempty"`
}

// Response is what the resource server answered, bounded and read to its end.
type Response struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}

// Offer is one way to pay a resource, as its server stated it. Raw members are kept as they came, because the
// payment must echo them.
type Offer struct {
	Quote abi.Quote `json:"quote"`
	// Resource and Extensions are raw JSON members of the offer, empty when absent.
	Resource   []byte `json:"resource,omitempty"`
	Extensions []byte `json:"extensions,omitempty"`
}

// Quoted is the answer to an unpaid request: offers, or the resource itself when it costs nothing.
type Quoted struct {
	Offers []Offer
	// Free is set when the server asked for no payment.
	Free *Response
	// Origin is scheme://host:port of the server that was connected to.
	Origin string
}

// Presented is the server's answer to a payment. Nothing in it proves that money moved or did not: only the chain
// does.
type Presented struct {
	Response Response
	// Claimed says that the server claims settlement, Transaction which one, Refusal why not.
	Claimed     bool
	Transaction string
	Refusal     string
}

// Protocol speaks to resource servers in one payment protocol. Implementations are safe for concurrent use and bound
// everything they read.
type Protocol interface {
	// Quote sends the unpaid request.
	Quote(ctx context.Context, resource Resource) (Quoted, error)
	// Payment encodes what Present will send: the exact bytes, made once and stored before they leave. payment is the
	// payment id, for servers that take one.
	Payment(payment string, offer Offer, payload []byte) (string, error)
	// Present sends the stored payment. An error means that the server may or may not have received it.
	Present(ctx context.Context, resource Resource, payment string) (Presented, error)
}

// Authorization is what a signature lets anybody do until ValidBefore.
type Authorization struct {
	Asset       abi.Asset  `json:"asset"`
	Payer       string     `json:"payer"`
	Payee       string     `json:"payee"`
	Amount      abi.Amount `json:"amount"`
	Nonce       [32]byte   `json:"nonce"`
	ValidBefore uint64     `json:"valid_before"`
	// FromBlock is a block at which it was not used yet: where a search for its use begins. Zero: not known.
	FromBlock uint64 `json:"from_block,omitempty"`
}

// Fate is what the chain says of an authorization.
type Fate struct {
	// Life is live until the chain proves otherwise.
	Life abi.Life
	// Receipt is set when the authorization was used.
	Receipt *Receipt
}

// Receipt is the transfer as the chain recorded it.
type Receipt struct {
	Network     abi.Network `json:"network"`
	Transaction string      `json:"transaction"`
	Block       uint64      `json:"block"`
	BlockHash   string      `json:"block_hash"`
	BlockTime   time.Time   `json:"block_time"`
	GasUsed     uint64      `json:"gas_used"`
	// FeeWei is the fee in the smallest unit of the network's gas asset.
	FeeWei abi.Amount `json:"fee_wei"`
	// Amount is what moved from payer to payee.
	Amount abi.Amount `json:"amount"`
}

// Head is the newest block of a network.
type Head struct {
	Number uint64
	Time   time.Time
}

// Chain reads one network. It decides nothing.
type Chain interface {
	// Head is the newest block.
	Head(ctx context.Context) (Head, error)
	// Fate follows the dead-nonce rule: dead only when a finalized block is past ValidBefore and the nonce is
	// unused there, or the cancellation is final.
	Fate(ctx context.Context, authorization Authorization) (Fate, error)
	// Query runs one read for a chain adapter. The caller has checked that the method was granted.
	Query(ctx context.Context, method string, params []byte) ([]byte, error)
}
