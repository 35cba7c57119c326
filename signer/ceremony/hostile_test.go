package ceremony

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

// nobodyMoved: everybody who had epoch 0 has it, in force.
func nobodyMoved(t testing.TB, w *world) {
	t.Helper()
	for _, role := range everyRole {
		if got := w.state(t, role, "w"); !strings.HasPrefix(got, "active 0 retiring []") {
			t.Errorf("the %s has %s", role, got)
		}
	}
}

// wantEverywhere wants an error with one of the codes at every seat: nobody believes that the ceremony succeeded.
func wantEverywhere(t testing.TB, all map[signer.Role]outcome, codes ...string) {
	t.Helper()
	for _, role := range everyRole {
		found := false
		for _, code := range codes {
			found = found || abi.CodeOf(all[role].err) == code
		}
		if !found {
			t.Errorf("the %s ended with %+v, %v; want one of %v", role, all[role].result, all[role].err, codes)
		}
	}
}

func TestSeatsThatWereToldDifferentThingsStopAndSayWhat(t *testing.T) {
	template, _ := crashWorlds(t)
	stranger, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	tests := map[string]struct {
		says string
		wrap func(*Config)
		hold func(context.Context, *Seat) (Result, error)
	}{
		"another operation": {says: "operation", hold: func(ctx context.Context, s *Seat) (Result, error) { return s.Resume(ctx, "w") }},
		"another wallet":    {says: "wallet", hold: func(ctx context.Context, s *Seat) (Result, error) { return s.Refresh(ctx, "other") }},
		"another key of the co-signer": {says: "co-signer key", wrap: func(c *Config) {
			c.Keys = map[signer.Role]ed25519.PublicKey{1: c.Keys[1], 2: stranger, 3: c.Keys[3]}
		}},
		"another public key": {says: "public key", wrap: func(c *Config) { c.Shares = foreignTerms{c.Shares} }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := crashCases[1].before(t, template)
			w.wrap = func(role signer.Role, config *Config) {
				if role == signer.RoleRuntime && tt.wrap != nil {
					tt.wrap(config)
				}
			}
			all := w.hold(t, func(ctx context.Context, role signer.Role, seat *Seat) (Result, error) {
				if role == signer.RoleRuntime && tt.hold != nil {
					return tt.hold(ctx, seat)
				}
				return seat.Refresh(ctx, "w")
			})
			wantEverywhere(t, all, CodeDiffers)
			for role, got := range all {
				if !strings.Contains(got.err.Error(), "says") || abiWhere(got.err) != tt.says {
					t.Errorf("the %s does not say that it is the %s: %v", role, tt.says, got.err)
				}
			}
			nobodyMoved(t, w)
		})
	}
}

func abiWhere(err error) string {
	if coded, ok := err.(*abi.Error); ok { //nolint:errorlint // made by this package, not wrapped
		return coded.Where
	}
	return ""
}

type foreignTerms struct{ Shares }

func (f foreignTerms) Terms(ctx context.Context, wallet string) (Terms, bool, error) {
	terms, known, err := f.Shares.Terms(ctx, wallet)
	terms.PublicKey = append([]byte(nil), terms.PublicKey...)
	terms.PublicKey[0] ^= 1
	return terms, known, err
}

func TestAKeygenOverOtherNetworksOrSchemesIsNoAgreement(t *testing.T) {
	w := newWorld(t)
	for field, plan := range map[string]Plan{
		"networks": {Wallet: "w", Scheme: keystore.SchemeEdDSA, Networks: []abi.Network{"eip155:1"}},
		"scheme":   {Wallet: "w", Scheme: keystore.SchemeECDSA, Networks: edPlan("").Networks},
		"pooled":   {Scheme: keystore.SchemeEdDSA, Networks: edPlan("").Networks, Pooled: true},
	} {
		all := w.hold(t, func(ctx context.Context, role signer.Role, seat *Seat) (Result, error) {
			if role == signer.RoleRuntime {
				return seat.Keygen(ctx, plan)
			}
			return seat.Keygen(ctx, edPlan("w"))
		})
		wantEverywhere(t, all, CodeDiffers)
		_ = field
	}
}

