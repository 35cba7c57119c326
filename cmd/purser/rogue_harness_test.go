package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/link"
	"github.com/purserhq/purser/signer/link/pki"
	"github.com/purserhq/purser/signer/mpc"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

const (
	// seatsPerWallet is how many attempts may break a session of one wallet: a third would freeze its sessions.
	seatsPerWallet = 2
	// loggedWait bounds the wait for an attempt to show in the co-signer's log.
	loggedWait = time.Minute
)

// rogueWallets is how many wallets there are for attempts.
func rogueWallets() int {
	if os.Getenv(rogueFullEnv) != "" {
		return 160
	}
	return 48
}

// rogue is a runtime in an attacker's hands: it has the runtime's share, identity, certificate and the real protocol, and
// says what it likes to a co-signer that is a process of its own.
type rogue struct {
	hosts    *twoHosts
	cosigner *service
	child    int // the process under the supervisor
	link     *link.Client
	operator *link.Client
	keys     map[string]walletKey
	ours     signer.Identity
	theirs   ed25519.PublicKey
	token    pinned.Token
	store    string
	ledger   *sql.DB
	approver ed25519.PrivateKey
	origin   string

	mu                  sync.Mutex
	position, witnessed uint64
	plans, seats        int
	// may are the payments that the co-signer's policy allows and that the attacker wants signed.
	may map[string]bool
	// signatures and lasts count, by payment, signatures that verify and last messages of the co-signer.
	signatures, lasts map[string]int
}

// payer is an enrolled agent as the attacker sees it: it names it, and holds the runtime's share of its key.
type payer struct {
	name, root string
	wallet     signer.Wallet
}

const roguePolicies = `    max_transaction_usdc: "5"
    daily_spending_limit: "10"
    repeats: parallel
  racing:
    max_transaction_usdc: "5"
    daily_spending_limit: "3"
    repeats: parallel
  held:
    max_transaction_usdc: "5"
    daily_spending_limit: "10"
    repeats: parallel
    require_human_approval_above: "1"
    approvals: {quorum: 1, approvers: [operator], expires: 15m}`

// newRogue starts a co-signer and hands the runtime's machine to the attacker.
func newRogue(t *testing.T) *rogue {
	t.Helper()
	world := newWorld(t, nil)
	policy := world.testPolicy(t, roguePolicies)
	edit(t, policy, `agents: {"*"`, `agents: {"holder": {policy: held}, "racer": {policy: racing}, "*"`)
	hosts := newTwoHosts(t, world, policy)
	hosts.addWallets(t)
	r := &rogue{
		hosts: hosts, keys: map[string]walletKey{}, approver: world.approverKey(t), origin: world.merchantURL,
		may: map[string]bool{}, signatures: map[string]int{}, lasts: map[string]int{}, position: 1,
		token: pinned.Token{Asset: world.chain.Token(), Symbol: "USDC", Unit: "usdc", Decimals: 6, Name: "USDC", Version: "2"},
	}
	r.stealShare(t)
	r.cosigner = hosts.start(t, roleCosigner)
	r.child = childOf(t, r.cosigner)
	r.link, r.operator = hosts.linkAs(t, roleRuntime, pki.Runtime), hosts.linkAs(t, operatorName, pki.Operator)
	var err error
	if r.ledger, err = sql.Open("sqlite", "file:"+hosts.at(roleCosigner, "data", fileOf(roleCosigner))+"?mode=ro"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, r.ledger.Close()) })
	return r
}

// addWallets puts the demo wallet's shares into both keystores again, under other names: a co-signer that freezes the
// sessions of a wallet after three broken ones must not end the list of attempts.
func (h *twoHosts) addWallets(t testing.TB) {
	t.Helper()
	demo, err := demoWallet()
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		share, err := demowallet.Share(signerRoles[role])
		if err != nil {
			t.Fatal(err)
		}
		secret, err := share.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		h.withKeystore(t, role, func(_ string, vault *keystore.Keystore) {
			for n := range rogueWallets() {
				must(t, vault.Put(t.Context(), keystore.Share{
					Wallet: walletAt(n), Role: signerRoles[role], Scheme: keystore.SchemeECDSA, Blob: keystore.NewSecret(bytes.Clone(secret)), ChainCode: signer.NewChainCode(chainCode),
					Public: keystore.Record{PublicKey: demo.PublicKey, Address: demo.Address, Networks: demo.Networks, Created: time.Unix(1_700_000_000, 0)},
				}))
				must(t, vault.Activate(walletAt(n), 0))
			}
		})
	}
}

