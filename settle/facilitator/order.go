package facilitator

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/x402"
)

const (
	schemeExact = "exact"
	// expiryMargin is what must be left of an authorization's life to have it mined.
	expiryMargin        = 6 * time.Second
	transferMethodPlain = "eip3009"
	secondsMax          = 1<<53 - 1 // what a journal and every JSON library can hold
	domainTextBytesMax  = 256
)

// token is what the facilitator knows of an asset it settles.
type token struct {
	asset         abi.Asset
	contract      evm.Address
	name, version string // of its EIP-712 domain, as the contract says
}

// order is a payment whose shape is right.
type order struct {
	token                     token
	chainID                   uint64
	domainName, domainVersion string // as the offer says
	payerText                 string // as received, for answers
	payer, payee              evm.Address
	value                     abi.Amount
	validAfter, validBefore   uint64
	nonce                     evm.Hash
	signature                 []byte
}

func (o order) key() ClaimKey {
	return ClaimKey{Asset: o.token.asset, Payer: o.payer, Nonce: o.nonce}
}

// fingerprint identifies the signed bytes: all that the chain will be shown.
func (o order) fingerprint() [32]byte {
	sum := sha256.New()
	sum.Write(o.digest())
	sum.Write(o.signature)
	return [32]byte(sum.Sum(nil))
}

// read checks everything that needs no chain, in the official order, so that the
// first reason is the official one. Time is left out for a payment that is already
// being settled: its answer must not change because its window closed meanwhile.
func (f *Facilitator) read(ctx context.Context, request x402.FacilitatorRequest, checkTime func(order) *refusal) (order, *refusal, error) {
	offer, echo := request.PaymentRequirements, request.PaymentPayload.Accepted
	if offer.Scheme != schemeExact || echo.Scheme != schemeExact {
		return order{}, refuse(reasonScheme, "only scheme %q is settled here", schemeExact), nil
	}
	name, version, no := domainOf(offer.Extra)
	if no != nil {
		return order{}, no, nil
	}
	if echo.Network != offer.Network {
		return order{}, refuse(reasonNetworkMismatch, "the payment is for %s, the offer for %s", echo.Network, offer.Network), nil
	}
	if offer.Network != f.config.RPC.Network() {
		return order{}, refuse(reasonNetwork, "only %s is settled here", f.config.RPC.Network()), nil
	}
	tok, no, err := f.tokenOf(ctx, offer)
	if no != nil || err != nil {
		return order{}, no, err
	}
	signed, err := x402.ParseExactEVM(request.PaymentPayload.Payload)
	if err != nil {
		no, ok := shapeRefusal(err)
		if !ok {
			no = refuse(reasonPayload, "the payload is not one of scheme exact")
		}
		return order{}, no, nil
	}
	a := signed.Authorization
	o := order{
		token: tok, chainID: f.chainID, domainName: name, domainVersion: version, payerText: a.From, value: a.Value,
		validAfter: a.ValidAfter, validBefore: a.ValidBefore, nonce: a.Nonce, signature: signed.Signature,
	}
	if o.payer, err = evm.ParseAddress(a.From); err != nil {
		return o, refuse(reasonPayload, "payload.authorization.from is not an address"), nil //nolint:nilerr // a peer's bad input is a refusal, not a failure
	}
	if o.payee, err = evm.ParseAddress(a.To); err != nil {
		return o, refuse(reasonPayload, "payload.authorization.to is not an address"), nil //nolint:nilerr // a peer's bad input is a refusal, not a failure
	}
	no, err = f.checkTerms(ctx, o, offer, checkTime)
	return o, no, err
}

