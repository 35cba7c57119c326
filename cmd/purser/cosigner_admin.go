package main

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/signer/cosigner"
	"github.com/purserhq/purser/signer/link"
	"github.com/purserhq/purser/signer/standing"
)

// What an operator may ask the co-signer itself, past the runtime.
const (
	pathLive        = "/v1/admin/live"
	pathFreezes     = "/v1/admin/freezes"
	pathQuarantines = "/v1/admin/quarantines"
	pathPeerStore   = "/v1/admin/peer-store"
)

// liveView is an authorization that could still be used.
type liveView struct {
	Payment string     `json:"payment"`
	Agent   string     `json:"agent"`
	Wallet  string     `json:"wallet"`
	Payer   string     `json:"payer"`
	Payee   string     `json:"payee"`
	Asset   abi.Asset  `json:"asset"`
	Amount  abi.Amount `json:"amount"`
	Nonce   string     `json:"nonce"`
	Expires time.Time  `json:"expires"`
	// Spent: a signature may exist. Otherwise none does, and none can while the wallet is frozen.
	Spent bool `json:"spent"`
}

type freezeView struct {
	ID    string `json:"id"`
	Scope string `json:"scope"`
}

// quarantineKey names a plugin that is not called any more; with no agent, for everybody.
type quarantineKey struct {
	Policy string `json:"policy"`
	Plugin string `json:"plugin"`
	Agent  string `json:"agent"`
}

// peerStore is a ledger of the runtime's that an operator vouches for, and the head from which it goes on.
type peerStore struct {
	Store string `json:"store"`
	Head  uint64 `json:"head"`
}

// done answers what has nothing to tell.
type done struct {
	OK bool `json:"ok"`
}

func (s *stack) cosignerAdmin() map[string]http.Handler {
	c := s.cosigner
	return map[string]http.Handler{
		"GET " + pathLive: link.AnswerJSON(func(ctx context.Context, _ struct{}) ([]liveView, error) {
			live, err := c.LiveAuthorizations(ctx)
			return viewLive(live), err
		}),
		"GET " + pathFreezes: link.AnswerJSON(func(ctx context.Context, _ struct{}) ([]freezeView, error) {
			freezes, err := c.Freezes(ctx)
			return viewFreezes(freezes), err
		}),
		"GET " + pathQuarantines: link.AnswerJSON(func(context.Context, struct{}) ([]judge.Quarantine, error) {
			return c.Quarantines(), nil
		}),
		"POST " + pathQuarantines: link.AnswerJSON(func(_ context.Context, in quarantineKey) (done, error) {
			c.ClearQuarantine(in.Policy, in.Plugin, in.Agent)
			return done{true}, nil
		}),
		"POST " + pathPeerStore: link.AnswerJSON(func(ctx context.Context, in peerStore) (done, error) {
			return done{true}, c.AcceptPeerStore(ctx, in.Store, in.Head)
		}),
	}
}

func viewLive(live []cosigner.LiveAuthorization) []liveView {
	views := make([]liveView, 0, len(live))
	for _, l := range live {
		views = append(views, liveView{
			Payment: l.Payment, Agent: l.Agent, Wallet: l.Wallet, Payer: l.Payer, Payee: l.Payee, Asset: l.Asset, Amount: l.Amount,
			Nonce: "0x" + hex.EncodeToString(l.Nonce[:]), Expires: time.Unix(int64(l.ExpiresUnixS), 0).UTC(), Spent: l.Spent, //nolint:gosec // at most 2^53-1, by the codec
		})
	}
	return views
}

func viewFreezes(freezes []standing.Freeze) []freezeView {
	views := make([]freezeView, 0, len(freezes))
	for _, f := range freezes {
		views = append(views, freezeView{ID: f.ID, Scope: f.Scope.String()})
	}
	return views
}
