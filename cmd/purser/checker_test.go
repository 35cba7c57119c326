package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
)

// evidence is all that the checker knows: two ledgers and the transfers that left the payer's account. It shares no
// code with the runtime or the co-signer beyond the bytes of a log entry.
type evidence struct {
	runtime, cosigner ledgerView
	transfers         []moved
	// limit is every agent's budget, on both sides.
	limit abi.Amount
	// others says that other ledgers pay from the same account: a transfer that none of ours explains is not a fault.
	others bool
	// cosignerKey is what the co-signer's promises are verified with. Without it no tombstone is valid.
	cosignerKey ed25519.PublicKey
}

// life is what one side's log says of a payment.
type life struct {
	state     string
	amount    abi.Amount
	allowedAt uint64 // position of the latest allow; of the one that was armed on, once armed
	armedAt   uint64
	signedAt  uint64 // signed on the runtime's side, spent on the co-signer's
	digest    string
	armed     *abi.Armed
	reserved  bool
	returned  bool // the reservation went back after arming: proven dead, or taken back
	// tombstone is the co-signer's word that it never signs, when the payment ended by it.
	tombstone *abi.Tombstone
}

// checker collects what contradicts an invariant.
type checker struct {
	faults      []string
	cosignerKey ed25519.PublicKey
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// check lists every contradiction between the ledgers, the chain and the invariants of docs/architecture.md.
func (e evidence) check() []string {
	c := &checker{cosignerKey: e.cosignerKey}
	ours := c.walk("runtime", e.runtime, e.limit, c.runtimeEntry)
	theirs := c.walk("co-signer", e.cosigner, e.limit, c.cosignerEntry)
	c.promises(e, ours, theirs)
	c.money(e, ours, theirs)
	return c.faults
}

// mustHold fails the test for every fault.
func (e evidence) mustHold(t testing.TB) {
	t.Helper()
	for _, fault := range e.check() {
		t.Error(fault)
	}
}

// walk verifies one side's log and follows each payment through it, with the budget's sum made up anew after each
// entry: what is reserved or settled must never exceed the limit, and must be what the meter says.
func (c *checker) walk(side string, view ledgerView, limit abi.Amount, read func(side string, at uint64, entry abi.Entry, l *life)) map[string]*life {
	if _, err := audit.Verify(func(yield func(store.Record, error) bool) {
		for _, record := range view.records {
			if !yield(record, nil) {
				return
			}
		}
	}, audit.Options{Tenant: defaultTenant}); err != nil {
		c.fault("%s: %v", side, err)
	}
	lives, sums := map[string]*life{}, map[string]abi.Amount{}
	for _, record := range view.records {
		var entry abi.Entry
		if err := entry.Unmarshal(record.Entry); err != nil {
			c.fault("%s: position %d: %v", side, record.Position, err)
			return lives
		}
		if entry.Payment == "" || entry.Kind == "cosigner.refused" { // refused before it was judged: it has no row
			continue
		}
		l := lives[entry.Payment]
		if l == nil {
			l = &life{}
			lives[entry.Payment] = l
		}
		before := l.reserved
		read(side, record.Position, entry, l)
		sum := sums[entry.Agent]
		switch {
		case l.reserved && !before:
			sum = plus(c, sum, l.amount)
		case before && !l.reserved:
			sum = minus(c, sum, l.amount)
		}
		sums[entry.Agent] = sum
		if sum.Cmp(limit) > 0 {
			c.fault("%s: position %d: %s of agent %s is in use, over the limit of %s", side, record.Position, sum, entry.Agent, limit)
		}
		for _, move := range entry.Moves {
			if move.Meter == "agent/"+entry.Agent+"#usdc" && move.After != sum {
				c.fault("%s: position %d: the meter says %s, the payments add up to %s", side, record.Position, move.After, sum)
			}
		}
	}
	for id, row := range view.rows {
		if l := lives[id]; l == nil || l.state != row.state {
			c.fault("%s: row %s is %s, its log says otherwise", side, id, row.state)
		} else if l.armedAt > 0 && hex.EncodeToString(row.digest) != l.digest {
			c.fault("%s: row %s holds digest %x, %s was armed", side, id, row.digest, l.digest)
		}
	}
	for id := range lives {
		if _, ok := view.rows[id]; !ok {
			c.fault("%s: the log names payment %s, which has no row", side, id)
		}
	}
	return lives
}

func plus(c *checker, a, b abi.Amount) abi.Amount {
	sum, err := a.Add(b)
	if err != nil {
		c.fault("add %s and %s: %v", a, b, err)
	}
	return sum
}

func minus(c *checker, a, b abi.Amount) abi.Amount {
	rest, err := a.Sub(b)
	if err != nil {
		c.fault("take %s from %s: %v", b, a, err)
	}
	return rest
}

// runtimeEntry follows one transition of the runtime's log.
func (c *checker) runtimeEntry(side string, at uint64, entry abi.Entry, l *life) {
	var body struct {
		From, To, Event, Amount, Digest string
		Armed                           *abi.Armed
		Tombstone                       *abi.Tombstone
	}
	if err := json.Unmarshal(entry.Body, &body); err != nil {
		c.fault("%s: position %d: %v", side, at, err)
		return
	}
	if body.From != l.state {
		c.fault("%s: position %d: payment %s was %q and leaves %q", side, at, entry.Payment, l.state, body.From)
	}
	moves := body.To != body.From
	l.state = body.To
	if !moves {
		return
	}
	switch body.To {
	case "allowed":
		amount, err := abi.ParseAmount(body.Amount)
		if err != nil {
			c.fault("%s: position %d: %v", side, at, err)
		}
		l.amount, l.allowedAt, l.reserved = amount, at, true
	case "armed":
		c.arm(side, at, entry.Payment, l, body.Armed)
	case "signed":
		c.sign(side, at, entry.Payment, l, body.Digest)
	case "held", "denied":
		if l.armedAt > 0 {
			c.fault("%s: position %d: payment %s was armed and is %s now", side, at, entry.Payment, body.To)
		}
		l.reserved, l.allowedAt = false, 0
	case "dead":
		l.reserved, l.returned = false, true
		switch body.Event {
		case "reconciled", "presented": // the chain was asked
		case "disclaimed":
			if body.From != "armed" {
				c.fault("%s: position %d: payment %s was %s and is buried without the chain", side, at, entry.Payment, body.From)
			}
			c.bury(side, at, entry.Payment, l, body.Tombstone)
		default:
			c.fault("%s: position %d: payment %s is dead by %q", side, at, entry.Payment, body.Event)
		}
	}
}

// bury checks that an armed payment's money went back by the co-signer's own word, and by nobody else's.
func (c *checker) bury(side string, at uint64, payment string, l *life, t *abi.Tombstone) {
	if t == nil || l.armed == nil || l.signedAt > 0 {
		c.fault("%s: position %d: payment %s is buried without a tombstone, unarmed or after it was signed", side, at, payment)
		return
	}
	armed, unsigned := *l.armed, *t
	armed.CosignerSignature, armed.RuntimeSignature, unsigned.Signature = nil, nil, nil
	promise, err := armed.Marshal()
	if err != nil {
		c.fault("%s: position %d: %v", side, at, err)
	}
	message, err := unsigned.Marshal()
	if err != nil {
		c.fault("%s: position %d: %v", side, at, err)
	}
	hash := sha256.Sum256(promise)
	if t.Payment != payment || hex.EncodeToString(t.Digest) != l.digest || !bytes.Equal(t.ArmedSHA256, hash[:]) || t.CosignerStore != l.armed.CosignerStore ||
		len(c.cosignerKey) != ed25519.PublicKeySize || !ed25519.Verify(c.cosignerKey, message, t.Signature) {
		c.fault("%s: position %d: payment %s is buried by a tombstone that is not the co-signer's", side, at, payment)
	}
	l.tombstone = t
}

// cosignerEntry follows one entry of the co-signer's log.
func (c *checker) cosignerEntry(side string, at uint64, entry abi.Entry, l *life) {
	var body struct {
		Amount    abi.Amount
		Digest    json.RawMessage
		Armed     *abi.Armed
		Decision  abi.Decision
		Tombstone *abi.Tombstone
	}
	if err := json.Unmarshal(entry.Body, &body); err != nil {
		c.fault("%s: position %d: %v", side, at, err)
		return
	}
	switch entry.Kind {
	case "cosigner.allow", "cosigner.hold", "cosigner.deny":
		if l.state == "" {
			l.state = "consulted"
		}
		if l.armedAt > 0 {
			break // another process of the runtime asked again: the promise that was made stands
		}
		l.amount, l.allowedAt = body.Amount, 0
		if entry.Kind == "cosigner.allow" {
			l.allowedAt = at
		}
	case "cosigner.armed":
		if body.Decision.Outcome != abi.Allow {
			c.fault("%s: position %d: payment %s is armed on a decision that says %s", side, at, entry.Payment, body.Decision.Outcome)
		}
		c.arm(side, at, entry.Payment, l, body.Armed)
		l.state, l.reserved = "armed", true
	case "cosigner.spent":
		var digest string
		if err := json.Unmarshal(body.Digest, &digest); err != nil {
			c.fault("%s: position %d: %v", side, at, err)
		}
		c.sign(side, at, entry.Payment, l, digest)
		l.state = "spent"
	case "cosigner.settled":
		l.state = "settled"
	case "cosigner.dead":
		l.state, l.reserved, l.returned = "dead", false, true
	case "cosigner.disclaimed":
		c.bury(side, at, entry.Payment, l, body.Tombstone)
		l.state, l.reserved, l.returned = "dead", false, true
	default:
		c.fault("%s: position %d: unknown kind %q", side, at, entry.Kind)
	}
}

func (c *checker) arm(side string, at uint64, payment string, l *life, armed *abi.Armed) {
	switch {
	case armed == nil:
		c.fault("%s: position %d: payment %s is armed without a record", side, at, payment)
		return
	case l.allowedAt == 0:
		c.fault("%s: position %d: payment %s is armed and no allow decision stands before it", side, at, payment)
	case l.armedAt > 0:
		c.fault("%s: position %d: payment %s is armed twice", side, at, payment)
	}
	l.armed, l.armedAt, l.digest = armed, at, hex.EncodeToString(armed.Digest)
}

func (c *checker) sign(side string, at uint64, payment string, l *life, digest string) {
	switch {
	case l.armedAt == 0:
		c.fault("%s: position %d: payment %s is signed and was not armed", side, at, payment)
	case digest != l.digest:
		c.fault("%s: position %d: payment %s signs %s, %s is armed", side, at, payment, digest, l.digest)
	case l.returned:
		c.fault("%s: position %d: payment %s is signed after its money went back", side, at, payment)
	case l.signedAt > 0:
		c.fault("%s: position %d: payment %s is signed twice", side, at, payment)
	}
	l.signedAt = at
}

// promises compares what both sides armed: the same digest, one for each payment, after an allow that the other side
// can name.
func (c *checker) promises(e evidence, ours, theirs map[string]*life) {
	digests := map[string]string{}
	for id, l := range ours {
		if l.armedAt == 0 {
			continue
		}
		if other, twice := digests[l.digest]; twice {
			c.fault("payments %s and %s have one digest", id, other)
		}
		digests[l.digest] = id
		their := theirs[id]
		if their == nil || their.armedAt == 0 || their.digest != l.digest {
			c.fault("payment %s: the runtime armed %s, the co-signer did not", id, l.digest)
			continue
		}
		if l.signedAt > 0 && their.signedAt == 0 {
			c.fault("payment %s is signed, and the co-signer recorded no spend", id)
		}
		if l.tombstone != nil && (their.tombstone == nil || !bytes.Equal(l.tombstone.Signature, their.tombstone.Signature) || their.signedAt > 0) {
			c.fault("payment %s is buried here by a tombstone that the co-signer's log does not have", id)
		}
		// The record names each side's head when it promised: the allow lies at or below it.
		head := binary.BigEndian.Uint64(l.armed.RuntimeHead)
		if l.armed.RuntimeStore != e.runtime.id || head < l.allowedAt || head >= l.armedAt {
			c.fault("payment %s: the promise names head %d of %s, allowed at %d, armed at %d", id, head, l.armed.RuntimeStore, l.allowedAt, l.armedAt)
		}
		head = binary.BigEndian.Uint64(l.armed.CosignerHead)
		if l.armed.CosignerStore != e.cosigner.id || head < their.allowedAt || head >= their.armedAt {
			c.fault("payment %s: the promise names the co-signer's head %d of %s, allowed at %d, armed at %d",
				id, head, l.armed.CosignerStore, their.allowedAt, their.armedAt)
		}
	}
}

// money compares the ledgers with the chain: each transfer belongs to one payment that both sides allowed and armed,
// each payment has at most one, and a payment's state says what the chain says.
func (c *checker) money(e evidence, ours, theirs map[string]*life) {
	byNonce := map[[32]byte]string{}
	for id, row := range e.runtime.rows {
		nonce, _, _, ok := c.authorization("runtime", id, row.body)
		if !ok {
			continue
		}
		if other, twice := byNonce[nonce]; twice {
			c.fault("payments %s and %s have one nonce", id, other)
		}
		byNonce[nonce] = id
	}
	paid := map[string]string{}
	for _, transfer := range e.transfers {
		id, ok := byNonce[transfer.nonce]
		if !ok {
			if !e.others {
				c.fault("transaction %s moved %s for no payment", transfer.tx, transfer.amount)
			}
			continue
		}
		if other, twice := paid[id]; twice {
			c.fault("payment %s was paid in %s and in %s", id, transfer.tx, other)
		}
		paid[id] = transfer.tx
		c.transfer(e, transfer, id, ours[id], theirs[id])
	}
	for id, row := range e.runtime.rows {
		_, isPaid := paid[id]
		switch row.state {
		case "delivered", "settled":
			if !isPaid {
				c.fault("payment %s is %s, and the chain shows no transfer", id, row.state)
			}
		case "signed", "unknown": // the authorization is out; either may be
		default:
			if isPaid {
				c.fault("payment %s is %s, and the chain shows a transfer", id, row.state)
			}
		}
	}
}

func (c *checker) transfer(e evidence, transfer moved, id string, ours, theirs *life) {
	if ours == nil || theirs == nil || ours.signedAt == 0 || theirs.signedAt == 0 {
		c.fault("payment %s was paid in %s and not signed by both sides", id, transfer.tx)
		return
	}
	if ours.returned || theirs.returned {
		c.fault("payment %s was paid in %s, and its budget went back", id, transfer.tx)
	}
	for side, view := range map[string]ledgerView{"runtime": e.runtime, "cosigner": e.cosigner} {
		nonce, payee, amount, ok := c.authorization(side, id, view.rows[id].body)
		if !ok || nonce != transfer.nonce || payee != transfer.payee || amount != transfer.amount {
			c.fault("payment %s: transaction %s moved %s to %s, the %s recorded %s to %s", id, transfer.tx, transfer.amount, transfer.payee, side, amount, payee)
		}
	}
}

// authorization reads what a row says may be signed.
func (c *checker) authorization(side, id string, body []byte) (nonce [32]byte, payee string, amount abi.Amount, ok bool) {
	type authorization struct {
		Nonce  [32]byte
		Payee  string
		Amount abi.Amount
	}
	var row struct {
		Prepared *struct{ Authorization authorization }
		Transfer authorization
	}
	if err := json.Unmarshal(body, &row); err != nil {
		c.fault("%s: row %s: %v", side, id, err)
		return
	}
	found := row.Transfer
	if side == "runtime" {
		if row.Prepared == nil {
			return
		}
		found = row.Prepared.Authorization
	}
	return found.Nonce, found.Payee, found.Amount, true
}
