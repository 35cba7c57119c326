package cosigner

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/enrol"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
)

// enrolAttemptsMax bounds retries when orders for one agent race.
const enrolAttemptsMax = 4

// Enrol takes an operators' enrolment order into this side's own registry, or ends one. It does not matter who brings
// the order, or how often: one that is in force already changes nothing. Codes: those of enrol.Next,
// "wallet_not_enrolled" and "request_invalid" for a key this side cannot pay from, "orders_not_taken" when no operators
// are configured.
func (c *CoSigner) Enrol(ctx context.Context, o *abi.Order) (err error) {
	if o == nil {
		return invalid("order", "there is no order")
	}
	defer func() { c.refused(ctx, asked{what: "enrol", agent: o.Subject}, err) }()
	if !c.listens() {
		return errNotListening()
	}
	for range enrolAttemptsMax {
		err := c.enrolOnce(ctx, o)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}

func (c *CoSigner) enrolOnce(ctx context.Context, o *abi.Order) error {
	stored, err := c.config.Agents.Agent(ctx, c.config.Tenant, o.Subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("look up agent: %w", err)
	}
	next, changed, err := enrol.Next(stored, o, c.config.Tenant, c.config.Operators, c.config.Now())
	if err != nil || !changed {
		return err
	}
	if !next.Revoked { // an end must not fail for a wallet that is gone
		if _, err := c.keyOf(next); err != nil {
			return err
		}
	}
	next.TokenSHA256 = enrol.NoToken(next.Tenant, next.ID) // no token opens anything here
	entry, err := enrolmentEntry(next, o)
	if err != nil {
		return err
	}
	if _, err := c.config.Agents.PutAgent(ctx, next, entry); err != nil {
		return fmt.Errorf("record enrolment of agent %s: %w", next.ID, err)
	}
	return nil
}

func enrolmentEntry(agent store.Agent, o *abi.Order) (store.Entry, error) {
	hash, err := order.Hash(o)
	if err != nil {
		return store.Entry{}, err
	}
	kind := "cosigner.enrolled"
	if agent.Revoked {
		kind = "cosigner.revoked"
	}
	return entryOf(kind, "", map[string]any{
		"agent": agent.ID, "wallet": agent.Wallet, "derived": agent.Derived, "public_key": hex.EncodeToString(agent.PublicKey),
		"serial": o.Serial, "order_sha256": hex.EncodeToString(hash[:]), "order": o,
	})
}

// checkOperators refuses half a registry: operators whose orders could not be kept.
func checkOperators(config Config) error {
	if len(config.Operators.Keys) == 0 && config.Operators.Quorum == 0 {
		return nil
	}
	if config.Agents == nil {
		return errors.New("open co-signer: Agents is required with Operators")
	}
	if err := config.Operators.Check(); err != nil {
		return fmt.Errorf("open co-signer: %w", err)
	}
	return nil
}

// listens reports whether operators say who may pay. Without any, in one process with the runtime, its word has to do.
func (c *CoSigner) listens() bool { return len(c.config.Operators.Keys) > 0 }

// enrolled is what operators said of an agent to this side. A name nobody enrolled is refused: budgets are counted by
// agent, so made-up agents would be made-up budgets.
func (c *CoSigner) enrolled(ctx context.Context, id string) (store.Agent, error) {
	agent, err := c.config.Agents.Agent(ctx, c.config.Tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Agent{}, &abi.Error{
			Code: "agent_unknown", Where: "agent", Message: fmt.Sprintf("no operator enrolled agent %.70q at this co-signer", id),
			Fix: "nothing was promised; hand the agent's enrolment order to the co-signer",
		}
	}
	if err != nil {
		return store.Agent{}, fmt.Errorf("look up agent: %w", err)
	}
	return agent, nil
}

// verify checks that the claim is the agent's own, and reports whether its key says so.
func (c *CoSigner) verify(ctx context.Context, intent *abi.Intent) (signed bool, err error) {
	if !c.listens() {
		return false, nil
	}
	agent, err := c.enrolled(ctx, intent.Agent)
	if err != nil {
		return false, err
	}
	return enrol.Claim(agent, intent, c.config.Now())
}

// walletOf is the key that an agent's payments are signed with: never what the request says, always what the registry
// says. An agent whose access ended has none.
func (c *CoSigner) walletOf(ctx context.Context, wallet signer.Wallet, id string) (signer.Wallet, error) {
	if !c.listens() {
		return wallet.At("")
	}
	agent, err := c.enrolled(ctx, id)
	if err != nil {
		return signer.Wallet{}, err
	}
	if agent.Revoked {
		return signer.Wallet{}, enrol.Revoked(id)
	}
	return enrol.Wallet(agent, wallet)
}

// armWallet is walletOf for the wallet that a request to arm names.
func (c *CoSigner) armWallet(ctx context.Context, request *abi.ArmRequest) (signer.Wallet, error) {
	key, ok := c.config.Keys[request.Wallet]
	if !ok {
		return signer.Wallet{}, invalid("wallet", "this co-signer holds no share of the wallet")
	}
	return c.walletOf(ctx, key.Wallet, request.Intent.Agent)
}

// mayFinish refuses to sign what was promised to an agent whose access ended since, or whose key is another one now. The
// promise itself stays until the chain, or a tombstone, ends it.
func (c *CoSigner) mayFinish(ctx context.Context, agent string, promise *abi.Armed) error {
	key, ok := c.config.Keys[promise.Wallet]
	if !ok {
		return invalid("wallet", "this co-signer holds no share of the wallet")
	}
	wallet, err := c.walletOf(ctx, key.Wallet, agent)
	if err != nil {
		return err
	}
	if wallet.Derivation.Path != promise.Path || uint64(wallet.Epoch) != promise.Epoch {
		return invalid("path", "the agent pays from another key now")
	}
	return nil
}

// keyOf is walletOf before the agent is on record.
func (c *CoSigner) keyOf(agent store.Agent) (signer.Wallet, error) {
	key, ok := c.config.Keys[agent.Wallet]
	if !ok {
		return signer.Wallet{}, &abi.Error{
			Code: "wallet_not_enrolled", Where: agent.Wallet, Message: "this co-signer holds no share of the wallet",
			Fix: "nothing changed; enrol the agent for a wallet that both signers hold",
		}
	}
	return enrol.Wallet(agent, key.Wallet)
}
