package enrol

import (
	"crypto/ed25519"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/request"
)

// Claim checks that an intent is the agent's own: an agent with a key signed exactly this, and the signature holds now.
// signed is false for an agent that is enrolled without a key: then the bearer token that a runtime saw is all there is,
// and a co-signer has nothing but the runtime's word for it. Codes: "agent_revoked", "signature_required",
// "signature_unexpected" and those of package request.
func Claim(agent store.Agent, intent *abi.Intent, now time.Time) (signed bool, err error) {
	if agent.Revoked {
		return false, Revoked(agent.ID)
	}
	if err := presence(agent, intent.Request); err != nil || len(agent.PublicKey) == 0 {
		return false, err
	}
	if err := request.Verify(intent.Request, ed25519.PublicKey(agent.PublicKey), now); err != nil {
		return false, err
	}
	return true, request.Matches(intent.Request, intent)
}

// presence is whether there must be a signature. One that nobody can check is refused rather than passed on: a log that
// shows it would say more than is known.
func presence(agent store.Agent, signed *abi.AgentRequest) error {
	switch {
	case len(agent.PublicKey) > 0 && signed == nil:
		return &abi.Error{
			Code: "signature_required", Where: agent.ID, Message: "the agent has a key, and its request is not signed",
			Fix: "sign it: docs/api.md says how, and purser pay does with --agent-key",
		}
	case len(agent.PublicKey) == 0 && signed != nil:
		return &abi.Error{
			Code: "signature_unexpected", Where: agent.ID, Message: "the request is signed, and the agent is not known by any key",
			Fix: "register the agent with its public key, or send the request unsigned",
		}
	}
	return nil
}

// Path is where the agent's key lies under its wallet: its own place when it is derived, else the wallet itself. It
// follows from the names in the registry, so that no request can ask for another agent's.
func Path(agent store.Agent) string {
	if !agent.Derived {
		return ""
	}
	return signer.AgentPath(agent.Tenant, agent.ID)
}

// Wallet is the key the agent pays from, with its address. root must be the agent's wallet. Code
// "wallet_not_enrolled".
func Wallet(agent store.Agent, root signer.Wallet) (signer.Wallet, error) {
	if agent.Wallet != root.ID {
		return signer.Wallet{}, &abi.Error{
			Code: "wallet_not_enrolled", Where: agent.ID, Message: "the agent is not enrolled for this wallet",
			Fix: "nothing was promised; enrol it again for the wallet it shall pay from",
		}
	}
	return root.At(Path(agent))
}

// Revoked is the error of an agent whose access ended.
func Revoked(agent string) error {
	return &abi.Error{Code: "agent_revoked", Where: agent, Message: "the agent's access was revoked", Fix: "ask the operator"}
}
