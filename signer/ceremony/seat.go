package ceremony

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"time"

	"github.com/purserhq/purser/internal/secret"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/mpc"
)

// Link is a transport to another seat, authenticated end to end.
type Link struct {
	signer.Transport
	// Channel is a value that only the two ends of this very connection share, such as one exported by TLS. The seats'
	// signatures cover it, so nobody in the middle can pass on what was signed for another connection.
	Channel [32]byte
}

// Limits bound how long a seat waits. The zero value of each is its default.
type Limits struct {
	// Answer is for one message that costs the other side no arithmetic. Default 2 min: people start the seats, and an
	// unlocked key service may be slow.
	Answer time.Duration
	// Protocol is for one run of the engine: a key generation takes 17 CPU-seconds, on a slow machine minutes.
	// Default 20 min.
	Protocol time.Duration
}

// Config is a seat. Fields without a default are required.
type Config struct {
	secret.Hidden
	Self signer.Role
	// Identity is this host's key; Keys are those of all three roles, from this host's own configuration.
	Identity signer.Identity
	Keys     map[signer.Role]ed25519.PublicKey
	// Links lead to the two other seats. They belong to the caller; the seat closes them when a ceremony fails, so that the
	// others do not wait for it.
	Links  map[signer.Role]Link
	Engine Engine
	Shares Shares
	// PreParams is asked once for each key generation or resharing of secp256k1. What it returns must never be returned
	// again, see [PreParams.Take].
	PreParams func(context.Context) (mpc.PreParams, error)
	Limits    Limits
	// Now dates the records of new wallets. Default time.Now.
	Now func() time.Time
	// Random makes nonces and chain codes. Default crypto/rand.
	Random io.Reader
	// Step is told what begins, for a display. May be nil.
	Step func(step Step)
}

// Step is a part of a ceremony.
type Step string

// The steps in their order.
const (
	StepAgree   Step = "agreeing"
	StepSettle  Step = "settling an earlier ceremony"
	StepShare   Step = "computing the shares"
	StepStore   Step = "storing"
	StepProve   Step = "proving"
	StepCommit  Step = "putting in force"
	StepConfirm Step = "confirming"
)

// Result is how a ceremony ended.
type Result struct {
	Wallet    string
	Scheme    string
	PublicKey []byte
	Address   string
	// Epoch is in force at this seat, and by this ceremony's word at all.
	Epoch uint32
	// Finished: an interrupted ceremony was finished, or had been; nothing new was made.
	Finished bool
}

// Seat is one role's place in ceremonies, used by one goroutine. Two ceremonies in a row may use the same links.
type Seat struct {
	config Config
	key    ed25519.PrivateKey
	others [2]signer.Role
	links  map[signer.Role]signer.Transport
	seq    map[signer.Role]*sequence
}

// sequence counts our frames of one session, in each direction.
type sequence struct{ sent, received uint32 }

// New checks the configuration.
func New(config Config) (*Seat, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if config.Limits.Answer == 0 {
		config.Limits.Answer = 2 * time.Minute
	}
	if config.Limits.Protocol == 0 {
		config.Limits.Protocol = 20 * time.Minute
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.Step == nil {
		config.Step = func(Step) {}
	}
	seat := &Seat{config: config, key: ed25519.NewKeyFromSeed(config.Identity.Seed()), links: map[signer.Role]signer.Transport{}}
	at := 0
	for role := signer.RoleRuntime; role <= signer.RoleRecovery; role++ {
		if role != config.Self {
			seat.others[at] = role
			at++
			seat.links[role] = config.Links[role].Transport
		}
	}
	return seat, nil
}

func (c Config) check() error {
	if !c.Self.Valid() {
		return inputError("self", "a seat is of the runtime, the co-signer or the recovery role")
	}
	if len(c.Keys) != 3 || len(c.Links) != 2 {
		return inputError("seat", "a seat knows the keys of all three roles and has links to the two others")
	}
	seen := map[string]bool{}
	for role := signer.RoleRuntime; role <= signer.RoleRecovery; role++ {
		key, link := c.Keys[role], c.Links[role]
		if len(key) != ed25519.PublicKeySize || seen[string(key)] {
			return inputError("keys", "each role has an Ed25519 key of its own")
		}
		seen[string(key)] = true
		if (role == c.Self) != (link.Transport == nil) || (role != c.Self && link.Channel == [32]byte{}) {
			return inputError("links", "a seat has links, each with its channel, to the two others")
		}
	}
	switch {
	case !c.Identity.Public().Equal(c.Keys[c.Self]):
		return inputError("identity", "this host's key is not the one that its configuration names for the %s", c.Self)
	case c.Engine == nil || c.Shares == nil || c.PreParams == nil:
		return inputError("seat", "a seat needs an engine, a place for shares and one for pre-parameters")
	}
	return nil
}

// Keygen makes a wallet. If an earlier key generation of the same wallet was interrupted after its commit, that one is
// finished and nothing new is made.
func (s *Seat) Keygen(ctx context.Context, plan Plan) (Result, error) {
	plan.Operation = OperationKeygen
	return s.run(ctx, plan)
}

// Refresh replaces all three shares of a wallet in force. Its key and address stay; a copy of an old share becomes
// worthless. The two signers hand their shares on: the recovery role's old share is not needed, its seat is.
func (s *Seat) Refresh(ctx context.Context, wallet string) (Result, error) {
	return s.run(ctx, Plan{Operation: OperationRefresh, Wallet: wallet})
}

// Recover gives a role that has lost its share a new one, and the others new ones too: the lost one becomes worthless.
// The seat of that role must have nothing of the wallet. It does not help against somebody who has the lost share and
// another one: then money must move to a new wallet.
func (s *Seat) Recover(ctx context.Context, wallet string, lost signer.Role) (Result, error) {
	return s.run(ctx, Plan{Operation: OperationRecover, Wallet: wallet, Lost: lost})
}

// Resume settles which epoch of a wallet holds after an interrupted ceremony, and ends that ceremony. It may be repeated.
func (s *Seat) Resume(ctx context.Context, wallet string) (Result, error) {
	return s.run(ctx, Plan{Operation: OperationResume, Wallet: wallet})
}

func (s *Seat) run(ctx context.Context, plan Plan) (result Result, err error) {
	if err := plan.check(s.config.Self); err != nil {
		return Result{}, err
	}
	defer func() {
		if err != nil {
			for _, link := range s.links {
				_ = link.Close() // the ceremony's error is the one to report
			}
		}
	}()
	r := &run{Seat: s, plan: plan}
	s.config.Step(StepAgree)
	if err := r.agree(ctx); err != nil {
		return Result{}, err
	}
	if err := r.settle(ctx); err != nil {
		return Result{}, err
	}
	done, err := r.ready()
	if err != nil {
		return Result{}, err
	}
	if done {
		return r.finished(ctx)
	}
	return r.renew(ctx)
}
