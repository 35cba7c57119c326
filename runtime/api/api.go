// Package api holds the JSON shapes of the gateway, the same over HTTP and WebSocket, for servers and clients. It holds
// no behaviour and links no server.
package api

import (
	"encoding/json"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle"
)

// View is a payment as an API caller sees it: the same shape over HTTP, over WebSocket and on the command line.
type View struct {
	ID    string `json:"id"`
	Agent string `json:"agent"`
	Key   string `json:"idempotency_key"`
	State string `json:"state"`
	// DuplicateOf is set when another key asked for the same thing while this payment was not done.
	DuplicateOf string `json:"duplicate_of,omitempty"`
	Method      string `json:"method"`
	URL         string `json:"url"`
	// Amount is in smallest units of Asset (CAIP-19), which Network (CAIP-2) carries.
	Amount  string `json:"amount,omitempty"`
	Asset   string `json:"asset,omitempty"`
	Network string `json:"network,omitempty"`
	Payee   string `json:"payee,omitempty"`
	// Reasons explain a denial or a hold, and what both sides said.
	Reasons []ReasonView `json:"reasons,omitempty"`
	// HoldExpires is when a held payment becomes a denial.
	HoldExpires *time.Time `json:"hold_expires,omitempty"`
	// Digest is what was armed, in hex.
	Digest string `json:"digest,omitempty"`
	// Header is the signed payment for an agent that presents it itself (authorize).
	Header   string           `json:"payment_signature,omitempty"`
	Receipt  *settle.Receipt  `json:"receipt,omitempty"`
	Delivery string           `json:"delivery,omitempty"`
	Refusal  string           `json:"refusal,omitempty"`
	Response *settle.Response `json:"response,omitempty"`
	// Pending is why the payment does not move just now; the runtime retries by itself.
	Pending *abi.Error `json:"pending,omitempty"`
	Created time.Time  `json:"created"`
	Updated time.Time  `json:"updated"`
}

// ReasonView is one reason and who gave it. The fields after Outcome are those of abi.Reason.
type ReasonView struct {
	Side      string `json:"side"`
	Source    string `json:"source"`
	Outcome   string `json:"outcome"`
	Code      string `json:"code"`
	Rule      string `json:"rule,omitempty"`
	Observed  string `json:"observed,omitempty"`
	Limit     string `json:"limit,omitempty"`
	WouldPass string `json:"would_pass,omitempty"`
	Text      string `json:"text,omitempty"`
}

// PayParams are the parameters of pay and authorize.
type PayParams struct {
	// Key is the idempotency key. Over HTTP the Idempotency-Key header may carry it.
	Key    string            `json:"idempotency_key"`
	Method string            `json:"method,omitempty"`
	URL    string            `json:"url"`
	Header map[string]string `json:"headers,omitempty"`
	Body   []byte            `json:"body,omitempty"` // base64
	// AmountMax is the agent's own ceiling in smallest units; absent or "0": none.
	AmountMax abi.Amount `json:"max_amount"`
	Purpose   string     `json:"purpose,omitempty"`
	// Required is the PAYMENT-REQUIRED header that the agent received, for authorize.
	Required string `json:"payment_required,omitempty"`
	// Signed is the agent's own signature: abi.AgentRequest in base64, as signer/request makes it. An agent that is known
	// by a key has to send it, another must not.
	Signed string `json:"signed,omitempty"`
}

// AgentView is an agent as the operator sees it. Its token is shown once, when it is made.
type AgentView struct {
	ID     string `json:"id"`
	Wallet string `json:"wallet"`
	// Derived says that it pays from a key of its own under the wallet. Address is the account to fund, on eip155 networks.
	Derived bool     `json:"derived,omitempty"`
	Address string   `json:"address,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	Revoked bool     `json:"revoked"`
	// Requests is how it proves that a request is its own; PublicKey the Ed25519 key it signs with, hex.
	Requests  string `json:"requests,omitempty"`
	PublicKey string `json:"public_key,omitempty"`
	// Serial is that of the operators' enrolment in force; absent: none.
	Serial uint64 `json:"enrolment_serial,omitempty"`
	Token  string `json:"token,omitempty"`
}

// How an agent proves that a request is its own. A bearer token is the weaker way: whoever holds it, the runtime
// included, can ask for anything that policy allows, and the co-signer has only the runtime's word for who asked.
const (
	RequestsSigned = "signed"
	RequestsBearer = "bearer"
)

// AgentParams are the parameters of the agent operations.
type AgentParams struct {
	Agent  string   `json:"agent"`
	Wallet string   `json:"wallet,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// PublicKey is the Ed25519 key the agent signs its requests with, hex; absent: bearer mode.
	PublicKey string `json:"public_key,omitempty"`
	Derived   bool   `json:"derived,omitempty"`
}

