package ceremony

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

var errKilled = errors.New("the process was killed")

// mortal is a process that is killed before its nth operation on the network or on its shares: from then on it does
// nothing, and its connections end, as a kernel would end them.
type mortal struct {
	mu     sync.Mutex
	at, n  int
	killed bool
	links  []signer.Transport
}

func (m *mortal) alive() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	if m.at > 0 && m.n >= m.at && !m.killed {
		m.killed = true
		for _, link := range m.links {
			_ = link.Close()
		}
	}
	if m.killed {
		return errKilled
	}
	return nil
}

func (m *mortal) possess(config *Config) {
	links := map[signer.Role]Link{}
	for role, link := range config.Links {
		m.links = append(m.links, link.Transport)
		links[role] = Link{mortalLink{link.Transport, m}, link.Channel}
	}
	config.Links, config.Shares = links, mortalShares{config.Shares, m}
}

type mortalLink struct {
	signer.Transport
	m *mortal
}

func (l mortalLink) Send(ctx context.Context, frame signer.Frame) error {
	if err := l.m.alive(); err != nil {
		return err
	}
	return l.Transport.Send(ctx, frame)
}

func (l mortalLink) Receive(ctx context.Context) (signer.Frame, error) {
	if err := l.m.alive(); err != nil {
		return signer.Frame{}, err
	}
	return l.Transport.Receive(ctx)
}

type mortalShares struct {
	Shares
	m *mortal
}

func (s mortalShares) Put(ctx context.Context, share keystore.Share) error {
	if err := s.m.alive(); err != nil {
		return err
	}
	return s.Shares.Put(ctx, share)
}

func (s mortalShares) Activate(wallet string, epoch uint32, pooled bool) error {
	if err := s.m.alive(); err != nil {
		return err
	}
	return s.Shares.Activate(wallet, epoch, pooled)
}

func (s mortalShares) Destroy(wallet string, epoch uint32) error {
	if err := s.m.alive(); err != nil {
		return err
	}
	return s.Shares.Destroy(wallet, epoch)
}

// recorded are real keyshares of one wallet: epoch 0 of a key generation, the others each of a resharing.
type recorded [3][3]mpc.EdKeyshare

var recordedOnce struct {
	sync.Once
	shares recorded
}

// record runs the expensive protocols once; the crashes are around them.
func record(t testing.TB) *recorded {
	t.Helper()
	recordedOnce.Do(func() {
		engine, err := mpc.New(mpc.Config{})
		must(t, err)
		all := &recordedOnce.shares
		together(t, func(role signer.Role, links map[signer.Role]signer.Transport) (err error) {
			all[0][role.Index()], err = engine.KeygenEdDSA(t.Context(), mpc.KeygenSession{ID: [32]byte{1}, Wallet: "w", Self: role}, links)
			return err
		})
		key := all[0][0].PublicKey()
		for epoch := uint32(1); int(epoch) < len(all); epoch++ {
			together(t, func(role signer.Role, links map[signer.Role]signer.Transport) (err error) {
				session := mpc.ReshareSession{
					ID: [32]byte{byte(epoch), 2}, Wallet: "w", From: 0, To: epoch, Old: everyRole[:], PublicKey: key[:], Self: role,
				}
				all[epoch][role.Index()], err = engine.ReshareEdDSA(t.Context(), session, all[0][role.Index()], links)
				return err
			})
			together(t, func(role signer.Role, links map[signer.Role]signer.Transport) error {
				test := mpc.EpochTest{ID: [32]byte{byte(epoch), 3}, Wallet: "w", Epoch: epoch, PublicKey: key[:], Self: role}
				return engine.ProveEpochEdDSA(t.Context(), test, all[epoch][role.Index()], links)
			})
		}
	})
	if recordedOnce.shares[0][0].Role() == 0 {
		t.Fatal("the recording failed in an earlier test")
	}
	return &recordedOnce.shares
}

