package runtime

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/enrol"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
)

// Enroller takes operators' enrolment orders on the other side. It verifies each by its own configuration, so carrying
// one needs no trust. Offered again, an order that is in force already changes nothing and is no error.
type Enroller interface {
	Accept(ctx context.Context, o *abi.Order) error
}

// enrolAttemptsMax bounds retries when changes of one agent race.
const enrolAttemptsMax = 4

// unknownThere are the co-signer's answers that an enrolment it has not heard of may explain.
var unknownThere = []string{"agent_unknown", "agent_revoked", "wallet_not_enrolled", "signature_required", "signature_unexpected", "request_forged"}

// EnrolAgent takes an operators' enrolment order into this side's registry and hands it to the co-signer. The token is
// that of an agent that was not known before, and zero otherwise: an agent keeps its token. groups, when not nil, are
// the agent's from now on. An order that is in force already is only handed on. A co-signer that cannot be reached is
// told later; one that refuses leaves this side unchanged. Codes: those of enrol.Next, the co-signer's,
// "orders_not_taken" without operators.
func (r *Runtime) EnrolAgent(ctx context.Context, o *abi.Order, groups []string) (store.Agent, Token, error) {
	if !r.listens() {
		return store.Agent{}, Token{}, &abi.Error{Code: "orders_not_taken", Message: "no operators are configured whose orders could count", Fix: "name them with their keys in the configuration, or use: purser agent create"}
	}
	if o == nil {
		return store.Agent{}, Token{}, &abi.Error{Code: "request_invalid", Where: "order", Message: "there is no order"}
	}
	for range enrolAttemptsMax {
		agent, token, err := r.enrolOnce(ctx, o, groups)
		if !errors.Is(err, store.ErrConflict) {
			return agent, token, err
		}
	}
	return store.Agent{}, Token{}, store.ErrConflict
}

func (r *Runtime) enrolOnce(ctx context.Context, o *abi.Order, groups []string) (store.Agent, Token, error) {
	stored, err := r.config.Agents.Agent(ctx, r.config.Tenant, o.Subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Agent{}, Token{}, fmt.Errorf("look up agent: %w", err)
	}
	next, changed, err := enrol.Next(stored, o, r.config.Tenant, r.config.Operators, r.config.Now())
	if err != nil {
		return store.Agent{}, Token{}, err
	}
	if !next.Revoked { // an end must not fail for a wallet that is gone
		if _, err := r.accountOf(next); err != nil {
			return store.Agent{}, Token{}, err
		}
	}
	if err := r.tellCoSigner(ctx, o); err != nil {
		return store.Agent{}, Token{}, err
	}
	if !changed {
		return stored, Token{}, nil
	}
	if groups != nil {
		next.Groups = groups
	}
	if stored.Version == 0 {
		next.TokenSHA256 = enrol.NoToken(next.Tenant, next.ID)
	}
	switch {
	case next.Revoked:
		return next, Token{}, r.putAgent(ctx, next, "agent.revoked")
	case next.TokenSHA256 == enrol.NoToken(next.Tenant, next.ID):
		token, err := r.putToken(ctx, next, "agent.enrolled")
		return next, token, err
	}
	return next, Token{}, r.putAgent(ctx, next, "agent.enrolled")
}

// tellCoSigner hands an order over. Only a refusal is an error.
func (r *Runtime) tellCoSigner(ctx context.Context, o *abi.Order) error {
	if r.config.Enroller == nil {
		return nil
	}
	err := r.config.Enroller.Accept(ctx, o)
	var refused *abi.Error
	if err == nil || errors.As(err, &refused) && (refused.Retry == "" || refused.Retry == abi.RetryNever) {
		return err
	}
	r.config.Log.WarnContext(ctx, "the co-signer has not heard of an enrolment yet; it is told with the agent's next payment", "agent", o.Subject, "error", err.Error())
	return nil
}

// consultFor asks the co-signer about a payment of an agent. One that does not know the agent as this side does is told
// its enrolment and asked once more.
func (r *Runtime) consultFor(ctx context.Context, id string, request *abi.ConsultRequest) (*abi.Decision, error) {
	decision, err := r.consult(ctx, request)
	if err == nil || r.config.Enroller == nil || !slices.Contains(unknownThere, abi.CodeOf(err)) {
		return decision, err
	}
	agent, lookup := r.Agent(ctx, id)
	if lookup != nil {
		return nil, lookup
	}
	o, lookup := enrol.Order(agent)
	if lookup != nil {
		return nil, lookup
	}
	if o == nil {
		return nil, err
	}
	if offered := r.config.Enroller.Accept(ctx, o); offered != nil {
		r.config.Log.WarnContext(ctx, "the co-signer does not take an enrolment", "agent", id, "code", abi.CodeOf(offered), "error", offered.Error())
		return nil, err
	}
	return r.consult(ctx, request)
}

// listens reports whether operators say who may pay.
func (r *Runtime) listens() bool { return len(r.config.Operators.Keys) > 0 }

// checkOperators refuses operators nobody could act as.
func checkOperators(operators order.Operators) error {
	if len(operators.Keys) == 0 && operators.Quorum == 0 {
		return nil
	}
	return operators.Check()
}

// accountOf is the wallet an agent pays from, with the key at the agent's own place under it when it is derived.
func (r *Runtime) accountOf(agent store.Agent) (Account, error) {
	account, ok := r.config.Wallets[agent.Wallet]
	if !ok {
		return Account{}, &abi.Error{Code: "wallet_missing", Where: agent.Wallet, Message: "the agent's wallet is not configured"}
	}
	wallet, err := enrol.Wallet(agent, account.Wallet)
	account.Wallet = wallet
	return account, err
}

// AgentView is an agent as the operator sees it. Its payer address is empty when its wallet is not configured here.
func (r *Runtime) AgentView(agent store.Agent) (api.AgentView, error) {
	view := api.AgentView{
		ID: agent.ID, Wallet: agent.Wallet, Derived: agent.Derived, Groups: agent.Groups, Revoked: agent.Revoked,
		PublicKey: hex.EncodeToString(agent.PublicKey), Requests: api.RequestsBearer,
	}
	if len(agent.PublicKey) == ed25519.PublicKeySize {
		view.Requests = api.RequestsSigned
	}
	o, err := enrol.Order(agent)
	if err != nil {
		return view, err
	}
	if o != nil {
		view.Serial = o.Serial
	}
	if account, err := r.accountOf(agent); err == nil { // a wallet that is gone is not the agent's fault
		view.Address = account.Wallet.Address
	}
	return view, nil
}