// Somebody with a good certificate, or in the middle of a connection, has not the key that the others pinned.
func TestWhoCannotSignWithThePinnedKeyOnThisVeryConnectionHasNoSeat(t *testing.T) {
	template, _ := crashWorlds(t)
	t.Run("another identity", func(t *testing.T) {
		w := crashCases[1].before(t, template)
		_, stolen, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		all := w.hold(t, func(ctx context.Context, role signer.Role, seat *Seat) (Result, error) {
			if role == signer.RoleRecovery {
				seat.key = stolen
			}
			return seat.Refresh(ctx, "w")
		})
		for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleCoSigner} {
			wantCode(t, all[role].err, CodePeerRefused)
		}
		nobodyMoved(t, w)
	})
	t.Run("another connection", func(t *testing.T) {
		w := crashCases[1].before(t, template)
		links := pipes()
		link := links[signer.RoleRuntime][signer.RoleRecovery]
		link.Channel[0] ^= 1 // what somebody who joins two connections of his own would leave
		links[signer.RoleRuntime][signer.RoleRecovery] = link
		all := w.holdOver(t, links, refresh("w"))
		for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleRecovery} {
			wantCode(t, all[role].err, CodePeerRefused)
		}
		nobodyMoved(t, w)
	})
}

// twoFaced tells one of the others something else.
type twoFaced struct {
	signer.Transport
	change func(*signer.Frame)
}

func (l twoFaced) Send(ctx context.Context, frame signer.Frame) error {
	l.change(&frame)
	return l.Transport.Send(ctx, frame)
}

func TestASeatThatTellsTheTwoOthersDifferentStatesIsFoundOut(t *testing.T) {
	template, _ := crashWorlds(t)
	w := crashCases[1].before(t, template)
	w.wrap = func(role signer.Role, config *Config) {
		if role != signer.RoleCoSigner {
			return
		}
		link := config.Links[signer.RoleRecovery]
		link.Transport = twoFaced{link.Transport, func(frame *signer.Frame) {
			if frame.Type == messageHello {
				frame.Body = []byte(strings.Replace(string(frame.Body), "pending: -", "pending: 1", 1))
			}
		}}
		config.Links = map[signer.Role]Link{signer.RoleRuntime: config.Links[signer.RoleRuntime], signer.RoleRecovery: link}
	}
	all := w.hold(t, refresh("w"))
	for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleRecovery} {
		wantCode(t, all[role].err, CodePeerRefused)
	}
	nobodyMoved(t, w)
}

// liar is the recovery seat's engine when that seat is compromised.
type liar struct {
	Engine
	prove func(ctx context.Context, honest Engine, test mpc.EpochTest, share mpc.EdKeyshare, links map[signer.Role]signer.Transport) error
}

func (l liar) ProveEpochEdDSA(ctx context.Context, test mpc.EpochTest, share mpc.EdKeyshare, links map[signer.Role]signer.Transport) error {
	return l.prove(ctx, l.Engine, test, share, links)
}

func TestARecoverySeatThatLiesInTheProofPutsNothingInForce(t *testing.T) {
	template, shares := crashWorlds(t)
	real, err := mpc.New(mpc.Config{})
	must(t, err)
	for name, prove := range map[string]func(context.Context, Engine, mpc.EpochTest, mpc.EdKeyshare, map[signer.Role]signer.Transport) error{
		"with its old share": func(ctx context.Context, honest Engine, test mpc.EpochTest, _ mpc.EdKeyshare, links map[signer.Role]signer.Transport) error {
			return honest.ProveEpochEdDSA(ctx, test, shares[0][2], links)
		},
		"without signing at all": func(context.Context, Engine, mpc.EpochTest, mpc.EdKeyshare, map[signer.Role]signer.Transport) error {
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := crashCases[1].before(t, template)
			w.engine = func(role signer.Role) Engine {
				if role == signer.RoleRecovery {
					return proving{replay{shares: shares}, liar{real, prove}}
				}
				return proving{replay{shares: shares}, real}
			}
			all := w.hold(t, refresh("w"))
			for role, got := range all {
				if got.err == nil {
					t.Errorf("the %s believes %+v", role, got.result)
				}
			}
			nobodyMoved(t, w)
			w.engine = template.engine
			if result := wantResults(t, w.hold(t, resume("w"))); result.Epoch != 0 {
				t.Errorf("epoch %d holds", result.Epoch)
			}
		})
	}
}

// proving takes its keyshares from the recording and proves for real.
type proving struct {
	Engine
	prover Engine
}

func (p proving) ProveEpochEdDSA(ctx context.Context, test mpc.EpochTest, share mpc.EdKeyshare, links map[signer.Role]signer.Transport) error {
	return p.prover.ProveEpochEdDSA(ctx, test, share, links)
}

// pretending is a co-signer's folder that claims to have put an epoch in force that was never proven.
type pretending struct {
	Shares
	epoch uint32
	share keystore.Share
}

func (p pretending) Status(string) (Status, error) {
	return Status{Active: &p.epoch, Retiring: []uint32{0}}, nil
}

func (p pretending) Load(context.Context, string, uint32) (keystore.Share, error) {
	share := p.share
	share.Epoch, share.Blob = p.epoch, keystore.NewSecret(p.share.Blob.Bytes())
	return share, nil
}

