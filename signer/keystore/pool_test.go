package keystore

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

const poolTakers = 16

func TestSixteenTakersGetEachItemOnce(t *testing.T) {
	const items = 48
	pool, err := openTest(t, testConfig(t.TempDir()+"/keys")).OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA})
	must(t, err)
	for i := range items {
		must(t, pool.Add(t.Context(), NewSecret([]byte{byte(i)})))
	}
	var mu sync.Mutex
	var taken []int
	var wait sync.WaitGroup
	for range poolTakers {
		wait.Go(func() {
			for {
				item, err := pool.Take(t.Context())
				if err != nil {
					wantEmpty(t, err)
					return
				}
				mu.Lock()
				taken = append(taken, int(item.Bytes()[0]))
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	slices.Sort(taken)
	for i := range items {
		if len(taken) != items || taken[i] != i {
			t.Fatalf("taken: %v", taken)
		}
	}
	if pool.Depth() != 0 {
		t.Errorf("depth %d", pool.Depth())
	}
}

func wantEmpty(t *testing.T, err error) {
	if code := abi.CodeOf(err); code != CodePoolEmpty {
		t.Errorf("got %v", err)
	}
}

func TestSixteenTakersGetEachWalletOnceAndEachClaimOneWallet(t *testing.T) {
	const wallets = 8
	k := openTest(t, testConfig(t.TempDir()+"/keys"))
	pool, err := k.OpenWalletPool(WalletPoolConfig{Scheme: SchemeECDSA})
	must(t, err)
	for i := range wallets {
		must(t, pool.Add(t.Context(), testShare(fmt.Sprintf("w%d", i), 0, "x")))
	}
	var mu sync.Mutex
	owners := map[string]map[string]bool{}
	var wait sync.WaitGroup
	for i := range poolTakers { // each claim is raced by two
		wait.Go(func() {
			claim := fmt.Sprintf("agent-%d", i/2)
			got, err := pool.Take(t.Context(), claim)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if owners[got.Wallet] == nil {
				owners[got.Wallet] = map[string]bool{}
			}
			owners[got.Wallet][claim] = true
		})
	}
	wait.Wait()
	if len(owners) != wallets {
		t.Errorf("%d wallets were assigned, want %d", len(owners), wallets)
	}
	for wallet, claims := range owners {
		if len(claims) != 1 {
			t.Errorf("%s belongs to %v", wallet, claims)
		}
	}
}

func TestTheAlarmSoundsBelowTheLowWaterMark(t *testing.T) {
	k := openOn(t, newMemoryDisk())
	var heard []string
	alarm := func(pool string, depth int) { heard = append(heard, fmt.Sprintf("%s %d", pool, depth)) }
	pool, err := k.OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA, LowWater: 2, Alarm: alarm})
	must(t, err)
	for range 3 {
		must(t, pool.Add(t.Context(), NewSecret([]byte("x"))))
	}
	for range 2 {
		_, err := pool.Take(t.Context())
		must(t, err)
	}
	wallets, err := k.OpenWalletPool(WalletPoolConfig{Scheme: SchemeEdDSA, LowWater: 1, Alarm: alarm})
	must(t, err)
	_, err = wallets.Take(t.Context(), "claim")
	wantCode(t, err, CodePoolEmpty)
	equal(t, heard, []string{"p 0", "p 1", SchemeEdDSA + " 0", SchemeEdDSA + " 0"})
}

// A missing command is "no such file" too: it must not look as if the item were gone.
func TestAKeyServiceThatIsDownBurnsNoItem(t *testing.T) {
	k := openOn(t, newMemoryDisk())
	pool, err := k.OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA})
	must(t, err)
	must(t, pool.Add(t.Context(), NewSecret([]byte("x"))))
	missing, err := NewCommandWrapper(CommandConfig{Argv: []string{"/nonexistent/kms"}})
	must(t, err)
	working := k.sealer.wrapper
	k.sealer.wrapper = missing
	_, err = pool.Take(t.Context())
	wantCode(t, err, CodeWrapperFailed)
	k.sealer.wrapper = failing{}
	_, err = pool.Take(t.Context())
	wantCode(t, err, CodeWrapperFailed)
	k.sealer.wrapper = working
	if _, err := pool.Take(t.Context()); err != nil || pool.Depth() != 0 {
		t.Errorf("the item is not there any more: %v", err)
	}
}