func walletAt(n int) string { return fmt.Sprintf("wallet-%02d", n) }

// withKeystore opens a role's ledger and keystore while no process has them.
func (h *twoHosts) withKeystore(t testing.TB, role string, use func(storeID string, vault *keystore.Keystore)) {
	t.Helper()
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: h.at(role, "data", fileOf(role))})
	if err != nil {
		t.Fatal(err)
	}
	vault, err := h.keys(role).openKeystore(t.Context(), signerRoles[role], ledger.ID())
	if err != nil {
		t.Fatal(err)
	}
	use(ledger.ID(), vault)
	must(t, errors.Join(vault.Close(), ledger.Close()))
}

// stealShare takes everything from the runtime's machine.
func (r *rogue) stealShare(t testing.TB) {
	t.Helper()
	engine, err := mpc.New(mpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.hosts.withKeystore(t, roleRuntime, func(id string, vault *keystore.Keystore) {
		r.store = id
		holdings, err := vault.Wallets()
		if err != nil {
			t.Fatal(err)
		}
		for _, held := range holdings {
			if r.keys[held.Wallet], err = loadKey(t.Context(), vault, engine, roleRuntime, held.Wallet, held.State.Epoch); err != nil {
				t.Fatal(err)
			}
		}
	})
	if r.ours, err = identity(r.hosts.at(roleRuntime, "data", "identity", roleRuntime+".key")); err != nil {
		t.Fatal(err)
	}
	r.theirs = publicKeyOf(t, r.hosts.at(roleCosigner, "data", "identity", roleCosigner+".key"))
}

// linkAs is a client with the certificate of one host.
func (h *twoHosts) linkAs(t testing.TB, host string, role pki.Role) *link.Client {
	t.Helper()
	credentials, err := pki.OpenCredentials(pki.CredentialsConfig{Identity: h.at(host, "tls.pem"), Trust: h.at(host, "trust.pem"), Role: role})
	if err != nil {
		t.Fatal(err)
	}
	client, err := link.NewClient(link.ClientConfig{Address: h.address, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, client.Close()) })
	return client
}

// childOf is the process that the supervisor runs.
func childOf(t testing.TB, p *service) int {
	t.Helper()
	pid := p.Process.Pid
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(tasks) == 0 {
		t.Skip("SKIPPED: NO /proc: which process the supervisor runs cannot be told here")
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task) // #nosec G304 -- of our own process
		if fields := strings.Fields(string(text)); err == nil && len(fields) > 0 {
			if child, err := strconv.Atoi(fields[0]); err == nil {
				return child
			}
		}
	}
	return 0
}

// enrol has the operators make an agent known at the co-signer.
func (r *rogue) enrol(t testing.TB, about abi.Enrolment) payer {
	t.Helper()
	about.Derived = true
	must(t, r.operator.Accept(t.Context(), r.hosts.enrolment(t, about)))
	child, err := r.keys[about.Wallet].wallet.At(signer.AgentPath(defaultTenant, about.Agent))
	if err != nil {
		t.Fatal(err)
	}
	return payer{about.Agent, about.Wallet, child}
}

// seat is a fresh agent on a wallet whose sessions may be broken.
func (r *rogue) seat(t testing.TB) payer {
	t.Helper()
	n := r.seats
	r.seats++
	if n/seatsPerWallet >= rogueWallets()-2 { // the last two are broken on purpose
		t.Fatal("there are more attempts than wallets for them")
	}
	return r.enrol(t, abi.Enrolment{Agent: fmt.Sprintf("agent-%03d", n), Wallet: walletAt(n / seatsPerWallet)})
}

// plan is one payment as the attacker would have it signed.
type plan struct {
	payer     payer
	intent    abi.Intent
	quote     abi.Quote
	transfer  preimage.Transfer
	entropy   []byte
	wallet    string
	approvals []abi.ApprovalStatement
	store     string
	head      signer.Head
}

