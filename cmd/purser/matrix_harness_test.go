package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

// soakKillsEnv says how many kills TestEitherProcessKilledAtRandom makes of each store's runtime; unset: a few.
const soakKillsEnv = "PURSER_SOAK_KILLS"

// soakKills is the number in the environment, or few.
func soakKills(t testing.TB, few int) int {
	t.Helper()
	text := os.Getenv(soakKillsEnv)
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number of kills", soakKillsEnv, text)
	}
	return n
}

// fleet is both processes with the demo wallet's real shares, and an agent that pays from its root key.
type fleet struct {
	*twoHosts
	top       *testing.T // whose end ends the processes
	key       walletKey
	dsn       string // of the runtime's ledger; empty: SQLite
	co, serve *service
	token     string
	current   atomic.Pointer[client.Client]

	mu    sync.Mutex
	asked map[string]api.View // by key, how it ended
	keys  atomic.Int64
}

const fleetLimits = "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"100000\"\n    repeats: parallel"

// newFleet starts both. before may change the folders first.
func newFleet(t *testing.T, before ...func(*fleet)) *fleet {
	t.Helper()
	key, err := demoKeys()
	if err != nil {
		t.Fatal(err)
	}
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(10_000), demoReport}}, key)
	f := &fleet{top: t, twoHosts: newTwoHosts(t, world, world.testPolicy(t, fleetLimits)), key: key, asked: map[string]api.View{}}
	for _, change := range before {
		change(f)
	}
	f.co, f.serve = f.start(t, roleCosigner), f.start(t, roleRuntime)
	_, view := f.agent(t, f.serve, abi.Enrolment{Agent: "shopper", Wallet: demoWalletID})
	f.token = view.Token
	f.connect(t)
	return f
}

// onPostgres keeps the runtime's ledger there, and seals its share to it.
func onPostgres(t *testing.T, dsn string) func(*fleet) {
	return func(f *fleet) {
		f.dsn = dsn
		ledger, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Schema: schemaOf(roleRuntime)})
		if err != nil {
			t.Fatal(err)
		}
		must(t, os.RemoveAll(f.at(roleRuntime, "keys")))
		vault, err := f.twoHosts.keys(roleRuntime).openKeystore(t.Context(), signer.RoleRuntime, ledger.ID())
		if err != nil {
			t.Fatal(err)
		}
		share, err := demowallet.Share(signer.RoleRuntime)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := share.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		must(t, vault.Put(t.Context(), keystore.Share{
			Wallet: demoWalletID, Role: signer.RoleRuntime, Scheme: keystore.SchemeECDSA, Blob: keystore.NewSecret(secret), ChainCode: signer.NewChainCode(chainCode),
			Public: keystore.Record{PublicKey: f.key.wallet.PublicKey, Address: f.key.wallet.Address, Networks: f.key.wallet.Networks, Created: time.Unix(1_700_000_000, 0)},
		}))
		must(t, errors.Join(vault.Activate(demoWalletID, 0), vault.Close(), ledger.Close()))
		form, err := os.ReadFile(f.at(roleRuntime, "purser.yaml.in"))
		if err != nil {
			t.Fatal(err)
		}
		form = fmt.Appendf(form, "postgres: %s\n", strings.ReplaceAll(strconv.Quote(dsn), "%", "%%"))
		must(t, os.WriteFile(f.at(roleRuntime, "purser.yaml.in"), form, 0o600))
		f.dialAt(t, f.dial)
	}
}

func (f *fleet) connect(t testing.TB) {
	t.Helper()
	f.current.Store(clientOf(t, f.serve.url(t), f.token))
}

// killRuntime sends SIGKILL to the runtime and starts it again.
func (f *fleet) killRuntime(t testing.TB) {
	t.Helper()
	f.serve.ended = true
	must(t, f.serve.Process.Kill())
	_ = f.serve.Wait() // it was killed
	f.serve = f.start(f.top, roleRuntime)
	f.connect(f.top)
}

// killCosigner sends SIGKILL to the process that the co-signer's supervisor runs, and waits until it runs another one.
func (f *fleet) killCosigner(t testing.TB) {
	t.Helper()
	before := f.cosignerProcess(t, 0)
	must(t, syscall.Kill(before, syscall.SIGKILL))
	f.cosignerProcess(t, before)
}

func (f *fleet) cosignerProcess(t testing.TB, not int) int {
	t.Helper()
	for deadline := time.Now().Add(childStartMax); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if child := childOf(t, f.co); child != 0 && child != not {
			return child
		}
	}
	t.Fatal("the supervisor runs no co-signer")
	return 0
}

