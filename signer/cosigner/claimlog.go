package cosigner

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

// What is refused before it is judged is logged all the same: it is how an operator learns that a runtime was taken
// over. Whoever took it over chooses how often it asks, so the log of refusals has bounds of its own. All of them are on
// one row and one chain, so that a made-up agent or payment leaves neither behind; a repeated refusal is written once;
// and a rate bounds the rest, with a count of what was left out. Strangers have a part of their own: a flood of made-up
// names must not push out what is asked in the name of an agent that exists.
const (
	// refusalsName is the row's id and key, and its chain. No agent has a name that begins so.
	refusalsName = "!refused"
	// refusalsRemembered is how many refusals are known not to be written twice.
	refusalsRemembered = 1024
	// refusalsBurst may be written at once by each part, then one in refusalEvery.
	refusalsBurst = 64
	refusalEvery  = 10 * time.Second
	// refusalTimeMax bounds writing one, whatever became of the caller.
	refusalTimeMax = 5 * time.Second
	// refusalTextMax bounds what is quoted of a claim, in bytes.
	refusalTextMax = 160
)

// refusals counts what was refused. The zero value is ready.
type refusals struct {
	mu    sync.Mutex
	known [][32]byte // hashes of what is written, oldest first
	parts [2]allowance
}

// The parts of the allowance.
const (
	ofEnrolled = iota
	ofStrangers
)

// allowance is a bucket of entries that may be written.
type allowance struct {
	used    int
	since   time.Time // when used last went down
	omitted uint64
}

// take reports whether one more entry may be written now, and how many were left out before it.
func (a *allowance) take(now time.Time) (omitted uint64, ok bool) {
	back := now.Sub(a.since) / refusalEvery
	switch {
	case a.used == 0, back < 0: // idle, or a clock that was turned back
		a.since = now
	case back >= time.Duration(a.used):
		a.used, a.since = 0, now
	default:
		a.used, a.since = a.used-int(back), a.since.Add(back*refusalEvery) //nolint:durationcheck // back counts
	}
	if a.used >= refusalsBurst {
		a.omitted++
		return 0, false
	}
	a.used++
	omitted, a.omitted = a.omitted, 0
	return omitted, true
}

// asked is what somebody wanted, for the log of refusals.
type asked struct {
	what   string // consult, arm, join, disclaim, enrol
	agent  string
	wallet string
	intent *abi.Intent
}

func askedFor(what string, intent *abi.Intent) asked {
	if intent == nil {
		return asked{what: what}
	}
	return asked{what: what, agent: intent.Agent, intent: intent}
}

// payment is the id that agent and key make, whatever id the claim names.
func (a asked) payment(tenant string) string {
	if a.intent == nil {
		return ""
	}
	return judge.PaymentID(tenant, a.intent.Agent, a.intent.Key)
}

// refused logs an error that answers a claim. Decisions have an entry already, and what may work later is no refusal.
func (c *CoSigner) refused(ctx context.Context, a asked, cause error) {
	var decided *signer.Refused
	var coded *abi.Error
	if errors.As(cause, &decided) || !errors.As(cause, &coded) || coded.Retry != "" && coded.Retry != abi.RetryNever {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTimeMax) // hanging up hides nothing
	defer cancel()
	if err := c.logRefusal(ctx, a, coded); err != nil {
		c.config.Log.ErrorContext(ctx, "cannot log a refusal", "agent", short(a.agent), "code", coded.Code, "error", err.Error())
	}
}

func (c *CoSigner) logRefusal(ctx context.Context, a asked, cause *abi.Error) error {
	part := ofEnrolled
	if c.listens() {
		if _, err := c.config.Agents.Agent(ctx, c.config.Tenant, a.agent); err != nil {
			part = ofStrangers
		}
	}
	c.refusals.mu.Lock()
	defer c.refusals.mu.Unlock()
	payment := a.payment(c.config.Tenant)
	name := sha256.Sum256([]byte(a.what + " " + payment + " " + a.agent + " " + cause.Code + " " + cause.Where))
	if slices.Contains(c.refusals.known, name) {
		return nil
	}
	omitted, ok := c.refusals.parts[part].take(c.config.Now())
	if !ok {
		return nil
	}
	detail := map[string]any{"asked": a.what, "agent": short(a.agent), "code": cause.Code, "where": short(cause.Where), "message": short(cause.Message)}
	if a.wallet != "" {
		detail["wallet"] = short(a.wallet)
	}
	if i := a.intent; i != nil {
		detail["key"], detail["method"], detail["url"], detail["origin"] = short(i.Key), short(i.Method), short(i.URL), short(i.Origin)
		detail["payee"], detail["asset"], detail["amount"] = short(i.Payee), short(i.Asset), i.Amount
	}
	if omitted > 0 {
		detail["omitted_before"] = omitted
	}
	if err := c.appendRefusal(ctx, payment, detail); err != nil {
		return err
	}
	if len(c.refusals.known) >= refusalsRemembered {
		c.refusals.known = slices.Delete(c.refusals.known, 0, 1)
	}
	c.refusals.known = append(c.refusals.known, name)
	return nil
}

// appendRefusal writes one entry to the chain of refusals, making its row when there is none. The caller holds the lock;
// another process of this side may still be first.
func (c *CoSigner) appendRefusal(ctx context.Context, payment string, detail map[string]any) error {
	for range noteAttemptsMax {
		row, err := c.config.Store.Row(ctx, c.config.Tenant, refusalsName)
		missing := isNotFound(err)
		if missing {
			row = store.Row{Tenant: c.config.Tenant, Agent: refusalsName, ID: refusalsName, Key: refusalsName, State: refusalsName, Body: []byte("{}")}
		} else if err != nil {
			return err
		}
		entry, err := entryOf("cosigner.refused", payment, detail)
		if err != nil {
			return err
		}
		if missing {
			_, claim, err := c.config.Store.Insert(ctx, row, entry)
			if err != nil || claim == store.ClaimCreated {
				return err
			}
			continue
		}
		_, err = c.config.Store.Commit(ctx, store.Change{Tenant: row.Tenant, ID: row.ID, Version: row.Version, State: row.State, Body: row.Body, Entry: entry})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}

// short bounds what is quoted of a claim, and makes it harmless to read.
func short(text string) string { return fmt.Sprintf("%.*q", refusalTextMax, text) }