func (f *Facilitator) checkTerms(ctx context.Context, o order, offer x402.Requirements, checkTime func(order) *refusal) (*refusal, error) {
	if o.wrappedForFactory() {
		return refuse(reasonFactory, "wallets that are not deployed cannot pay here"), nil
	}
	if !o.signedByPayer() {
		// It may be a contract wallet's; then the simulation lets the token judge.
		code, err := f.config.RPC.Code(ctx, o.payer)
		if err != nil {
			return nil, fmt.Errorf("read code of payer: %w", err)
		}
		if len(code) == 0 {
			return refuse(reasonSignature, "the signature is not the payer's: want 65 bytes, low s, v 27 or 28, over the offer's domain"), nil
		}
	}
	payTo, err := evm.ParseAddress(offer.PayTo)
	if err != nil {
		return refuse(reasonRequirements, "paymentRequirements.payTo is not an address"), nil //nolint:nilerr // a peer's bad input is a refusal, not a failure
	}
	if payTo != o.payee {
		return refuse(reasonRecipient, "the payment is to %s, the offer to %s", o.payee, payTo), nil
	}
	if no := checkTime(o); no != nil {
		return no, nil
	}
	if o.value != offer.Amount {
		return refuse(reasonValue, "the payment is of %s, the offer of %s", o.value, offer.Amount), nil
	}
	return nil, nil
}

// inTime checks the window against our clock. The chain's clock is asked by the
// simulation.
func (f *Facilitator) inTime(o order) *refusal {
	now := f.config.Now()
	if deadline := now.Add(expiryMargin).Unix(); deadline < 0 || o.validBefore < uint64(deadline) {
		return refuse(reasonValidBefore, "the authorization ends at %d, it is %d and a block is needed", o.validBefore, now.Unix())
	}
	if o.validBefore > secondsMax {
		return refuse(reasonValidBefore, "the authorization ends at %d, which is no date", o.validBefore)
	}
	if o.validAfter > uint64(max(now.Unix(), 0)) {
		return refuse(reasonValidAfter, "the authorization starts at %d, it is %d", o.validAfter, now.Unix())
	}
	return nil
}

func anyTime(order) *refusal { return nil }

func (f *Facilitator) tokenOf(ctx context.Context, offer x402.Requirements) (token, *refusal, error) {
	asset, err := abi.ERC20(offer.Network, offer.Asset)
	if err != nil {
		return token{}, refuse(reasonRequirements, "paymentRequirements.asset is not a token address"), nil //nolint:nilerr // a peer's bad input is a refusal, not a failure
	}
	if tok, ok := f.tokens[asset]; ok {
		return tok, nil, nil
	}
	contract, err := evm.ParseAddress(asset.Reference())
	if err != nil {
		return token{}, refuse(reasonRequirements, "paymentRequirements.asset is not a token address"), nil //nolint:nilerr // a peer's bad input is a refusal, not a failure
	}
	code, err := f.config.RPC.Code(ctx, contract)
	if err != nil {
		return token{}, nil, fmt.Errorf("read code of asset: %w", err)
	}
	if len(code) == 0 {
		return token{}, refuse(reasonAssetWithoutCode, "there is no contract at %s", contract), nil
	}
	return token{}, refuse(reasonRequirements, "asset %s is not settled here", contract), nil
}

// domainOf reads the members of an offer's extra that scheme exact needs. Names are
// compared byte for byte: encoding/json would take "Name" for "name".
func domainOf(extra json.RawMessage) (name, version string, no *refusal) {
	var members map[string]json.RawMessage
	if len(extra) > 0 && json.Unmarshal(extra, &members) != nil {
		return "", "", refuse(reasonMissingDomain, "extra is not an object")
	}
	texts := map[string]string{}
	for _, key := range []string{"name", "version", "assetTransferMethod"} {
		var text string
		if raw, ok := members[key]; ok && json.Unmarshal(raw, &text) != nil {
			return "", "", refuse(reasonMissingDomain, "extra.%s is not a string", key)
		}
		texts[key] = text
	}
	name, version = texts["name"], texts["version"]
	if name == "" || version == "" || len(name)+len(version) > domainTextBytesMax {
		return "", "", refuse(reasonMissingDomain, "extra.name and extra.version must name the token's EIP-712 domain")
	}
	if method := texts["assetTransferMethod"]; method != "" && method != transferMethodPlain {
		return "", "", refuse(reasonTransferMethod, "only assetTransferMethod %q is settled here", transferMethodPlain)
	}
	return name, version, nil
}