func (p pretending) Terms(context.Context, string) (Terms, bool, error) {
	terms := termsOf(p.share)
	return terms, true, nil
}

func TestACoSignerThatLiesAboutTheEpochMakesNobodyDropAShareThatWorks(t *testing.T) {
	template, shares := crashWorlds(t)
	w := crashCases[1].before(t, template)
	// A refresh that broke off before the proof: the two others have a share of epoch 1 that nobody has tried.
	w.wrap = func(role signer.Role, config *Config) {
		if role == signer.RoleCoSigner {
			config.Engine = proving{config.Engine, liar{nil, func(context.Context, Engine, mpc.EpochTest, mpc.EdKeyshare, map[signer.Role]signer.Transport) error {
				return context.Canceled
			}}}
		}
	}
	w.hold(t, refresh("w"))
	real, err := mpc.New(mpc.Config{})
	must(t, err)
	w.engine = func(signer.Role) Engine { return proving{replay{shares: shares}, real} }
	w.wrap = func(role signer.Role, config *Config) {
		if role == signer.RoleCoSigner {
			share, err := config.Shares.Load(t.Context(), "w", 0)
			must(t, err)
			config.Shares = pretending{config.Shares, 1, share}
		}
	}
	all := w.hold(t, resume("w"))
	for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleRecovery} {
		if all[role].err == nil {
			t.Errorf("the %s believes it: %+v", role, all[role].result)
		}
	}
	nobodyMoved(t, w)
	w.wrap, w.engine = nil, template.engine
	if result := wantResults(t, w.hold(t, resume("w"))); result.Epoch != 0 {
		t.Errorf("epoch %d holds", result.Epoch)
	}
}

func TestASeatThatNeverAnswersEndsTheCeremonyInBoundedTime(t *testing.T) {
	template, _ := crashWorlds(t)
	w := crashCases[1].before(t, template)
	w.limits = Limits{Answer: 300 * time.Millisecond}
	all := w.hold(t, func(ctx context.Context, role signer.Role, seat *Seat) (Result, error) {
		if role == signer.RoleRecovery {
			<-time.After(2 * time.Second) // it has its links, and says nothing
			return Result{}, nil
		}
		return seat.Refresh(ctx, "w")
	})
	for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleCoSigner} {
		wantCode(t, all[role].err, CodeInterrupted)
	}
	nobodyMoved(t, w)
}

func TestMessagesOutOfStepAreRefused(t *testing.T) {
	template, _ := crashWorlds(t)
	for name, change := range map[string]func(*signer.Frame){
		"another type":     func(f *signer.Frame) { f.Type = messageCommitted },
		"another number":   func(f *signer.Frame) { f.Seq++ },
		"another sender":   func(f *signer.Frame) { f.From = signer.RoleRecovery },
		"an armed one":     func(f *signer.Frame) { f.Armed[0] = 1 },
		"another session":  func(f *signer.Frame) { f.Session[0] ^= 1 },
		"another result":   func(f *signer.Frame) { f.Body[0] ^= 1 },
		"a longer message": func(f *signer.Frame) { f.Body = append(f.Body, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := crashCases[1].before(t, template)
			w.wrap = func(role signer.Role, config *Config) {
				if role != signer.RoleRuntime {
					return
				}
				link := config.Links[signer.RoleCoSigner]
				link.Transport = twoFaced{link.Transport, func(frame *signer.Frame) {
					if frame.Type == messageStored {
						frame.Body = append([]byte(nil), frame.Body...)
						change(frame)
					}
				}}
				config.Links = map[signer.Role]Link{signer.RoleCoSigner: link, signer.RoleRecovery: config.Links[signer.RoleRecovery]}
			}
			all := w.hold(t, refresh("w"))
			wantCode(t, all[signer.RoleCoSigner].err, CodePeerRefused)
			nobodyMoved(t, w)
		})
	}
}

func TestAWalletThatExistsOrDoesNotIsSaidSo(t *testing.T) {
	template, _ := crashWorlds(t)
	w := crashCases[1].before(t, template)
	wantEverywhere(t, w.hold(t, refresh("nobody")), CodeImpossible)
	wantEverywhere(t, w.hold(t, resume("nobody")), CodeImpossible)
	wantEverywhere(t, w.hold(t, recovery("w", signer.RoleRuntime)), CodeImpossible) // it has its share
	w = crashCases[2].before(t, template)
	wantEverywhere(t, w.hold(t, refresh("w")), CodeImpossible) // the runtime has none
	wantEverywhere(t, w.hold(t, keygen(edPlan("w"))), CodeImpossible)
	wantEverywhere(t, w.hold(t, recovery("w", signer.RoleCoSigner)), CodeImpossible)
}