// plan is an honest payment under a key of its own, before the attempt bends a part of it.
func (r *rogue) plan(t testing.TB, p payer, micros uint64) plan {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plans++
	r.position++
	body := sha256.Sum256(nil)
	x := plan{payer: p, wallet: p.root, store: r.store, head: signer.Head{Position: r.position, Witnessed: r.witnessed}}
	key := fmt.Sprintf("rogue-%06d", r.plans)
	network := string(r.token.Asset.Network())
	x.intent = abi.Intent{
		Payment: judge.PaymentID(defaultTenant, p.name, key), Tenant: defaultTenant, Agent: p.name, Key: key,
		Method: "GET", URL: r.origin + "/report", Origin: r.origin, BodySHA256: body[:],
		Scheme: "exact", Network: network, Asset: string(r.token.Asset), Payee: demoPayee, Amount: abi.NewAmount(micros),
	}
	x.quote = abi.Quote{
		Scheme: "exact", Network: network, Asset: string(r.token.Asset), Payee: demoPayee, Amount: x.intent.Amount,
		TimeoutS: 60, ResourceURL: x.intent.URL, Evidence: abi.EvidencePinned, ObservedUnixS: uint64(time.Now().Unix()), //nolint:gosec // after 1970
	}
	x.quote.Requirement = requirementOf(t, x.intent)
	x.refresh(t)
	x.transfer = preimage.Transfer{
		Token: r.token, Payer: p.wallet.Address, Payee: demoPayee, Amount: x.intent.Amount,
		ValidBefore: uint64(time.Now().Unix()) + 110, Nonce: preimage.Nonce(x.intent.Payment, x.entropy), //nolint:gosec // after 1970
	}
	return x
}

// refresh gives the plan new entropy, and so another nonce and digest.
func (x *plan) refresh(t testing.TB) {
	t.Helper()
	x.entropy = make([]byte, preimage.EntropyBytes)
	if _, err := io.ReadFull(rand.Reader, x.entropy); err != nil {
		t.Fatal(err)
	}
	x.transfer.Nonce = preimage.Nonce(x.intent.Payment, x.entropy)
}

// requirementOf is a merchant's requirement that fits the intent.
func requirementOf(t testing.TB, intent abi.Intent) []byte {
	t.Helper()
	_, contract, _ := strings.Cut(intent.Asset, "/erc20:")
	raw, err := json.Marshal(map[string]any{
		"scheme": intent.Scheme, "network": intent.Network, "asset": contract, "payTo": intent.Payee, "amount": intent.Amount.String(),
		"maxTimeoutSeconds": 60, "extra": map[string]any{"name": "USDC", "version": "2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (x plan) consult() *abi.ConsultRequest {
	return &abi.ConsultRequest{Intent: &x.intent, Quote: &x.quote, Approvals: x.approvals}
}

func (x plan) arm() *abi.ArmRequest {
	policy, decision := sha256.Sum256([]byte("a policy that allows everything")), sha256.Sum256([]byte("a decision that does"))
	return &abi.ArmRequest{
		Intent: &x.intent, Quote: &x.quote, Approvals: x.approvals, Kind: preimage.KindEIP712, Preimage: x.transfer.Encode(),
		Entropy: x.entropy, Wallet: x.wallet, RuntimePolicySHA256: policy[:], RuntimeDecisionSHA256: decision[:],
		RuntimeStore: x.store, RuntimeHead: x.head.Bytes(),
	}
}

// arm asks for a promise and signs what comes back.
func (r *rogue) arm(ctx context.Context, x plan) (*abi.Armed, error) {
	promise, err := r.link.Arm(ctx, x.arm())
	if err != nil {
		return nil, err
	}
	head, err := signer.ReadHead(promise.CosignerHead)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.witnessed = max(r.witnessed, head.Position)
	r.mu.Unlock()
	return promise, signer.SignArmed(promise, signer.RoleRuntime, r.ours)
}

// armed is a promise that the co-signer's policy must give.
func (r *rogue) armed(t testing.TB, p payer, micros uint64) (plan, *abi.Armed) {
	t.Helper()
	x := r.plan(t, p, micros)
	promise, err := r.arm(t.Context(), x)
	if err != nil {
		t.Fatalf("arm what the policy allows: %v", err)
	}
	return x, promise
}

// allowed notes that the co-signer may sign a payment: its own policy says so.
func (r *rogue) allowed(payment string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.may[payment] = true
}
