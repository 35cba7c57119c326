package x402

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	requestBodyBytesDefault = 1 << 20
	answerBytesDefault      = 4 << 20
	clockSkewDefault        = 30 * time.Second
	settleTimeoutDefault    = 2*facilitatorTimeout + 10*time.Second // one call, one repeat, some air
	leaseSlack              = 30 * time.Second
	retryPauseSeconds       = "2"
)

// Facilitator is what a Merchant needs of one; Client is it.
type Facilitator interface {
	Verify(ctx context.Context, r FacilitatorRequest) (VerifyResponse, error)
	Settle(ctx context.Context, r FacilitatorRequest) (SettleResponse, error)
	Supported(ctx context.Context) (SupportedResponse, error)
}

var _ Facilitator = (*Client)(nil)

// Offer is one way in which a merchant wants to be paid: scheme exact with
// EIP-3009 on an EVM network.
type Offer struct {
	// Network is an eip155 CAIP-2 id.
	Network abi.Network
	// Asset and PayTo are 0x-prefixed addresses of the token and the receiver.
	Asset, PayTo string
	// Price is in the token's smallest unit; above zero.
	Price abi.Amount
	// MaxTimeoutSeconds is how long a payment may stay valid. Default 60.
	MaxTimeoutSeconds int64
	// Name and Version are the token's EIP-712 domain, for example "USDC" and "2".
	// A wrong name makes every signature invalid.
	Name, Version string
}

// MerchantConfig sets up one paid resource or a set with one price.
type MerchantConfig struct {
	// Facilitator verifies and settles. Required.
	Facilitator Facilitator
	// Claims remembers which payments were used. Required; share one among all
	// merchants that accept the same payTo, or a payment could buy twice.
	Claims Claims
	// Offers are the ways to pay, the preferred first. At least one.
	Offers []Offer
	// Origin is the public scheme://host[:port] of this server. Required: the Host
	// header of a request is whatever its sender likes.
	Origin string
	// Description and MimeType describe the resource. They may be empty.
	Description, MimeType string
	// Extensions is the map of extension key to {info, schema} of the offer, or nil.
	Extensions json.RawMessage
	// RequestBodyBytesMax bounds the request body, which is read before the handler
	// runs because the payment is bound to it. Default 1 MiB.
	RequestBodyBytesMax int64
	// AnswerBytesMax bounds what the handler may write, because the answer is held
	// back until the money has moved. Default 4 MiB.
	AnswerBytesMax int
	// ClockSkew is how much longer than MaxTimeoutSeconds an authorization may live.
	// Default 30 s.
	ClockSkew time.Duration
	// SettleTimeout bounds one settlement including its repeat. Default 190 s.
	SettleTimeout time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Report is told what went wrong behind an answer: a store that failed after the
	// money moved, a facilitator that could not be reached. Default: dropped.
	Report func(ctx context.Context, err error)
}

// Merchant sells HTTP resources. It may be used from any goroutine.
type Merchant struct {
	config MerchantConfig
	offers []Requirements
	assets []abi.Asset // of offers, by index
}

// NewMerchant checks the configuration; errors have code merchant_invalid.
func NewMerchant(config MerchantConfig) (*Merchant, error) {
	origin, err := url.Parse(config.Origin)
	switch {
	case config.Facilitator == nil || config.Claims == nil:
		return nil, errMerchant("", "Facilitator and Claims are required")
	case err != nil || origin.Host == "" || origin.Scheme != "http" && origin.Scheme != "https" ||
		origin.Scheme+"://"+origin.Host != config.Origin:
		return nil, errMerchant("Origin", "want scheme://host[:port] and nothing after it")
	case len(config.Offers) == 0 || len(config.Offers) > acceptsMax:
		return nil, errMerchant("Offers", fmt.Sprintf("want 1 to %d offers", acceptsMax))
	case config.RequestBodyBytesMax < 0 || config.AnswerBytesMax < 0 || config.ClockSkew < 0 || config.SettleTimeout < 0:
		return nil, errMerchant("", "limits must not be negative")
	}
	m := &Merchant{config: withDefaults(config)}
	for i, offer := range config.Offers {
		requirements, asset, err := offer.requirements()
		if err != nil {
			return nil, &abi.Error{
				Code: "merchant_invalid", Message: "the offer cannot be made",
				Where: fmt.Sprintf("Offers[%d]", i), Cause: err,
			}
		}
		m.offers, m.assets = append(m.offers, requirements), append(m.assets, asset)
	}
	// A price list that does not fit into a header must fail here, not at the first customer.
	if _, err := m.requiredHeader("/", "Payment required"); err != nil {
		return nil, &abi.Error{Code: "merchant_invalid", Message: "the offers do not make a valid 402", Cause: err}
	}
	return m, nil
}

func withDefaults(c MerchantConfig) MerchantConfig {
	if c.RequestBodyBytesMax == 0 {
		c.RequestBodyBytesMax = requestBodyBytesDefault
	}
	if c.AnswerBytesMax == 0 {
		c.AnswerBytesMax = answerBytesDefault
	}
	if c.ClockSkew == 0 {
		c.ClockSkew = clockSkewDefault
	}
	if c.SettleTimeout == 0 {
		c.SettleTimeout = settleTimeoutDefault
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Report == nil {
		c.Report = func(context.Context, error) {}
	}
	return c
}

func (o Offer) requirements() (Requirements, abi.Asset, error) {
	if o.MaxTimeoutSeconds == 0 {
		o.MaxTimeoutSeconds = 60
	}
	asset, err := abi.ERC20(o.Network, o.Asset)
	if err != nil {
		return Requirements{}, "", err
	}
	_, payToOK := decodeHex(o.PayTo, 20, 20)
	if _, evm := o.Network.EIP155(); !evm || !payToOK || o.Name == "" || o.Version == "" || o.Price.IsZero() {
		return Requirements{}, "", errMerchant("", "want an eip155 network, a payTo address, a price above zero, and the token's domain name and version")
	}
	extra, err := marshal(struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}{o.Name, o.Version})
	if err != nil {
		return Requirements{}, "", err
	}
	r := Requirements{
		Scheme: "exact", Network: o.Network, Amount: o.Price, Asset: o.Asset, PayTo: o.PayTo,
		MaxTimeoutSeconds: o.MaxTimeoutSeconds, Extra: extra,
	}
	text, err := EncodeRequirements(r)
	if err != nil {
		return Requirements{}, "", err
	}
	r, err = ParseRequirements(text)
	return r, asset, err
}

func errMerchant(where, message string) *abi.Error {
	return &abi.Error{Code: "merchant_invalid", Message: message, Where: where}
}

// Check asks the facilitator whether it settles every offer; call it before
// serving. The error has code merchant_unsupported, or is the facilitator's.
func (m *Merchant) Check(ctx context.Context) error {
	supported, err := m.config.Facilitator.Supported(ctx)
	if err != nil {
		return fmt.Errorf("ask what the facilitator supports: %w", err)
	}
	for i, offer := range m.offers {
		if !supported.Supports(offer.Scheme, offer.Network) {
			return &abi.Error{
				Code: "merchant_unsupported", Where: fmt.Sprintf("Offers[%d]", i),
				Message: fmt.Sprintf("the facilitator does not settle %s on %s", offer.Scheme, offer.Network),
				Fix:     "choose another facilitator or another network",
			}
		}
	}
	return nil
}

// Handler sells what next answers. See the merchant flow in sell.go for the order
// of events and what a crash at each point leaves behind.
func (m *Merchant) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
}