func together(t testing.TB, side func(signer.Role, map[signer.Role]signer.Transport) error) {
	t.Helper()
	links := pipes()
	var done sync.WaitGroup
	for _, role := range everyRole {
		own := map[signer.Role]signer.Transport{}
		for peer, link := range links[role] {
			own[peer] = link.Transport
		}
		done.Go(func() {
			if err := side(role, own); err != nil {
				t.Errorf("the %s: %v", role, err)
			}
		})
	}
	done.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// replay is an engine that gives out the recorded keyshares. Its proof is an exchange between all three, and holds the
// keyshare that it is shown against the recorded one.
type replay struct {
	Engine // nil: secp256k1 is not recorded
	shares *recorded
}

func (e replay) KeygenEdDSA(ctx context.Context, session mpc.KeygenSession, links map[signer.Role]signer.Transport) (mpc.EdKeyshare, error) {
	if session.Epoch != 0 { // an interrupted first attempt: any set will do, they all are of one key
		return e.ReshareEdDSA(ctx, mpc.ReshareSession{To: session.Epoch, Self: session.Self}, mpc.EdKeyshare{}, links)
	}
	return e.shares[0][session.Self.Index()], nil
}

func (e replay) ReshareEdDSA(_ context.Context, session mpc.ReshareSession, _ mpc.EdKeyshare, _ map[signer.Role]signer.Transport) (mpc.EdKeyshare, error) {
	if int(session.To) >= len(e.shares) {
		return mpc.EdKeyshare{}, fmt.Errorf("epoch %d is not recorded", session.To)
	}
	return e.shares[session.To][session.Self.Index()], nil
}

func (e replay) ProveEpochEdDSA(ctx context.Context, test mpc.EpochTest, share mpc.EdKeyshare, links map[signer.Role]signer.Transport) error {
	if !sameShare(share, e.shares[test.Epoch][test.Self.Index()]) {
		return fmt.Errorf("the %s has a share of another epoch than %d", test.Self, test.Epoch)
	}
	for peer, link := range links {
		if err := link.Send(ctx, signer.Frame{Session: test.ID, From: test.Self, To: peer, Type: "proof", Body: []byte{1}}); err != nil {
			return err
		}
	}
	for _, link := range links {
		if frame, err := link.Receive(ctx); err != nil || frame.Session != test.ID {
			return errors.Join(err, errors.New("no proof"))
		}
	}
	return nil
}

func sameShare(a, b mpc.EdKeyshare) bool {
	x, errX := a.MarshalBinary()
	y, errY := b.MarshalBinary()
	return errX == nil && errY == nil && string(x) == string(y)
}

// crashCase is a ceremony that is interrupted.
type crashCase struct {
	name   string
	lost   signer.Role
	keygen bool
	hold   func(context.Context, signer.Role, *Seat) (Result, error)
}

var crashCases = []crashCase{
	{name: "keygen", keygen: true, hold: keygen(edPlan("w"))},
	{name: "refresh", hold: refresh("w")},
	{name: "recovery of the runtime", lost: signer.RoleRuntime, hold: recovery("w", signer.RoleRuntime)},
	{name: "recovery of the co-signer", lost: signer.RoleCoSigner, hold: recovery("w", signer.RoleCoSigner)},
	{name: "recovery of recovery", lost: signer.RoleRecovery, hold: recovery("w", signer.RoleRecovery)},
}

// before is a world as it is when the ceremony begins.
func (c crashCase) before(t testing.TB, template *world) *world {
	t.Helper()
	w := *template
	w.dir, w.wrap = memoryDir(t), nil
	if c.keygen {
		return &w
	}
	for _, role := range everyRole {
		if role != c.lost {
			must(t, os.CopyFS(w.folder(role), os.DirFS(template.folder(role))))
			must(t, chmodPrivate(w.folder(role)))
		}
	}
	return &w
}

// verify judges what a crash and at most one Resume have left.
func (c crashCase) verify(t testing.TB, w *world, shares *recorded) {
	t.Helper()
	committed := c.committed(t, w)
	resumed := w.hold(t, resume("w"))
	if !committed && (c.keygen || c.lost != 0) {
		// Nothing was put in force: the old holders are as before, and the ceremony is held again.
		for role, got := range resumed {
			if abi.CodeOf(got.err) != CodeImpossible {
				t.Fatalf("the %s resumed with %+v, %v", role, got.result, got.err)
			}
		}
		c.untouched(t, w)
		resumed = w.hold(t, c.hold)
	}
	result := wantResults(t, resumed)
	if want := committed || c.keygen || c.lost != 0; (result.Epoch != 0) != want && !c.keygen {
		t.Fatalf("epoch %d holds; committed: %v", result.Epoch, committed)
	}
	c.oneEpoch(t, w, shares, result.Epoch)
}

// committed reports whether the decider's rename has happened.
func (c crashCase) committed(t testing.TB, w *world) bool {
	t.Helper()
	role := decider(OperationKeygen, 0)
	if c.lost != 0 {
		role = decider(OperationRecover, c.lost)
	}
	shares, release := w.shares(t, role)
	defer release()
	status, err := shares.Status("w")
	must(t, err)
	return status.Active != nil && (c.keygen || *status.Active > 0)
}

// untouched: whoever had the old epoch has it still, in force and readable.
func (c crashCase) untouched(t testing.TB, w *world) {
	t.Helper()
	for _, role := range everyRole {
		want := "active 0 retiring [] pending []"
		if role == c.lost || c.keygen {
			want = "active none retiring [] pending []"
		}
		if got := w.state(t, role, "w"); got != want {
			t.Fatalf("the %s has %s, want %s", role, got, want)
		}
	}
}

// oneEpoch: all three have the recorded shares of one epoch, and nothing else.
func (c crashCase) oneEpoch(t testing.TB, w *world, recorded *recorded, epoch uint32) {
	t.Helper()
	for _, role := range everyRole {
		if got, want := w.state(t, role, "w"), fmt.Sprintf("active %d retiring [] pending []", epoch); got != want {
			t.Fatalf("the %s has %s, want %s", role, got, want)
		}
		shares, release := w.shares(t, role)
		share, err := shares.Load(t.Context(), "w", epoch)
		must(t, err)
		var decoded mpc.EdKeyshare
		must(t, decoded.UnmarshalBinary(share.Blob.Bytes()))
		if !sameShare(decoded, recorded[epoch][role.Index()]) {
			t.Fatalf("the %s's share of epoch %d is not the one that was made", role, epoch)
		}
		release()
	}
}

// crashWorlds makes the template of all crash tests.
func crashWorlds(t *testing.T) (*world, *recorded) {
	t.Helper()
	shares := record(t)
	w := newWorld(t)
	w.engine = func(signer.Role) Engine { return replay{shares: shares} }
	wantResults(t, w.hold(t, keygen(edPlan("w"))))
	return w, shares
}

const crashOperationsMax = 200

// A killed seat leaves either the old epoch or the new one, for all three, after one Resume; and the old one works until
// the decider's rename, whoever dies wherever.
func TestWhoeverIsKilledBeforeAnyOperationExactlyOneEpochHoldsAfterOneResume(t *testing.T) {
	template, shares := crashWorlds(t)
	for _, c := range crashCases {
		for _, victim := range everyRole {
			t.Run(c.name+"/"+victim.String()+" is killed", func(t *testing.T) {
				committed, judged, stride := 0, 0, 1
				if testing.Short() {
					stride = 4
				}
				for at := 1; ; at += stride {
					if at > crashOperationsMax {
						t.Fatal("the story never ends")
					}
					m := &mortal{at: at}
					w := c.before(t, template)
					w.wrap = func(role signer.Role, config *Config) {
						if role == victim {
							m.possess(config)
						}
					}
					all := w.hold(t, c.hold)
					w.wrap = nil
					if !m.killed {
						wantResults(t, all)
						break
					}
					c.oldWorksUntilCommit(t, w)
					if c.committed(t, w) {
						committed++
					}
					c.verify(t, w, shares)
					judged++
				}
				t.Logf("%d crashes, %d of them after the commit", judged, committed)
				if !testing.Short() && (committed == 0 || committed == judged) {
					t.Errorf("%d of %d crashes came after the commit: the kills do not reach both sides of it", committed, judged)
				}
			})
		}
	}
}

// oldWorksUntilCommit: before the rename, everybody who had the old epoch has it in force, without any Resume.
func (c crashCase) oldWorksUntilCommit(t testing.TB, w *world) {
	t.Helper()
	if c.keygen || c.committed(t, w) {
		return
	}
	for _, role := range everyRole {
		if role != c.lost && !strings.HasPrefix(w.state(t, role, "w"), "active 0 retiring []") {
			t.Fatalf("before the commit the %s has %s", role, w.state(t, role, "w"))
		}
	}
}

func TestAResumeThatIsItselfKilledIsEndedByTheNext(t *testing.T) {
	template, shares := crashWorlds(t)
	stories := 60
	if testing.Short() {
		stories = 8
	}
	random := rand.New(rand.NewPCG(4, 2)) //nolint:gosec // the choice of stories, the same every time
	for i := range stories {
		c := crashCases[random.IntN(len(crashCases))]
		w := c.before(t, template)
		kill := func(most int) {
			victim, m := everyRole[random.IntN(3)], &mortal{at: 1 + random.IntN(most)}
			w.wrap = func(role signer.Role, config *Config) {
				if role == victim {
					m.possess(config)
				}
			}
		}
		kill(40)
		w.hold(t, c.hold)
		kill(15)
		w.hold(t, resume("w"))
		w.wrap = nil
		t.Run(fmt.Sprintf("%d %s", i, c.name), func(t *testing.T) { c.verify(t, w, shares) })
	}
}
