package runtime

// State is where a payment is in its life. The word is the one in the database, the log, the API and the docs.
type State string

const (
	// Received: the intent is recorded; nothing is decided.
	Received State = "received"
	// Held: a person must approve. A hold reserves nothing.
	Held State = "held"
	// Denied: refused for ever, before any digest was armed. Final.
	Denied State = "denied"
	// Allowed: policy said yes and the budgets are reserved, in one transaction.
	Allowed State = "allowed"
	// Prepared: nonce, expiry and preimage are fixed.
	Prepared State = "prepared"
	// Armed: both sides promised this digest. From here on budget returns only by proof from the chain, or from here by the
	// co-signer's tombstone while nothing of ours has left.
	Armed State = "armed"
	// Signed: the authorization exists and is recorded; whoever holds it may use it.
	Signed State = "signed"
	// Unknown: the authorization left and nobody has proven what became of it. Never signed again.
	Unknown State = "unknown"
	// Settled: the chain shows the transfer.
	Settled State = "settled"
	// Dead: the chain shows, or the co-signer's tombstone says, that the authorization can never be used. Budget is
	// back. Final.
	Dead State = "dead"
	// Delivered: settled and the agent's answer is recorded, or the resource was free. Final.
	Delivered State = "delivered"
)

// Final reports whether nothing can move the payment any more.
func (s State) Final() bool { return s == Denied || s == Dead || s == Delivered }

// arrows is the whole life of a payment: the states each state may turn into. A state that names itself may record
// something without moving. TestArrows draws it and docs/architecture.md shows the drawing.
var arrows = map[State][]State{
	Received:  {Received, Held, Denied, Allowed, Delivered},
	Held:      {Received, Denied},
	Allowed:   {Allowed, Held, Denied, Prepared},
	Prepared:  {Prepared, Held, Denied, Armed},
	Armed:     {Armed, Signed, Unknown, Settled, Dead},
	Signed:    {Signed, Unknown, Settled, Dead},
	Unknown:   {Unknown, Settled, Dead},
	Settled:   {Settled, Delivered},
	Denied:    {},
	Dead:      {},
	Delivered: {},
}