// OrderParams hand over an operators' order. Groups, with an enrolment, are the agent's from now on.
type OrderParams struct {
	Order  *abi.Order `json:"order"`
	Groups []string   `json:"groups,omitempty"`
}

// OrderView is an order that was accepted. Agent is whom an enrolment is about, with a token when it is new.
type OrderView struct {
	Kind    string     `json:"kind"`
	Subject string     `json:"subject"`
	Serial  uint64     `json:"serial"`
	Agent   *AgentView `json:"agent,omitempty"`
}

// QuarantineView is a policy plugin that kept failing and is not called any more.
type QuarantineView struct {
	Policy string `json:"policy"`
	Plugin string `json:"plugin"`
	Module string `json:"module_sha256"`
	// Agent is whose requests it is not asked about; absent: nobody's are.
	Agent string `json:"agent,omitempty"`
	// By is the agent whose request made the last fault, and Code what that was.
	By    string    `json:"by"`
	Code  string    `json:"code"`
	Since time.Time `json:"since"`
}

// SessionsView is what one wallet's signing sessions look like. Counters run from the start of the process.
type SessionsView struct {
	Wallet string `json:"wallet"`
	// Address is the wallet's own account; agents with derived keys have others.
	Address string `json:"address"`
	// Ready sessions wait for a payment, Preparing are on their way; Expected agents wait for their turn.
	Ready     int `json:"ready"`
	Preparing int `json:"preparing"`
	Expected  int `json:"expected"`
	// Warm and Cold count signatures by whether a session was ready.
	Warm uint64 `json:"warm"`
	Cold uint64 `json:"cold"`
	// Refilled sessions became ready, Dropped ended unused, Failed could not be prepared.
	Refilled uint64 `json:"refilled"`
	Dropped  uint64 `json:"dropped"`
	Failed   uint64 `json:"failed"`
}

// MerchantView is an origin that took payments and did not deliver.
type MerchantView struct {
	Origin string `json:"origin"`
	// Undelivered counts such payments in a row.
	Undelivered uint64 `json:"undelivered"`
	// LatchedBy is the policy whose breaker shut the origin out, at the payment and time given; absent: none did.
	LatchedBy string     `json:"latched_by,omitempty"`
	Payment   string     `json:"latched_payment,omitempty"`
	Since     *time.Time `json:"latched_since,omitempty"`
}

// MerchantParams name one origin.
type MerchantParams struct {
	Origin string `json:"origin"`
}

// QuarantineParams name one quarantine. No agent is everybody's.
type QuarantineParams struct {
	Policy string `json:"policy"`
	Plugin string `json:"plugin"`
	Agent  string `json:"agent,omitempty"`
}

// Event is a log entry as a subscriber sees it.
type Event struct {
	// Seq is the tenant's position: pass the last one seen to resume without gap or duplicate.
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Agent   string    `json:"agent"`
	Payment string    `json:"payment,omitempty"`
	// ChainSeq numbers the agent's entries densely; Hash is the entry's SHA-256 and Previous the one before it, so
	// that a client can follow the chain.
	ChainSeq uint64 `json:"chain_seq"`
	Hash     string `json:"hash"`
	Previous string `json:"previous,omitempty"`
	// Entry is the hashed bytes themselves, base64: for operators, who may see all of it.
	Entry []byte `json:"entry,omitempty"`
	// Body is the entry's body for operators, and a projection for agents.
	Body json.RawMessage `json:"body,omitempty"`
}
