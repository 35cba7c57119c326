package ceremony

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

// testTimeMax only keeps a broken test from hanging.
const testTimeMax = 10 * time.Minute

var everyRole = [3]signer.Role{signer.RoleRuntime, signer.RoleCoSigner, signer.RoleRecovery}

// fixedKey wraps under a key of the test: a passphrase's derivation costs a tenth of a second.
type fixedKey [32]byte

func (fixedKey) Name() string { return "fixed" }

func (f fixedKey) Wrap(_ context.Context, dek, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(f[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(nonce)
	return aead.Seal(nonce, nonce, dek, aad), nil
}

func (f fixedKey) Unwrap(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(f[:])
	if err != nil || len(wrapped) < chacha20poly1305.NonceSizeX {
		return nil, errors.Join(err, errors.New("cannot unwrap"))
	}
	return aead.Open(nil, wrapped[:chacha20poly1305.NonceSizeX], wrapped[chacha20poly1305.NonceSizeX:], aad)
}

// world is three hosts with their folders.
type world struct {
	dir        string
	identities map[signer.Role]signer.Identity
	keys       map[signer.Role]ed25519.PublicKey
	recipient  string
	ageKey     keystore.Secret
	engine     func(signer.Role) Engine
	preparams  func(signer.Role) func(context.Context) (mpc.PreParams, error)
	limits     Limits
	// wrap, when set, meddles with one seat before it sits down.
	wrap func(role signer.Role, config *Config)
}

var ageOnce struct {
	sync.Once
	recipient string
	key       []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ageOnce.Do(func() {
		path := filepath.Join(t.TempDir(), "age.key")
		recipient, err := keystore.MakeRecoveryIdentity(path, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		ageOnce.recipient, ageOnce.key = recipient, content
	})
	engine, err := mpc.New(mpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		dir: t.TempDir(), identities: map[signer.Role]signer.Identity{}, keys: map[signer.Role]ed25519.PublicKey{},
		recipient: ageOnce.recipient, ageKey: keystore.NewSecret(ageOnce.key),
		engine:    func(signer.Role) Engine { return engine },
		preparams: func(signer.Role) func(context.Context) (mpc.PreParams, error) { return noPreParams },
		limits:    Limits{Answer: time.Minute, Protocol: 5 * time.Minute},
	}
	for _, role := range everyRole {
		identity, err := signer.NewIdentity(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		w.identities[role], w.keys[role] = identity, identity.Public()
	}
	return w
}

func noPreParams(context.Context) (mpc.PreParams, error) {
	return mpc.PreParams{}, errors.New("an Ed25519 wallet needs no pre-parameters")
}

func (w *world) folder(role signer.Role) string { return filepath.Join(w.dir, role.String()) }

// shares opens a host's place for shares, as a start of its process would.
func (w *world) shares(t testing.TB, role signer.Role) (Shares, func()) {
	t.Helper()
	if role == signer.RoleRecovery {
		offline, err := OpenOffline(OfflineConfig{Dir: w.folder(role), Recipients: []string{w.recipient}, Identity: w.ageKey})
		must(t, err)
		return offline, func() {}
	}
	store, err := keystore.Open(t.Context(), keystore.Config{Dir: w.folder(role), Role: role, Wrapper: fixedKey{byte(role)}, StoreID: "store-" + role.String()})
	must(t, err)
	return FromKeystore(store), func() { must(t, store.Close()) }
}

// pipes are the links of three seats in one process.
func pipes() map[signer.Role]map[signer.Role]Link {
	links := map[signer.Role]map[signer.Role]Link{}
	for _, role := range everyRole {
		links[role] = map[signer.Role]Link{}
	}
	for i, a := range everyRole {
		for _, b := range everyRole[i+1:] {
			here, there := signer.Pipe()
			var channel [32]byte
			_, _ = rand.Read(channel[:])
			links[a][b], links[b][a] = Link{here, channel}, Link{there, channel}
		}
	}
	return links
}

// outcome is how a ceremony ended at one seat.
type outcome struct {
	result Result
	err    error
}

// hold runs a ceremony at all three seats.
func (w *world) hold(t testing.TB, at func(ctx context.Context, role signer.Role, seat *Seat) (Result, error)) map[signer.Role]outcome {
	t.Helper()
	return w.holdOver(t, pipes(), at)
}

func (w *world) holdOver(
	t testing.TB, links map[signer.Role]map[signer.Role]Link, at func(ctx context.Context, role signer.Role, seat *Seat) (Result, error),
) map[signer.Role]outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeMax)
	defer cancel()
	var mu sync.Mutex
	all := map[signer.Role]outcome{}
	var done sync.WaitGroup
	for _, role := range everyRole {
		shares, release := w.shares(t, role)
		defer release()
		config := Config{
			Self: role, Identity: w.identities[role], Keys: w.keys, Links: links[role], Engine: w.engine(role), Shares: shares,
			PreParams: w.preparams(role), Limits: w.limits,
		}
		if w.wrap != nil {
			w.wrap(role, &config)
		}
		seat, err := New(config)
		must(t, err)
		done.Go(func() {
			result, err := at(ctx, role, seat)
			mu.Lock()
			defer mu.Unlock()
			all[role] = outcome{result, err}
		})
	}
	done.Wait()
	return all
}

func keygen(plan Plan) func(context.Context, signer.Role, *Seat) (Result, error) {
	return func(ctx context.Context, _ signer.Role, seat *Seat) (Result, error) { return seat.Keygen(ctx, plan) }
}

func refresh(wallet string) func(context.Context, signer.Role, *Seat) (Result, error) {
	return func(ctx context.Context, _ signer.Role, seat *Seat) (Result, error) { return seat.Refresh(ctx, wallet) }
}

func recovery(wallet string, lost signer.Role) func(context.Context, signer.Role, *Seat) (Result, error) {
	return func(ctx context.Context, _ signer.Role, seat *Seat) (Result, error) {
		return seat.Recover(ctx, wallet, lost)
	}
}

func resume(wallet string) func(context.Context, signer.Role, *Seat) (Result, error) {
	return func(ctx context.Context, _ signer.Role, seat *Seat) (Result, error) { return seat.Resume(ctx, wallet) }
}

func edPlan(wallet string) Plan {
	return Plan{Wallet: wallet, Scheme: keystore.SchemeEdDSA, Networks: []abi.Network{"eip155:402402"}}
}

func wantResults(t testing.TB, all map[signer.Role]outcome) Result {
	t.Helper()
	first := all[signer.RoleRuntime].result
	for _, role := range everyRole {
		got := all[role]
		if got.err != nil {
			t.Errorf("the %s: %v", role, got.err)
		} else if got.result.Epoch != first.Epoch || !bytes.Equal(got.result.PublicKey, first.PublicKey) || got.result.Wallet != first.Wallet {
			t.Errorf("the %s ended with %+v, the runtime with %+v", role, got.result, first)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return first
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if abi.CodeOf(err) != code {
		t.Fatalf("got %v (code %q), want the code %s", err, abi.CodeOf(err), code)
	}
}

// state describes what a host has, for comparisons.
func (w *world) state(t testing.TB, role signer.Role, wallet string) string {
	t.Helper()
	shares, release := w.shares(t, role)
	defer release()
	status, err := shares.Status(wallet)
	must(t, err)
	active := "none"
	if status.Active != nil {
		active = fmt.Sprint(*status.Active)
	}
	return fmt.Sprintf("active %s retiring %v pending %v", active, status.Retiring, status.Pending)
}

// everyPairSigns loads the shares in force anew and has each pair sign with them, for real.
func (w *world) everyPairSigns(t testing.TB, wallet string) {
	t.Helper()
	engine, err := mpc.New(mpc.Config{})
	must(t, err)
	var id [32]byte
	_, _ = rand.Read(id[:])
	links := pipes()
	var done sync.WaitGroup
	for _, role := range everyRole {
		shares, release := w.shares(t, role)
		defer release()
		status, err := shares.Status(wallet)
		must(t, err)
		if status.Active == nil {
			t.Fatalf("the %s has nothing of %s in force", role, wallet)
		}
		share, err := shares.Load(t.Context(), wallet, *status.Active)
		must(t, err)
		own := map[signer.Role]signer.Transport{}
		for peer, link := range links[role] {
			own[peer] = link.Transport
		}
		run, err := protocolsOf(share.Scheme, engine, own, noPreParams)
		must(t, err)
		done.Go(func() {
			test := mpc.EpochTest{ID: id, Wallet: wallet, Epoch: share.Epoch, PublicKey: share.Public.PublicKey, Self: role}
			if err := run.prove(t.Context(), test, share.Blob); err != nil {
				t.Errorf("the %s does not sign: %v", role, err)
				for _, link := range own {
					_ = link.Close()
				}
			}
		})
	}
	done.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// fixturePreParams hands out the published pre-parameters of the engine's tests, which protect nothing.
func fixturePreParams(t testing.TB) func(signer.Role) func(context.Context) (mpc.PreParams, error) {
	return func(role signer.Role) func(context.Context) (mpc.PreParams, error) {
		return func(context.Context) (pre mpc.PreParams, err error) {
			data, err := os.ReadFile(fmt.Sprintf("../mpc/testdata/preparams%d.bin", role))
			if err == nil {
				err = pre.UnmarshalBinary(data)
			}
			return pre, err
		}
	}
}

// chmodPrivate restores the modes that a copy of a folder loses.
func chmodPrivate(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if entry.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
}

// memoryDir is a folder that costs no disk time where there is one: hundreds of stories wait for every fsync otherwise.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "purser-ceremony-") //nolint:usetesting // t.TempDir is on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // it is memory: nothing is left after the machine
	return dir
}
