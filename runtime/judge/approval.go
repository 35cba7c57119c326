package judge

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
)

const approvalDomain = "purser.approval.v1"

// NewStatement is what an approver is asked to sign for an intent: its payee, asset, network and resource, and its
// amount as the ceiling.
func NewStatement(intent abi.Intent, approver string, approve bool, expires time.Time, policySHA256 []byte) abi.ApprovalStatement {
	return abi.ApprovalStatement{
		Domain: approvalDomain, Payment: intent.Payment, Approve: approve, Approver: approver, Agent: intent.Agent,
		Payee: intent.Payee, Asset: intent.Asset, Network: intent.Network, ResourceURL: intent.URL,
		AmountMax: intent.Amount, ExpiresUnixS: unixOf(expires), PolicySHA256: policySHA256,
	}
}

// SignStatement signs with an approver's key: Ed25519 over the statement without its signature.
func SignStatement(statement *abi.ApprovalStatement, key ed25519.PrivateKey) error {
	message, err := statementMessage(*statement)
	if err != nil {
		return err
	}
	statement.Signature = ed25519.Sign(key, message)
	return nil
}

func statementMessage(statement abi.ApprovalStatement) ([]byte, error) {
	statement.Signature = nil
	message, err := statement.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode approval statement: %w", err)
	}
	return message, nil
}

// CheckStatement refuses a statement that is not signed by an approver of the agent's policy, is signed by the agent's
// own key (requester, empty for none), is about another payment or other terms, or has expired. It says nothing about
// the amount: the rules compare that with the price of the moment.
func (j *Judge) CheckStatement(statement abi.ApprovalStatement, intent abi.Intent, requester ed25519.PublicKey, now time.Time) error {
	policy, ok := j.bundle.For(intent.Agent)
	if !ok {
		return badStatement("agent", "no policy names the payment's agent")
	}
	return j.checkStatement(policy, statement, intent, requester, now)
}

func (j *Judge) checkStatement(policy *rules.Policy, statement abi.ApprovalStatement, intent abi.Intent, requester ed25519.PublicKey, now time.Time) error {
	key := approverKey(policy, statement.Approver)
	if key != nil && requester.Equal(key) {
		return badStatement("approver", "the approver's key is the key of the agent that asks")
	}
	message, err := statementMessage(statement)
	if key == nil || err != nil || !ed25519.Verify(key, message, statement.Signature) {
		return badStatement("signature", "the statement is not signed by an approver of this policy")
	}
	for _, field := range []struct{ name, signed, intended string }{
		{"domain", statement.Domain, approvalDomain},
		{"payment", statement.Payment, intent.Payment},
		{"agent", statement.Agent, intent.Agent},
		{"payee", statement.Payee, intent.Payee},
		{"asset", statement.Asset, intent.Asset},
		{"network", statement.Network, intent.Network},
		{"resource_url", statement.ResourceURL, intent.URL},
	} {
		if field.signed != field.intended {
			return badStatement(field.name, fmt.Sprintf("the statement says %.80q, the payment %.80q", field.signed, field.intended))
		}
	}
	if statement.ExpiresUnixS <= unixOf(now) {
		return badStatement("expires_unix_s", "the statement has expired")
	}
	return nil
}

func approverKey(policy *rules.Policy, name string) ed25519.PublicKey {
	for _, approver := range policy.Approvers() {
		if approver.Name != name {
			continue
		}
		if key, err := hex.DecodeString(approver.Key); err == nil && len(key) == ed25519.PublicKeySize {
			return key
		}
	}
	return nil
}

func badStatement(where, message string) error {
	return &abi.Error{Code: "approval_invalid", Where: where, Message: message, Fix: "sign the statement for exactly this payment with an approver's key"}
}

// approvals turns the statements that hold into facts. One that does not hold counts for nothing here; the payment
// then stays held, and the approver was told when it came in.
func (j *Judge) approvals(policy *rules.Policy, c Case, now time.Time) []abi.Approval {
	var valid []abi.Approval
	for _, statement := range c.Approvals[:min(len(c.Approvals), abi.ApprovalsMax)] {
		if statement.Approve && j.checkStatement(policy, statement, c.Intent, c.Requester, now) == nil {
			valid = append(valid, abi.Approval{Approver: statement.Approver, AmountMax: statement.AmountMax, ExpiresUnixS: statement.ExpiresUnixS})
		}
	}
	return valid
}

// PaymentID is H(tenant, agent, key) behind a prefix, within the 16 to 128 characters of x402's payment-identifier.
func PaymentID(tenant, agent, key string) string {
	hash := sha256.New()
	for _, part := range []string{"purser.payment.v1", tenant, agent, key} {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return "pay_" + hex.EncodeToString(hash.Sum(nil)[:16])
}

// DecisionHash names a decision in what both sides sign: SHA-256 over its wire bytes.
func DecisionHash(decision *abi.Decision) ([32]byte, error) {
	encoded, err := decision.Marshal()
	if err != nil {
		return [32]byte{}, fmt.Errorf("encode decision: %w", err)
	}
	return sha256.Sum256(encoded), nil
}
