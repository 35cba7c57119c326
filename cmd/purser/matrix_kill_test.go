package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

const (
	// A process lives between restLifeMin and restLifeMax after a kill, so that payments get through and are cut.
	restLifeMin = 300 * time.Millisecond
	restLifeMax = 4 * time.Second
	// pointWait bounds the wait for a point to be reached.
	pointWait = 3 * time.Minute
)

// killPoints are twelve points of one payment at which a side is killed, as the ledgers show them from outside. What lies
// between two writes of one process is struck at each write, before and after, in crash_test.go.
var killPoints = []struct {
	name, victim, ledger, kind string
	// always is in every run; the others are in the soak.
	always bool
}{
	{"the runtime has taken the payment in", roleRuntime, roleRuntime, "payment.received", false},
	{"the runtime has reserved", roleRuntime, roleRuntime, "payment.allowed", false},
	{"the co-signer has decided", roleCosigner, roleCosigner, "cosigner.allow", false},
	{"the runtime has fixed nonce and expiry", roleRuntime, roleRuntime, "payment.prepared", false},
	{"the co-signer has promised", roleCosigner, roleCosigner, "cosigner.armed", true},
	{"the co-signer has promised, and the runtime dies", roleRuntime, roleCosigner, "cosigner.armed", false},
	{"the runtime has recorded the promise", roleRuntime, roleRuntime, "payment.armed", true},
	{"the runtime has recorded the promise, and the co-signer dies", roleCosigner, roleRuntime, "payment.armed", false},
	{"the co-signer's last message may have left", roleCosigner, roleCosigner, "cosigner.spent", true},
	{"the co-signer's last message may have left, and the runtime dies", roleRuntime, roleCosigner, "cosigner.spent", true},
	{"the runtime has the signature", roleRuntime, roleRuntime, "payment.signed", false},
	{"the runtime has the money's receipt", roleRuntime, roleRuntime, "payment.settled", false},
}

func TestASideKilledAtEachPointOfAPaymentPaysOnce(t *testing.T) {
	f := newFleet(t)
	for _, p := range killPoints {
		if !p.always && os.Getenv(soakKillsEnv) == "" {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			seen := f.watch(t, p.ledger)
			ended := make(chan api.View, 1)
			go func() { ended <- f.buy(t) }()
			reached := seen.until(t, p.kind, time.Now().Add(pointWait))
			if p.victim == roleRuntime {
				f.killRuntime(t)
			} else {
				f.killCosigner(t)
			}
			view := <-ended
			if !reached || view.State != string(runtime.Delivered) && view.State != string(runtime.Dead) {
				t.Errorf("reached %v; the payment ended as %s %+v", reached, view.State, view.Reasons)
			}
		})
	}
	f.mustAddUp(t)
}

// TestEitherProcessKilledAtRandom kills the runtime or the co-signer again and again while agents insist on their keys and
// an operator enrols others.
func TestEitherProcessKilledAtRandom(t *testing.T) {
	for _, c := range []struct {
		store string
		few   int
	}{{"SQLite", 3}, {"Postgres", 2}} {
		t.Run("the runtime on "+c.store, func(t *testing.T) {
			var before []func(*fleet)
			if c.store == "Postgres" {
				before = append(before, onPostgres(t, ownSchemas(t, schemaOf(roleRuntime))))
			}
			f := newFleet(t, before...)
			kills := soakKills(t, c.few)
			seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number
			random := rand.New(rand.NewPCG(seed, 0))
			enough := f.busy(t, 2)
			enrolled := []string{}
			for n := range kills {
				time.Sleep(restLifeMin + time.Duration(random.Int64N(int64(restLifeMax-restLifeMin))))
				name := fmt.Sprintf("agent-%04d", n)
				if random.IntN(2) == 0 {
					order := f.enrolment(t, abi.Enrolment{Agent: name, Wallet: demoWalletID, Derived: true})
					operator := clientOf(t, f.serve.url(t), operatorOf(t, f.at(roleRuntime, "data")))
					answered := make(chan error, 1)
					go func() { _, err := operator.SubmitOrder(t.Context(), api.OrderParams{Order: order}); answered <- err }()
					time.Sleep(time.Duration(random.Int64N(int64(50 * time.Millisecond))))
					f.killRuntime(t)
					<-answered // whatever it was: the order is offered again, as the operator would
					operator = clientOf(t, f.serve.url(t), operatorOf(t, f.at(roleRuntime, "data")))
					if _, err := operator.SubmitOrder(t.Context(), api.OrderParams{Order: order}); err != nil {
						t.Errorf("the order for %s, offered again: %v", name, err)
					}
					enrolled = append(enrolled, name)
				} else {
					f.killCosigner(t)
				}
			}
			enough()
			if view := f.buy(t); view.State != string(runtime.Delivered) { // whatever the kills left, the next payment works
				t.Errorf("after the kills: %s %+v", view.State, view.Reasons)
			}
			e := f.mustAddUp(t)
			t.Logf("%d kills, seed %d, %d transfers", kills, seed, len(e.transfers))
			for _, name := range enrolled {
				if !e.cosigner.enrolled(name) || !e.runtime.enrolled(name) {
					t.Errorf("%s is not enrolled on both sides", name)
				}
			}
		})
	}
}

// enrolled reports whether the log says so, exactly once.
func (v ledgerView) enrolled(agent string) bool {
	times := 0
	for _, record := range v.records {
		var entry abi.Entry
		if entry.Unmarshal(record.Entry) == nil && entry.Agent == agent {
			times++
		}
	}
	return times == 1
}
