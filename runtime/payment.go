package runtime

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
)

// Payment is the runtime's row for one intent. Its fields are filled as it moves; nothing that is filled after Armed
// ever changes. The JSON form is the ledger's row body and stays on this host: agents and operators get a View.
type Payment struct {
	ID      string    `json:"-"`
	Tenant  string    `json:"-"`
	Agent   string    `json:"-"`
	Key     string    `json:"-"`
	State   State     `json:"-"`
	Version uint64    `json:"-"`
	Slot    string    `json:"-"`
	Due     time.Time `json:"-"`
	Created time.Time `json:"-"`
	Updated time.Time `json:"-"`

	// Ask is what the agent asked for, and never changes.
	Ask Ask `json:"ask"`
	// Origin is the server the host connected to, Offer the terms it froze. Both are read again after an approval.
	Origin string        `json:"origin,omitempty"`
	Offer  *settle.Offer `json:"offer,omitempty"`
	// Decision is this side's latest, with the life it allows an authorization; CoDecision is the co-signer's.
	Decision   *abi.Decision `json:"decision,omitempty"`
	Validity   time.Duration `json:"validity,omitempty"`
	CoDecision *abi.Decision `json:"co_decision,omitempty"`
	// Approvals are the statements of approvers, verified when they came in and again at each decision.
	Approvals []abi.ApprovalStatement `json:"approvals,omitempty"`
	// HoldUntil is when the hold becomes a denial, fixed when the payment is first held.
	HoldUntil time.Time    `json:"hold_until,omitzero"`
	Prepared  *Preparation `json:"prepared,omitempty"`
	Armed     *abi.Armed   `json:"armed,omitempty"`
	// Tombstone is the co-signer's word that what is armed is never signed.
	Tombstone *abi.Tombstone `json:"tombstone,omitempty"`
	// Header is the signed payment as it is presented, fixed once.
	Header  string          `json:"header,omitempty"`
	Receipt *settle.Receipt `json:"receipt,omitempty"`
	// Refusal is what the server last said against the payment; Claimed the transaction it claims.
	Refusal string `json:"refusal,omitempty"`
	Claimed string `json:"claimed,omitempty"`
	// Presentations counts how often the same bytes went to the server.
	Presentations int `json:"presentations,omitempty"`
	// Delivery is "", "ok" or "failed".
	Delivery string `json:"delivery,omitempty"`
	// Denial explains a denial that no policy made.
	Denial *abi.Reason `json:"denial,omitempty"`
	// Failures counts attempts of the present step that ended in an error; Failure is the last one.
	Failures int        `json:"failures,omitempty"`
	Failure  *abi.Error `json:"failure,omitempty"`
	// Response is the answer kept for the agent, in its own column.
	Response *settle.Response `json:"-"`
}

// Ask is an agent's call, as it was checked and recorded.
type Ask struct {
	Resource settle.Resource `json:"resource"`
	// AmountMax is the agent's own ceiling in smallest units; zero: none.
	AmountMax abi.Amount `json:"amount_max"`
	Purpose   string     `json:"purpose,omitempty"`
	// Required, when set, is the 402 the agent already holds (authorize): its payee is only asserted.
	Required *settle.Quoted `json:"required,omitempty"`
	// HandOut says that the agent presents the signed payment itself.
	HandOut bool `json:"hand_out,omitempty"`
	// Signed is the agent's own signature over the rest, for an agent that is known by a key.
	Signed *abi.AgentRequest `json:"signed,omitempty"`
}

// Preparation fixes what is to be signed, once.
type Preparation struct {
	Kind          string               `json:"kind"`
	Preimage      []byte               `json:"preimage"`
	Digest        [32]byte             `json:"digest"`
	Entropy       []byte               `json:"entropy"`
	Authorization settle.Authorization `json:"authorization"`
	// SigningID and Adapter state are handed back to the chain adapter with the signature.
	SigningID    string `json:"signing_id"`
	AdapterState []byte `json:"adapter_state,omitempty"`
	// Adapter is the SHA-256 of the chain adapter's module, AdapterConfig that of its configuration.
	Adapter       [32]byte `json:"adapter"`
	AdapterConfig [32]byte `json:"adapter_config"`
	// Peer is what was known of the co-signer's ledger before it was asked to arm.
	Peer peer.Floor `json:"peer"`
}

// fingerprint names the request independently of the agent's key, so that a program that forgets its key does not
// pay twice for the same thing.
func (a Ask) fingerprint(agent string) string {
	body := sha256.Sum256(a.Resource.Body)
	sum := hashOf("purser.fingerprint.v1", []byte(agent), []byte(a.Resource.Method), []byte(a.Resource.URL), body[:])
	return hex.EncodeToString(sum[:])
}

// equal reports whether two asks under one key are the same call. A call that was signed again, for a later expiry, is
// the same: each signature was checked against the rest.
func (a Ask) equal(b Ask) bool {
	a.Signed, b.Signed = nil, nil
	first, errFirst := json.Marshal(a)
	second, errSecond := json.Marshal(b)
	return errFirst == nil && errSecond == nil && string(first) == string(second)
}

// hashOf hashes a domain tag and parts, each preceded by its length, so that no two part lists collide.
func hashOf(domain string, parts ...[]byte) [32]byte {
	hash := sha256.New()
	for _, part := range append([][]byte{[]byte(domain)}, parts...) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write(part)
	}
	return [32]byte(hash.Sum(nil))
}

func fromRow(row store.Row) (Payment, error) {
	var p Payment
	if err := json.Unmarshal(row.Body, &p); err != nil {
		return Payment{}, fmt.Errorf("read payment %s: %w", row.ID, err)
	}
	if len(row.Response) > 0 {
		p.Response = new(settle.Response)
		if err := json.Unmarshal(row.Response, p.Response); err != nil {
			return Payment{}, fmt.Errorf("read response of payment %s: %w", row.ID, err)
		}
	}
	p.ID, p.Tenant, p.Agent, p.Key = row.ID, row.Tenant, row.Agent, row.Key
	p.State, p.Version, p.Slot, p.Due = State(row.State), row.Version, row.Slot, row.Due
	p.Created, p.Updated = row.Created, row.Updated
	if _, known := arrows[p.State]; !known {
		return Payment{}, fmt.Errorf("read payment %s: unknown state %q", row.ID, row.State)
	}
	return p, nil
}

func (p Payment) body() ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write payment %s: %w", p.ID, err)
	}
	return body, nil
}