// buy insists on one new key until it is over.
func (f *fleet) buy(t testing.TB) api.View {
	t.Helper()
	key := fmt.Sprintf("purchase-%05d", f.keys.Add(1))
	view, err := insist(t.Context(), f.current.Load, api.PayParams{Key: key, URL: f.world.merchantURL + "/paid"})
	if err != nil || !runtime.State(view.State).Final() {
		t.Errorf("%s ended as %s %+v, %v", key, view.State, view.Reasons, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[key] = view
	return view
}

// busy lets agents buy until the function it returns is called, which waits for the last of them.
func (f *fleet) busy(t testing.TB, agents int) (enough func()) {
	t.Helper()
	var working sync.WaitGroup
	var over atomic.Bool
	for range agents {
		working.Go(func() {
			for !over.Load() {
				f.buy(t)
			}
		})
	}
	return func() {
		over.Store(true)
		working.Wait()
	}
}

// mustAddUp asks for every key once more, ends both processes, and has the independent checker compare both ledgers and
// the chain.
func (f *fleet) mustAddUp(t *testing.T) evidence {
	t.Helper()
	delivered, states := 0, map[string]int{}
	for key, first := range f.asked {
		again, err := f.current.Load().Pay(t.Context(), api.PayParams{Key: key, URL: f.world.merchantURL + "/paid"})
		if err != nil || again.ID != first.ID || again.State != first.State || again.Digest != first.Digest {
			t.Errorf("%s was answered %+v and is %+v, %v", key, first, again, err)
		}
		states[again.State]++
		if again.State == string(runtime.Delivered) {
			delivered++
			if again.Response == nil || string(again.Response.Body) != demoReport {
				t.Errorf("%s is delivered without what was bought", key)
			}
		}
	}
	f.serve.stop(t)
	f.co.stop(t)
	e := evidence{
		cosigner:  readSQLite(t, f.at(roleCosigner, "data", fileOf(roleCosigner))),
		transfers: readTransfers(t, f.world.chain.RPCURL(), f.world.chain.Token().Reference(), f.key.wallet.Address), limit: abi.NewAmount(100_000 * oneUSDC),
		cosignerKey: publicKeyOf(t, f.at(roleCosigner, "data", "identity", roleCosigner+".key")),
	}
	if f.dsn != "" {
		e.runtime = readPostgres(t, f.dsn, schemaOf(roleRuntime))
	} else {
		e.runtime = readSQLite(t, f.at(roleRuntime, "data", fileOf(roleRuntime)))
	}
	e.mustHold(t)
	t.Logf("%d keys ended as %v", len(f.asked), states)
	if states[string(runtime.Dead)] > 0 { // allowed, and worth a look
		t.Logf("the runtime's log:\n%s\nthe co-signer's log:\n%s", f.said(t, roleRuntime), f.said(t, roleCosigner))
	}
	if len(e.transfers) != delivered || len(e.runtime.rows) != len(f.asked) {
		t.Errorf("%d keys, %d delivered; the ledger has %d payments and the chain %d transfers", len(f.asked), delivered, len(e.runtime.rows), len(e.transfers))
	}
	for _, role := range roles {
		said := f.said(t, role)
		for _, alarm := range []string{"SIGNING STOPPED", "sessions_aborted", "panic:"} {
			if bytes.Contains(said, []byte(alarm)) {
				t.Errorf("the %s's log says %s: honest sides blamed each other", role, alarm)
			}
		}
	}
	return e
}

// said is what a side's process wrote to its log.
func (f *fleet) said(t testing.TB, role string) []byte {
	t.Helper()
	text, err := os.ReadFile(f.at(role, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// watch follows the log of a side's SQLite ledger from outside.
type watch struct {
	ledger   *sql.DB
	position uint64
}

func (f *fleet) watch(t testing.TB, role string) *watch {
	t.Helper()
	ledger, err := sql.Open("sqlite", "file:"+f.at(role, "data", fileOf(role))+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, ledger.Close()) })
	w := &watch{ledger: ledger}
	must(t, ledger.QueryRowContext(t.Context(), `SELECT COALESCE(MAX(position), 0) FROM log`).Scan(&w.position))
	return w
}

// until waits for an entry of the kind after those that were there, and reports whether it came before the deadline.
func (w *watch) until(t testing.TB, kind string, deadline time.Time) bool {
	t.Helper()
	for ; time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var raw []byte
		var entry abi.Entry
		err := w.ledger.QueryRowContext(t.Context(), `SELECT entry FROM log WHERE position = ?`, w.position+1).Scan(&raw)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		must(t, err)
		must(t, entry.Unmarshal(raw))
		w.position++
		if entry.Kind == kind {
			return true
		}
	}
	return false
}
