package ceremony

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

// published gives out the demo wallet's keyshares: what is tested is what travels beside them.
type published struct{ Engine }

func (published) Reshare(_ context.Context, session mpc.ReshareSession, _ mpc.Keyshare, _ mpc.PreParams, _ map[signer.Role]signer.Transport) (mpc.Keyshare, error) {
	return demowallet.Share(session.Self)
}

func (published) ProveEpoch(context.Context, mpc.EpochTest, mpc.Keyshare, map[signer.Role]signer.Transport) error {
	return nil
}

// derivedWorld has the demo wallet in force at all three, with a chain code at the two signers.
func derivedWorld(t *testing.T, code signer.ChainCode) *world {
	t.Helper()
	w := newWorld(t)
	w.engine = func(signer.Role) Engine { return published{} }
	w.preparams = func(signer.Role) func(context.Context) (mpc.PreParams, error) {
		return func(context.Context) (mpc.PreParams, error) { return mpc.PreParams{}, nil }
	}
	for _, role := range everyRole {
		keyshare, err := demowallet.Share(role)
		must(t, err)
		blob, err := keyshare.MarshalBinary()
		must(t, err)
		key := keyshare.PublicKey().Uncompressed()
		address, err := preimage.EVMAddress(key[:])
		must(t, err)
		share := keystore.Share{
			Wallet: "w", Role: role, Scheme: keystore.SchemeECDSA, Blob: keystore.NewSecret(blob),
			Public: keystore.Record{PublicKey: key[:], Address: address, Networks: edPlan("").Networks, Created: time.Unix(1_790_000_000, 0)},
		}
		if role != signer.RoleRecovery {
			share.ChainCode = code
		}
		shares, release := w.shares(t, role)
		must(t, shares.Put(t.Context(), share))
		must(t, shares.Activate("w", 0, false))
		release()
	}
	return w
}

func (w *world) chainTag(t testing.TB, role signer.Role, epoch uint32) string {
	t.Helper()
	shares, release := w.shares(t, role)
	defer release()
	share, err := shares.Load(t.Context(), "w", epoch)
	must(t, err)
	return ChainTag(share.ChainCode)
}

func TestTheChainCodeStaysWithTheSignersThroughRefreshAndRecovery(t *testing.T) {
	code := signer.NewChainCode([32]byte{7})
	w := derivedWorld(t, code)
	epoch := uint32(0)
	check := func(all map[signer.Role]outcome) {
		t.Helper()
		epoch = wantResults(t, all).Epoch
		for role, want := range map[signer.Role]string{1: ChainTag(code), 2: ChainTag(code), 3: chainNone} {
			if got := w.chainTag(t, role, epoch); got != want {
				t.Errorf("epoch %d: the %s has the chain code %s, want %s", epoch, role, got, want)
			}
		}
	}
	check(w.hold(t, refresh("w")))
	for _, lost := range everyRole {
		must(t, os.RemoveAll(w.folder(lost)))
		check(w.hold(t, recovery("w", lost)))
	}
}

func TestAChainCodeOtherThanTheOneDescribedIsRefused(t *testing.T) {
	w := derivedWorld(t, signer.NewChainCode([32]byte{7}))
	must(t, os.RemoveAll(w.folder(signer.RoleRuntime)))
	w.wrap = func(role signer.Role, config *Config) {
		if role == signer.RoleCoSigner {
			link := config.Links[signer.RoleRuntime]
			link.Transport = twoFaced{link.Transport, func(frame *signer.Frame) {
				if frame.Type == messageChainCode {
					frame.Body = make([]byte, 32)
				}
			}}
			config.Links = map[signer.Role]Link{signer.RoleRuntime: link, signer.RoleRecovery: config.Links[signer.RoleRecovery]}
		}
	}
	all := w.hold(t, recovery("w", signer.RoleRuntime))
	wantCode(t, all[signer.RoleRuntime].err, CodePeerRefused)
}

// Two seats make a chain code over a pipe; change is applied to what the co-signer sends.
func makeCodes(t *testing.T, change func(*signer.Frame)) (codes [2]signer.ChainCode, errs [2]error) {
	t.Helper()
	w, links := newWorld(t), pipes()
	runs := [2]*run{}
	for i, role := range everyRole[:2] {
		seat, err := New(Config{
			Self: role, Identity: w.identities[role], Keys: w.keys, Links: links[role], Engine: w.engine(role), Shares: &Offline{}, PreParams: noPreParams,
		})
		must(t, err)
		seat.begin()
		if role == signer.RoleCoSigner {
			seat.links[signer.RoleRuntime] = twoFaced{seat.links[signer.RoleRuntime], change}
		}
		runs[i] = &run{Seat: seat, plan: Plan{Operation: OperationKeygen}, session: [32]byte{1}, terms: Terms{Chain: chainDerived}}
	}
	together2(runs, func(i int, r *run) { codes[i], errs[i] = r.chainCode(t.Context(), signer.ChainCode{}) })
	return codes, errs
}

func together2(runs [2]*run, do func(int, *run)) {
	done := make(chan struct{})
	go func() { defer close(done); do(1, runs[1]) }()
	do(0, runs[0])
	<-done
}

func TestNeitherSignerAloneChoosesTheChainCode(t *testing.T) {
	codes, errs := makeCodes(t, func(*signer.Frame) {})
	if errs[0] != nil || errs[1] != nil || ChainTag(codes[0]) != ChainTag(codes[1]) || ChainTag(codes[0]) == chainNone {
		t.Fatalf("%v, %v, %v", codes, errs[0], errs[1])
	}
	_, errs = makeCodes(t, func(frame *signer.Frame) { // chosen after it saw the other's
		if frame.Type == messageChainReveal {
			frame.Body = append([]byte(nil), frame.Body...)
			frame.Body[0] ^= 1
		}
	})
	wantCode(t, errs[0], CodePeerRefused)
}
