package mpc

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/signer"
)

// ceremonyTimeMax only keeps a broken test from hanging: a resharing takes a free machine 10 seconds and a busy one
// minutes.
const ceremonyTimeMax = 15 * time.Minute

// trio is the links of the three roles among each other: links[a][b] is a's end of the transport to b.
type trio map[Role]map[Role]Transport

func newTrio() trio {
	links := trio{Runtime: {}, CoSigner: {}, Recovery: {}}
	for _, ends := range epochPairs {
		links[ends[0]][ends[1]], links[ends[1]][ends[0]] = signer.Pipe()
	}
	return links
}

// everywhere runs one side of a protocol at each role. A role that fails closes its links, as a process that ends would.
func (links trio) everywhere(t testing.TB, side func(ctx context.Context, role Role, own map[Role]Transport) error) [partyCount]error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ceremonyTimeMax)
	defer cancel()
	var failures [partyCount]error
	var done sync.WaitGroup
	for i, role := range everyRole {
		done.Go(func() {
			failures[i] = side(ctx, role, links[role])
			if failures[i] != nil {
				for _, link := range links[role] {
					_ = link.Close() // a pipe's Close never fails
				}
			}
		})
	}
	done.Wait()
	return failures
}

func wantNoErrors(t testing.TB, failures [partyCount]error) {
	t.Helper()
	for i, err := range failures {
		if err != nil {
			t.Errorf("the %s: %v", everyRole[i], err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// tape records the frames that each role receives.
type tape struct {
	mu     sync.Mutex
	frames map[Role][]Frame // by receiver
}

func (links trio) record() *tape {
	rec := &tape{frames: make(map[Role][]Frame)}
	for role, own := range links {
		for peer, link := range own {
			own[peer] = meddler{Transport: link, received: func(f Frame) Frame {
				rec.mu.Lock()
				defer rec.mu.Unlock()
				rec.frames[role] = append(rec.frames[role], f)
				return f
			}}
		}
	}
	return rec
}

// from returns the first body of a type that a role received from a peer.
func (rec *tape) from(t testing.TB, role, peer Role, frameType string) []byte {
	t.Helper()
	for _, f := range rec.frames[role] {
		if f.From == peer && f.Type == frameType {
			return f.Body
		}
	}
	t.Fatalf("the %s got no %s from the %s", role, frameType, peer)
	return nil
}

// testPreParams are published with the source and protect nothing. Read anew they count as unused.
func testPreParams(t testing.TB, role Role) PreParams {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("testdata/preparams%d.bin", role))
	if err != nil {
		t.Fatal(err)
	}
	var pre PreParams
	if err := pre.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return pre
}

var edWallet struct {
	sync.Once
	shares [partyCount]EdKeyshare
	tape   *tape
}

// edShares are the keyshares of one Ed25519 wallet, made by one key generation of this test process.
func edShares(t testing.TB) [partyCount]EdKeyshare {
	t.Helper()
	edWallet.Do(func() {
		links := newTrio()
		edWallet.tape = links.record()
		shares, failures := edKeygen(t, newEngine(t), freshID(), links)
		wantNoErrors(t, failures)
		edWallet.shares = shares
	})
	if edWallet.shares[0].secret == nil {
		t.Fatal("the key generation failed in an earlier test")
	}
	return edWallet.shares
}

func edKeygen(t testing.TB, engine *Engine, id [32]byte, links trio) ([partyCount]EdKeyshare, [partyCount]error) {
	t.Helper()
	var shares [partyCount]EdKeyshare
	failures := links.everywhere(t, func(ctx context.Context, role Role, own map[Role]Transport) (err error) {
		session := KeygenSession{ID: id, Wallet: "ed", Self: role}
		shares[role.Index()], err = engine.KeygenEdDSA(ctx, session, own)
		return err
	})
	return shares, failures
}
