package runtime

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/secret"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/enrol"
	"github.com/purserhq/purser/runtime/store"
)

// Token is an agent's bearer credential. Only its hash is stored. It prints as [redacted]; Reveal gives
// the text once, to whoever created it.
type Token struct {
	secret.Hidden
	text string
}

const (
	tokenPrefix = "purser_"
	tokenBytes  = 32
)

// Reveal returns the secret itself.
func (t Token) Reveal() string { return t.text }

var agentPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// CreateAgent registers an agent and returns its token, which is not stored and cannot be shown again.
func (r *Runtime) CreateAgent(ctx context.Context, id, wallet string, groups []string) (Token, error) {
	return r.RegisterAgent(ctx, api.AgentParams{Agent: id, Wallet: wallet, Groups: groups})
}

// RegisterAgent is CreateAgent for an agent that may have a key it signs its requests with. Where operators are
// configured it is refused with code enrolment_required: their orders say who pays.
func (r *Runtime) RegisterAgent(ctx context.Context, params api.AgentParams) (Token, error) {
	id, wallet, groups := params.Agent, params.Wallet, params.Groups
	if r.listens() {
		return Token{}, &abi.Error{Code: "enrolment_required", Where: id, Message: "operators enrol the agents of this runtime", Fix: "sign an enrolment with: purser agent create --operator NAME --operator-key FILE"}
	}
	if params.Derived { // the co-signer would not know that the agent has a key of its own
		return Token{}, &abi.Error{Code: "request_invalid", Where: "derived", Message: "a key of its own needs an operator's enrolment", Fix: "configure operators, or let the agent pay from the wallet itself"}
	}
	public, err := hex.DecodeString(params.PublicKey)
	if err != nil || len(public) != 0 && len(public) != ed25519.PublicKeySize {
		return Token{}, &abi.Error{Code: "request_invalid", Where: "public_key", Message: "the key is not an Ed25519 public key in hex", Fix: "make one with: purser agent keygen FILE"}
	}
	if !agentPattern.MatchString(id) {
		return Token{}, &abi.Error{Code: "request_invalid", Where: "agent", Message: fmt.Sprintf("%.70q is not an agent id", id), Fix: "use 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit"}
	}
	if _, ok := r.config.Wallets[wallet]; !ok {
		return Token{}, &abi.Error{Code: "request_invalid", Where: "wallet", Message: fmt.Sprintf("there is no wallet %.70q", wallet)}
	}
	return r.putToken(ctx, store.Agent{Tenant: r.config.Tenant, ID: id, Wallet: wallet, Groups: groups, PublicKey: public}, "agent.created")
}

// RotateAgent replaces an agent's token; the old one stops working in the same transaction. A revoked agent stays
// revoked: its access ended for a reason.
func (r *Runtime) RotateAgent(ctx context.Context, id string) (Token, error) {
	agent, err := r.Agent(ctx, id)
	if err != nil {
		return Token{}, err
	}
	if agent.Revoked {
		return Token{}, errRevoked(id)
	}
	return r.putToken(ctx, agent, "agent.rotated")
}

// RevokeAgent ends an agent's access. Payments it has under way finish as far as they are armed.
func (r *Runtime) RevokeAgent(ctx context.Context, id string) error {
	agent, err := r.Agent(ctx, id)
	if err != nil {
		return err
	}
	agent.Revoked = true
	return r.putAgent(ctx, agent, "agent.revoked")
}

// ListAgents returns all agents in order of id.
func (r *Runtime) ListAgents(ctx context.Context) ([]store.Agent, error) {
	return r.config.Agents.ListAgents(ctx, r.config.Tenant)
}

// Authenticate finds the agent of a token. An unknown and a revoked token are told apart only by their code.
func (r *Runtime) Authenticate(ctx context.Context, token string) (store.Agent, error) {
	agent, err := r.config.Agents.AgentByToken(ctx, sha256.Sum256([]byte(token)))
	if errors.Is(err, store.ErrNotFound) || err == nil && agent.Tenant != r.config.Tenant {
		return store.Agent{}, &abi.Error{Code: "unauthorized", Message: "the token is not known", Fix: "create one with: purser agent create"}
	}
	if err != nil {
		return store.Agent{}, fmt.Errorf("look up token: %w", err)
	}
	if agent.Revoked {
		return store.Agent{}, errRevoked(agent.ID)
	}
	return agent, nil
}

func (r *Runtime) putToken(ctx context.Context, agent store.Agent, kind string) (Token, error) {
	secret := make([]byte, tokenBytes)
	if _, err := io.ReadFull(r.config.Random, secret); err != nil {
		return Token{}, fmt.Errorf("make token: %w", err)
	}
	token := Token{text: tokenPrefix + base64.RawURLEncoding.EncodeToString(secret)}
	agent.TokenSHA256 = sha256.Sum256([]byte(token.text))
	return token, r.putAgent(ctx, agent, kind)
}

func (r *Runtime) putAgent(ctx context.Context, agent store.Agent, kind string) error {
	detail := map[string]any{"agent": agent.ID, "wallet": agent.Wallet, "groups": agent.Groups}
	if len(agent.PublicKey) > 0 {
		detail["public_key"] = hex.EncodeToString(agent.PublicKey)
	}
	enrolment, err := enrol.Order(agent)
	if err != nil {
		return err
	}
	if enrolment != nil {
		detail["derived"], detail["enrolment"] = agent.Derived, enrolment
	}
	entry, err := newEntry(kind, "", detail)
	if err != nil {
		return err
	}
	if _, err := r.config.Agents.PutAgent(ctx, agent, entry); err != nil {
		if errors.Is(err, store.ErrConflict) {
			return &abi.Error{Code: "conflict", Where: agent.ID, Message: "the agent exists already, or changed meanwhile", Fix: "list the agents, then rotate or choose another id"}
		}
		return fmt.Errorf("record agent %s: %w", agent.ID, err)
	}
	r.tail.wake()
	return nil
}

// Agent returns one agent, revoked or not.
func (r *Runtime) Agent(ctx context.Context, id string) (store.Agent, error) {
	agent, err := r.config.Agents.Agent(ctx, r.config.Tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Agent{}, &abi.Error{Code: "not_found", Where: id, Message: "no such agent", Fix: "create it with: purser agent create"}
	}
	if err != nil {
		return store.Agent{}, fmt.Errorf("look up agent %s: %w", id, err)
	}
	return agent, nil
}

// account returns the wallet the payment's agent pays from, if it may sign for the offer's network.
func (r *Runtime) account(ctx context.Context, p Payment) (Account, error) {
	agent, err := r.Agent(ctx, p.Agent)
	if err != nil {
		return Account{}, err
	}
	account, err := r.accountOf(agent)
	if err != nil {
		return Account{}, err
	}
	return account, account.Wallet.MaySign(abi.Network(p.Offer.Quote.Network))
}