type failing struct{ fixedKey }

func (failing) Unwrap(context.Context, []byte, []byte) ([]byte, error) { return nil, exec.ErrNotFound }

func TestTheRulesOfWalletPools(t *testing.T) {
	d := newMemoryDisk()
	k := openOn(t, d)
	pool, err := k.OpenWalletPool(WalletPoolConfig{Scheme: SchemeECDSA})
	must(t, err)
	newest, oldest := testShare("a", 0, "x"), testShare("z", 0, "x")
	oldest.Public.Created = newest.Public.Created.Add(-time.Hour)
	for _, share := range []Share{newest, oldest, testShare("m", 0, "x")} {
		must(t, pool.Add(t.Context(), share))
	}
	must(t, pool.Offer("a", 0))
	_, err = k.Active("a")
	wantCode(t, err, CodeUnassigned)
	first, err := pool.Take(t.Context(), "agent-1")
	must(t, err)
	if first.Wallet != "z" {
		t.Errorf("took %s, want the oldest", first.Wallet)
	}
	named, err := pool.TakeNamed(t.Context(), "m", "agent-2")
	if err != nil || named.Wallet != "m" {
		t.Error(named.Wallet, err)
	}
	_, err = pool.TakeNamed(t.Context(), "m", "agent-3")
	wantCode(t, err, CodeNotFound)
	_, err = pool.TakeNamed(t.Context(), "a", "agent-2") // has m
	wantCode(t, err, CodeInputInvalid)
	_, err = pool.Take(t.Context(), "")
	wantCode(t, err, CodeInputInvalid)
	wantCode(t, pool.Offer("m", 0), CodeEpochRefused) // a taken wallet never comes back
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pool.Take(ended, "agent-9"); err == nil {
		t.Error("took a wallet for a caller who left")
	}

	again, err := openOn(t, d).OpenWalletPool(WalletPoolConfig{Scheme: SchemeECDSA})
	must(t, err)
	repeated, err := again.Take(t.Context(), "agent-1")
	if err != nil || repeated.Wallet != "z" || again.Depth() != 1 {
		t.Errorf("the claim gets %q, depth %d: %v", repeated.Wallet, again.Depth(), err)
	}
	// A pooled wallet's shares may be refreshed where they are.
	must(t, again.keystore.Put(t.Context(), testShare("a", 1, "x")))
	must(t, again.keystore.Activate("a", 1))
	must(t, again.keystore.Destroy("a", 0))
	last, err := again.Take(t.Context(), "agent-4")
	if err != nil || last.Wallet != "a" || last.Epoch != 1 {
		t.Errorf("%+v %v", last, err)
	}
}

func TestAPoolIsOpenOnce(t *testing.T) {
	k := openOn(t, newMemoryDisk())
	config := PoolConfig{Name: "p", Scheme: SchemeECDSA}
	_, err := k.OpenPool(config)
	must(t, err)
	_, err = k.OpenPool(config)
	wantCode(t, err, CodeInputInvalid)
	_, err = k.OpenPool(PoolConfig{Name: "../p", Scheme: SchemeECDSA})
	wantCode(t, err, CodeInputInvalid)
}

// slow activates the next epoch while a Load of the old one waits for the key service.
type slow struct {
	fixedKey
	meanwhile func()
}

func (s slow) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	s.meanwhile()
	return s.fixedKey.Unwrap(ctx, wrapped, aad)
}

func TestALoadThatANewEpochOvertakesReturnsNothing(t *testing.T) {
	k := openOn(t, newMemoryDisk())
	must(t, k.Put(t.Context(), testShare("a", 0, "old")))
	must(t, k.Activate("a", 0))
	must(t, k.Put(t.Context(), testShare("a", 1, "new")))
	k.sealer.wrapper = slow{fixedKey{1}, func() { must(t, k.Activate("a", 1)) }}
	_, err := k.Load(t.Context(), "a", 0)
	wantCode(t, err, CodeEpochRefused)
}
