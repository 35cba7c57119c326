package client

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"time"

	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/signer/request"
)

// Signing returns a client that signs every payment it asks for with the agent's own key, for request.LifeDefault by
// this machine's clock. A payment that waits longer for a person is denied; ask again with the same key then.
func (c *Client) Signing(key ed25519.PrivateKey) *Client {
	signing := *c
	signing.sign = func(params api.PayParams) (api.PayParams, error) { // a function prints as an address, a key as itself
		return Sign(params, key, time.Now().Add(request.LifeDefault))
	}
	return &signing
}

// Sign completes the parameters with the agent's signature. Everything the signature covers has to be final: method
// (absent is GET), url, body, ceiling and idempotency key. expires is at most request.LifeMax ahead. Codes:
// "request_malformed".
func Sign(params api.PayParams, key ed25519.PrivateKey, expires time.Time) (api.PayParams, error) {
	if params.Method == "" {
		params.Method = http.MethodGet
	}
	asked, err := request.New(params.Method, params.URL, params.Body, params.AmountMax, params.Key, expires)
	if err != nil {
		return params, err
	}
	if err := request.Sign(asked, key); err != nil {
		return params, err
	}
	params.Signed, err = request.Encode(asked)
	return params, err
}

func (c *Client) payment(ctx context.Context, path string, params api.PayParams) (api.View, error) {
	if c.sign != nil && params.Signed == "" {
		signed, err := c.sign(params)
		if err != nil {
			return api.View{}, err
		}
		params = signed
	}
	return post[api.View](ctx, c, path, params)
}
