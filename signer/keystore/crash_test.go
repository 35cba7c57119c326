package keystore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/purserhq/purser/abi"
)

const crashStepsMax = 200

// everyFault runs act on a fresh world with each operation of the disk failing in each way, and judges every disk that
// may be found afterwards.
func everyFault(t *testing.T, prepare func(*testing.T, *memoryDisk), act func(*memoryDisk) any, judge func(*testing.T, *memoryDisk, any)) {
	t.Helper()
	for _, how := range []fault{before, torn, failsClean, failsChanged} {
		judged := 0
		for step := 1; ; step++ {
			if step > crashStepsMax {
				t.Fatal("the story never ends")
			}
			d := newMemoryDisk()
			prepare(t, d)
			d.calls, d.stopAt, d.fault = 0, step, how
			told := act(d)
			reached := d.calls >= step
			for i, survivor := range d.survivors() {
				t.Run(fmt.Sprintf("fault %d at operation %d, disk %d", how, step, i), func(t *testing.T) { judge(t, survivor, told) })
				judged++
			}
			if !reached {
				break
			}
		}
		if judged < 5 {
			t.Fatalf("only %d disks were judged: the faults do not reach the code", judged)
		}
	}
}

func nothing(*testing.T, *memoryDisk) {}

func TestACrashWhileAKeystoreIsMadeLeavesOneThatOpens(t *testing.T) {
	everyFault(t, nothing, func(d *memoryDisk) any {
		_, err := open(t.Context(), testConfig("memory"), d)
		return err
	}, func(t *testing.T, d *memoryDisk, _ any) {
		k := openOn(t, d)
		must(t, k.Put(t.Context(), testShare("a", 0, "blob")))
		if got := blobOf(t, openOn(t, d), "a", 0); got != "blob" {
			t.Errorf("read %q back", got)
		}
		if left := d.leftovers(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// refresh is the story of one refresh; it returns how many of its three steps were acknowledged.
func refresh(t *testing.T, d *memoryDisk) any {
	k, err := open(t.Context(), testConfig("memory"), d)
	if err != nil {
		return 0
	}
	if k.Put(t.Context(), testShare("a", 1, "new")) != nil {
		return 0
	}
	if k.Activate("a", 1) != nil {
		return 1
	}
	if k.Destroy("a", 0) != nil {
		return 2
	}
	return 3
}

func activeOld(t *testing.T, d *memoryDisk) {
	k := openOn(t, d)
	for _, wallet := range []string{"a", "b"} {
		must(t, k.Put(t.Context(), testShare(wallet, 0, "old")))
		must(t, k.Activate(wallet, 0))
	}
}

func judgeRefresh(t *testing.T, d *memoryDisk, told any) {
	acknowledged, _ := told.(int)
	k := openOn(t, d)
	state, err := k.Active("a")
	must(t, err)
	want := map[uint32]string{0: "old", 1: "new"}[state.Epoch]
	if got := blobOf(t, k, "a", state.Epoch); got != want {
		t.Fatalf("epoch %d holds %q, want %q", state.Epoch, got, want)
	}
	if acknowledged >= 1 && blobOf(t, k, "a", 1) != "new" {
		t.Error("an acknowledged share is lost")
	}
	if acknowledged >= 2 && state.Epoch != 1 {
		t.Error("an acknowledged activation is lost")
	}
	if _, err := k.Load(t.Context(), "a", 0); state.Epoch == 1 && err == nil {
		t.Error("the old epoch loads after the new one is active")
	}
	if acknowledged >= 3 && (state.Phase != PhaseSettled || slices.Contains(slices.Collect(maps.Keys(d.live)), sharePath("a", 0))) {
		t.Error("an acknowledged destruction is lost")
	}
	if got := blobOf(t, k, "b", 0); got != "old" {
		t.Errorf("the other wallet holds %q", got)
	}
	finishRefresh(t, k, d)
}

// finishRefresh is what a restarted process does with what it finds.
func finishRefresh(t *testing.T, k *Keystore, d *memoryDisk) {
	pending, err := k.Pending()
	must(t, err)
	state, err := k.Active("a")
	must(t, err)
	if len(pending) == 0 && state.Epoch == 0 {
		must(t, k.Put(t.Context(), testShare("a", 1, "new")))
	}
	must(t, k.Activate("a", 1))
	if state, err = k.Active("a"); err != nil || state.Phase == PhaseSuperseding {
		must(t, k.Destroy("a", 0))
	}
	again := openOn(t, d)
	if state, err = again.Active("a"); err != nil || state.Epoch != 1 || state.Phase != PhaseSettled {
		t.Errorf("the finished refresh left %+v (%v)", state, err)
	}
	wantCode(t, again.Activate("a", 0), CodeNotFound)
	if left := d.leftovers(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestACrashAtAnyWriteOfARefreshLeavesAUsableEpochThatNeverGoesBack(t *testing.T) {
	everyFault(t, activeOld, func(d *memoryDisk) any { return refresh(t, d) }, judgeRefresh)
}

func TestACrashDuringTheCleanUpAfterACrashChangesNothing(t *testing.T) {
	for step := 1; step < crashStepsMax; step++ {
		d := newMemoryDisk()
		activeOld(t, d)
		d.calls, d.stopAt, d.fault = 0, step, torn
		told := refresh(t, d)
		if d.calls < step {
			return
		}
		for _, survivor := range d.survivors() {
			for again := 1; again < crashStepsMax; again++ {
				second := survivor.survivors()[0]
				second.stopAt, second.fault = again, torn
				_, err := open(t.Context(), testConfig("memory"), second)
				for _, third := range second.survivors() {
					judgeRefresh(t, third, told)
				}
				if err == nil {
					break
				}
			}
		}
	}
	t.Fatal("the story never ends")
}

type poolStory struct{ added, taken []string }

func TestNoCrashHandsAnItemOutTwiceOrLosesOneThatWasNotBeingTaken(t *testing.T) {
	everyFault(t, nothing, func(d *memoryDisk) any {
		var story poolStory
		k, err := open(t.Context(), testConfig("memory"), d)
		if err != nil {
			return story
		}
		pool, err := k.OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA})
		if err != nil {
			return story
		}
		for _, item := range []string{"one", "two", "three"} {
			if pool.Add(t.Context(), NewSecret([]byte(item))) == nil {
				story.added = append(story.added, item)
			}
		}
		for range 2 {
			if item, err := pool.Take(t.Context()); err == nil {
				story.taken = append(story.taken, string(item.Bytes()))
			}
		}
		return story
	}, func(t *testing.T, d *memoryDisk, told any) {
		story, _ := told.(poolStory)
		pool, err := openOn(t, d).OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA})
		must(t, err)
		found := pool.Depth()
		taken := slices.Clone(story.taken)
		for range found {
			item, err := pool.Take(t.Context())
			must(t, err)
			taken = append(taken, string(item.Bytes()))
		}
		_, err = pool.Take(t.Context())
		wantCode(t, err, CodePoolEmpty)
		slices.Sort(taken)
		if len(slices.Compact(slices.Clone(taken))) != len(taken) {
			t.Errorf("handed out twice: %v", taken)
		}
		// At most the one item that was being taken when the disk failed is gone.
		if len(taken) < len(story.added)-1 {
			t.Errorf("added %v, found only %v", story.added, taken)
		}
		if left := d.leftovers(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

type walletStory struct {
	added []string
	owned map[string]string
}

func TestNoCrashAssignsAWalletTwiceOrLosesOne(t *testing.T) {
	claims := []string{"agent-1", "agent-2"}
	everyFault(t, nothing, func(d *memoryDisk) any {
		story := walletStory{owned: map[string]string{}}
		k, err := open(t.Context(), testConfig("memory"), d)
		if err != nil {
			return story
		}
		pool, err := k.OpenWalletPool(WalletPoolConfig{Scheme: SchemeECDSA})
		if err != nil {
			return story
		}
		for _, wallet := range []string{"w1", "w2"} {
			if pool.Add(t.Context(), testShare(wallet, 0, wallet)) == nil {
				story.added = append(story.added, wallet)
			}
		}
		for _, claim := range claims {
			if got, err := pool.Take(t.Context(), claim); err == nil {
				story.owned[claim] = got.Wallet
			}
		}
		return story
	}, func(t *testing.T, d *memoryDisk, told any) {
		story, _ := told.(walletStory)
		k := openOn(t, d)
		pool, err := k.OpenWalletPool(WalletPoolConfig{Scheme: SchemeECDSA})
		must(t, err)
		finishWallets(t, k, pool, story)
		owners := map[string]string{}
		for _, claim := range claims {
			got, err := pool.Take(t.Context(), claim)
			must(t, err)
			if before, ok := story.owned[claim]; ok && before != got.Wallet {
				t.Errorf("%s had %s and now has %s", claim, before, got.Wallet)
			}
			if other, ok := owners[got.Wallet]; ok {
				t.Errorf("%s belongs to %s and %s", got.Wallet, other, claim)
			}
			owners[got.Wallet] = claim
			if blob := blobOf(t, k, got.Wallet, got.Epoch); blob != got.Wallet {
				t.Errorf("the share of %s holds %q", got.Wallet, blob)
			}
		}
	})
}

// finishWallets offers what a crash left between share and pool, and checks that nothing acknowledged is missing.
func finishWallets(t *testing.T, k *Keystore, pool *WalletPool, story walletStory) {
	held := map[string]bool{}
	pending, err := k.Pending()
	must(t, err)
	for _, listed := range pending {
		must(t, pool.Offer(listed.Wallet, listed.Epoch))
	}
	holdings, err := k.Wallets()
	must(t, err)
	for _, holding := range holdings {
		held[holding.Wallet] = true
	}
	for _, wallet := range story.added {
		if !held[wallet] {
			t.Errorf("the wallet %s is lost", wallet)
		}
	}
	for _, wallet := range []string{"w1", "w2"} { // what was never stored is made again
		if !held[wallet] {
			must(t, pool.Add(t.Context(), testShare(wallet, 0, wallet)))
		}
	}
}

func TestAfterAHalfFailedWriteNothingWorksUntilTheKeystoreIsOpenedAgain(t *testing.T) {
	d := newMemoryDisk()
	activeOld(t, d)
	k := openOn(t, d)
	must(t, k.Put(t.Context(), testShare("a", 1, "new")))
	d.calls, d.stopAt, d.fault = 0, 3, failsClean // create, rename, then the sync fails
	if err := k.Activate("a", 1); !errors.Is(err, errPlug) {
		t.Fatalf("got %v", err)
	}
	for name, call := range map[string]func() error{
		"active":     func() error { _, err := k.Active("a"); return err },
		"load":       func() error { _, err := k.Load(t.Context(), "a", 0); return err },
		"put":        func() error { return k.Put(t.Context(), testShare("c", 0, "x")) },
		"activate":   func() error { return k.Activate("a", 1) },
		"destroy":    func() error { return k.Destroy("a", 0) },
		"wallets":    func() error { _, err := k.Wallets(); return err },
		"pending":    func() error { _, err := k.Pending(); return err },
		"identity":   func() error { _, err := k.Identity(t.Context(), "x"); return err },
		"pool":       func() error { _, err := k.OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA}); return err },
		"walletpool": func() error { _, err := k.OpenWalletPool(WalletPoolConfig{Scheme: SchemeECDSA}); return err },
	} {
		if code := abi.CodeOf(call()); code != CodeReopen {
			t.Errorf("%s answers %q, want %s", name, code, CodeReopen)
		}
	}
	if state, err := openOn(t, d).Active("a"); err != nil || state.Epoch != 1 {
		t.Errorf("opened again: %+v, %v", state, err)
	}
}
