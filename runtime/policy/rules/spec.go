// Package rules is the native policy engine: a compiled bundle in, one verdict out. It is a pure function of its
// arguments, so that both sides, a replay and a Wasm build give the same bytes; it refuses to read a clock, a file,
// a counter or YAML, and whatever it cannot read denies.
//
// The facts it needs (budget levels, approvals, time) come inside the request. What it wants to be told and what
// must be reserved, it states itself: Policy.FactQuery and Policy.Reservations.
package rules

import (
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Format names the layout of a Spec and is part of every bundle's hash.
const Format = "purser.policy.v1"

// Bounds of a bundle. A file beyond them is refused, so that a decision's work is bounded too.
const (
	AgentsMax     = 2048
	GroupsMax     = 32
	PoliciesMax   = 256
	BudgetsMax    = 17 // per policy, and for the tenant
	RecipientsMax = 1024
	HoursMax      = 32
	RoutesMax     = 64
	PluginsMax    = 16
	ApproversMax  = 64
	MerchantsMax  = 1024
	PayToMax      = 64 // per merchant
	TokensMax     = 1024
	NetworksMax   = 256
	SignersMax    = 16 // per list
	DigestsMax    = 64
	NameBytesMax  = 64
)

// Bounds and defaults of durations, in seconds.
const (
	ValidityDefaultS = 120
	ValidityMinS     = 15
	ValidityMaxS     = 3600
	HoldDefaultS     = 24 * 3600
	HoldMinS         = 60
	HoldMaxS         = 30 * 24 * 3600
)

// UnitUSDC is the unit in which limits count dollars, in millionths, at par.
const (
	UnitUSDC     = "usdc"
	UnitDecimals = 6
)

// Names of the budgets that have a key of their own.
const (
	BudgetDaily  = "daily_spending_limit"
	BudgetHourly = "max_transactions_per_hour"
	// BudgetExposure caps what is open with one payee, where the file names no budget for that.
	BudgetExposure = "merchant_exposure"
)

// TenantName prefixes the names of the tenant's rules, so no policy may be called that.
const TenantName = "tenant"

// By says whose payments a budget counts.
type By string

// The scopes of a budget. An agent keeps its level when it moves to another policy; a policy under another name
// starts anew, as does a payee that no bundle limited before.
const (
	ByAgent  By = "agent"
	ByTenant By = "tenant"
	ByPayee  By = "payee"
	ByPolicy By = "policy"
)

// Repeats says what happens to a second call for the same request under another key.
type Repeats string

// Repeats, strictest first. The empty value reads as RepeatsNever.
const (
	// RepeatsNever: the same request is paid once, for ever.
	RepeatsNever Repeats = "never"
	// RepeatsSequential: again once the payment before was delivered.
	RepeatsSequential Repeats = "sequential"
	// RepeatsParallel: each key is a payment of its own.
	RepeatsParallel Repeats = "parallel"
)

// Spec is a bundle as plain data in its only spelling: lists that are sets are sorted, names are checked, texts are
// canonical. Absent means refused: no limit denies, an empty list matches nothing.
type Spec struct {
	Format    string       `json:"format"`
	Agents    []AgentSpec  `json:"agents,omitempty"`   // by pattern
	Policies  []PolicySpec `json:"policies,omitempty"` // by name
	Tenant    TenantSpec   `json:"tenant"`
	Approvers []Approver   `json:"approvers,omitempty"` // by name
	Merchants []Merchant   `json:"merchants,omitempty"` // by origin
	Tokens    []Token      `json:"tokens,omitempty"`    // by asset
	Networks  []string     `json:"networks,omitempty"`  // CAIP-2; others are refused
	// ChainTrust is asked of chain adapters, of which a policy names none itself.
	ChainTrust Trust `json:"chain_trust,omitzero"`
}

// Trust is what must hold of a module before it is loaded: all that is given. It is checked where modules are, by
// internal/trust.
type Trust struct {
	// SHA256 lists the only modules that may be loaded, lower-case hex.
	SHA256 []string `json:"sha256,omitempty"`
	// Signers lists minisign public keys; one of them must have signed.
	Signers []string `json:"signers,omitempty"`
}

// AgentSpec gives agents a policy.
type AgentSpec struct {
	// Pattern is an agent id, a prefix followed by '*', or '*'.
	Pattern string   `json:"pattern"`
	Policy  string   `json:"policy"`
	Tier    string   `json:"tier,omitempty"`
	Groups  []string `json:"groups,omitempty"`
}

// PolicySpec is one policy.
type PolicySpec struct {
	Name string `json:"name"`
	// TransactionMax caps one payment, in millionths of usdc. Nil denies every payment.
	TransactionMax *abi.Amount `json:"transaction_max,omitempty"`
	// Budgets include those from daily_spending_limit and max_transactions_per_hour.
	Budgets []BudgetSpec `json:"budgets,omitempty"`
	// AnyPayee is set when no list was given; otherwise only Recipients are paid.
	AnyPayee   bool     `json:"any_payee,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	// ApprovalAbove holds payments above it, in millionths of usdc. Nil holds none.
	ApprovalAbove *abi.Amount `json:"approval_above,omitempty"`
	// Hours are open intervals; none means always open.
	Hours     []string      `json:"hours,omitempty"`
	Breaker   Breaker       `json:"breaker"`
	Repeats   Repeats       `json:"repeats"`
	Routes    []RouteSpec   `json:"routes,omitempty"`
	Plugins   []Plugin      `json:"plugins,omitempty"`
	ValidityS uint64        `json:"validity_s"`
	Evidence  abi.Evidence  `json:"evidence"`
	Approvals ApprovalsSpec `json:"approvals"`
}

// TenantSpec is the root ceiling, over all agents and policies.
type TenantSpec struct {
	TransactionMax *abi.Amount  `json:"transaction_max,omitempty"`
	Budgets        []BudgetSpec `json:"budgets,omitempty"`
}

// BudgetSpec is one budget.
type BudgetSpec struct {
	Name   string     `json:"name"`
	Limit  abi.Amount `json:"limit"`
	Window string     `json:"window"`
	By     By         `json:"by"`
	// Unit is UnitUSDC or store.UnitCount.
	Unit string `json:"unit"`
}

// LimitsSpending reports whether the budget bounds spending over time. One by payee does not: another payee costs
// nothing. Nor does one over what is open: what settles is open no more.
func (b BudgetSpec) LimitsSpending() bool {
	return b.Unit == UnitUSDC && b.By != ByPayee && b.Window != store.Open().String()
}

// Breaker stops new payments to a resource after that many that were paid and not delivered, in a row. The counter
// belongs to the host; zero PaidUndelivered means no breaker.
type Breaker struct {
	PaidUndelivered uint64 `json:"paid_undelivered,omitempty"`
	// Latch keeps it open until a person resets it.
	Latch bool `json:"latch,omitempty"`
}

// RouteSpec is an exception from a policy's Repeats.
type RouteSpec struct {
	// Route is "[METHOD ]origin/path", with '*' allowed as the last character.
	Route   string  `json:"route"`
	Repeats Repeats `json:"repeats"`
}

// Plugin is one Wasm policy, pinned by digest.
type Plugin struct {
	// Name is the file's name without ending, and the Source of its verdict.
	Name string `json:"name"`
	// Path is where the file was when the bundle was compiled. It is not part of the hash: the digest is.
	Path string `json:"-"`
	// SHA256 is lower-case hex.
	SHA256 string `json:"sha256"`
	// Config is canonical JSON, always an object.
	Config string `json:"config"`
	// Grants is canonical JSON, always an object.
	Grants string `json:"grants"`
	// Signers lists minisign public keys; one of them must have signed the module. None: the digest is enough.
	Signers []string `json:"signers,omitempty"`
}

// ApprovalsSpec says who clears a hold.
type ApprovalsSpec struct {
	Quorum    uint64   `json:"quorum"`
	Approvers []string `json:"approvers,omitempty"`
	// HoldS is how long a hold waits before it becomes a denial.
	HoldS uint64 `json:"hold_s"`
}

// Approver is a person's Ed25519 public key, lower-case hex.
type Approver struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// Merchant pins who is paid at an origin: anybody else there is refused.
type Merchant struct {
	Origin string   `json:"origin"`
	PayTo  []string `json:"pay_to"`
}

// Token is an asset that may be paid with.
type Token struct {
	Asset    string `json:"asset"`
	Symbol   string `json:"symbol"`
	Unit     string `json:"unit"`
	Decimals uint64 `json:"decimals"`
	Name     string `json:"name"`
	Version  string `json:"version"`
}
