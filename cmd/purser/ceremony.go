package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/ceremony"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

const (
	defaultWallet         = "treasury"
	defaultCeremonyListen = "127.0.0.1:4031"
	// ceremonyWait is how long a seat waits for the two others to come.
	ceremonyWait = 30 * time.Minute
	// poolCountMax bounds one sitting.
	poolCountMax = 200
)

// sitting is what the commands that take a seat have in common.
type sitting struct {
	config, identity string
	listen, host     string
	wait             time.Duration
	plan             ceremony.Plan
	networks         []string
	lost             string
	count            int
	// renews: a wallet that exists gets new shares.
	renews bool
}

func ceremonyCommand(out *console) *cobra.Command {
	command := &cobra.Command{
		Use: "ceremony", Short: "Make, refresh and recover key shares, with all three roles attached",
		Long: "A ceremony is held by three processes, one on each role's own machine, while its service is stopped. The co-signer's\n" +
			"listens (--listen), the runtime's and the recovery role's dial it (--host). Start the same command at all three.",
	}
	command.AddCommand(
		ceremonyKeygen(out), ceremonyPool(out), ceremonyRefresh(out, "refresh"), ceremonyRecover(out), ceremonyResume(out), ceremonyPrepare(out),
	)
	return command
}

func (s *sitting) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&s.config, "config", "", "purser.yaml, cosigner.yaml or recovery.yaml: whose seat it is")
	flags.StringVar(&s.identity, "identity", "", "recovery role: the age key file that opens share 3")
	flags.StringVar(&s.listen, "listen", defaultCeremonyListen, "co-signer: address to wait at")
	flags.StringVar(&s.host, "host", "", "runtime and recovery: where the co-signer waits, host:port")
	flags.DurationVar(&s.wait, "wait", ceremonyWait, "how long to wait for the other seats")
}

// seated is a command that holds a ceremony.
func (s *sitting) seated(out *console, use, short string, hold func(context.Context, *ceremony.Seat) ([]ceremony.Result, error)) *cobra.Command {
	command := &cobra.Command{
		Use: use + " --config FILE", Short: short, Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			if s.config == "" {
				return usageError{errors.New("--config is required")}
			}
			return s.sit(command.Context(), out, hold)
		},
	}
	s.flags(command)
	return command
}

func (s *sitting) wallet(command *cobra.Command) *cobra.Command {
	command.Flags().StringVar(&s.plan.Wallet, "wallet", defaultWallet, "name of the wallet")
	return command
}

func (s *sitting) terms(command *cobra.Command) *cobra.Command {
	command.Flags().StringVar(&s.plan.Scheme, "scheme", keystore.SchemeECDSA, keystore.SchemeECDSA+" or "+keystore.SchemeEdDSA)
	command.Flags().StringSliceVar(&s.networks, "network", nil, "CAIP-2 networks that the wallet may sign for (default: those of the configuration)")
	return command
}

func one(result ceremony.Result, err error) ([]ceremony.Result, error) {
	return []ceremony.Result{result}, err
}

func ceremonyKeygen(out *console) *cobra.Command {
	var s sitting
	command := s.terms(s.wallet(s.seated(out, "keygen", "Make a wallet; an interrupted one is finished",
		func(ctx context.Context, seat *ceremony.Seat) ([]ceremony.Result, error) {
			return one(seat.Keygen(ctx, s.plan))
		})))
	command.Flags().BoolVar(&s.plan.Derived, "derived", false, "let agents have keys of their own, derived under this wallet")
	return command
}

func ceremonyPool(out *console) *cobra.Command {
	var s sitting
	command := s.terms(s.seated(out, "pool", "Make unassigned wallets, for agents to come",
		func(ctx context.Context, seat *ceremony.Seat) (made []ceremony.Result, err error) {
			if s.count < 1 || s.count > poolCountMax {
				return nil, usageError{fmt.Errorf("--count is 1 to %d", poolCountMax)}
			}
			s.plan.Pooled = true
			for range s.count {
				result, err := seat.Keygen(ctx, s.plan)
				if err != nil {
					return made, err
				}
				made = append(made, result)
			}
			return made, nil
		}))
	command.Flags().IntVar(&s.count, "count", 1, "how many")
	return command
}

func ceremonyRefresh(out *console, use string) *cobra.Command {
	s := sitting{renews: true}
	return s.wallet(s.seated(out, use, "Replace all three shares of a wallet; key and address stay",
		func(ctx context.Context, seat *ceremony.Seat) ([]ceremony.Result, error) {
			return one(seat.Refresh(ctx, s.plan.Wallet))
		}))
}

func ceremonyRecover(out *console) *cobra.Command {
	s := sitting{renews: true}
	command := s.wallet(s.seated(out, "recover", "Give a role that lost its share a new one",
		func(ctx context.Context, seat *ceremony.Seat) ([]ceremony.Result, error) {
			lost := seatRole(s.lost)
			if !lost.Valid() {
				return nil, usageError{errors.New("--lost is runtime, cosigner or recovery")}
			}
			return one(seat.Recover(ctx, s.plan.Wallet, lost))
		}))
	command.Flags().StringVar(&s.lost, "lost", "", "runtime, cosigner or recovery; its seat is a new, empty folder")
	return command
}

func ceremonyResume(out *console) *cobra.Command {
	var s sitting
	return s.wallet(s.seated(out, "resume", "End an interrupted ceremony: exactly one epoch holds afterwards",
		func(ctx context.Context, seat *ceremony.Seat) ([]ceremony.Result, error) {
			return one(seat.Resume(ctx, s.plan.Wallet))
		}))
}

// ceremonyPrepare finds primes ahead, so that nobody waits for them at the ceremony.
func ceremonyPrepare(out *console) *cobra.Command {
	var s sitting
	command := &cobra.Command{
		Use: "prepare --config FILE", Short: "Find the primes for ceremonies to come; each set takes minutes", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if s.config == "" {
				return usageError{errors.New("--config is required")}
			}
			host, err := openSeatHost(command.Context(), s.config, "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, host.Close()) }()
			if host.preparams == nil {
				return configError(s.config, "there are no keys to keep pre-parameters in", "name keys.folder and what unlocks it")
			}
			if err := s.fill(command.Context(), out, host, s.count); err != nil {
				return err
			}
			depth := host.preparams.Depth()
			return out.result(map[string]any{"role": host.role.String(), "pre_parameters": depth}, fmt.Sprintf("%s: %s of pre-parameters\n", host.role, count(depth, "set")))
		},
	}
	command.Flags().StringVar(&s.config, "config", "", "purser.yaml, cosigner.yaml or recovery.yaml")
	command.Flags().IntVar(&s.count, "count", 1, "how many sets to have")
	return command
}

func (s *sitting) fill(ctx context.Context, out *console, host *seatHost, wanted int) error {
	if host.preparams.Depth() >= wanted {
		return nil
	}
	out.doing(host.role, "finding primes: minutes of CPU time")
	err := host.preparams.Fill(ctx, wanted, func(depth int) { out.doing(host.role, fmt.Sprintf("finding primes: %d of %d", depth, wanted)) })
	out.done()
	return err
}

// sit takes the seat, holds the ceremony and says how it ended.
func (s *sitting) sit(ctx context.Context, out *console, hold func(context.Context, *ceremony.Seat) ([]ceremony.Result, error)) (err error) {
	host, err := openSeatHost(ctx, s.config, s.identity)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	scheme := s.plan.Scheme
	if err := s.complete(host); err != nil {
		return err
	}
	if needs, err := s.needsPrimes(ctx, host, scheme); err != nil {
		return err
	} else if needs {
		if err := s.fill(ctx, out, host, max(s.count, 1)); err != nil {
			return err
		}
	}
	connection, err := s.connect(ctx, out, host)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	seat, err := host.sitDown(connection, func(step ceremony.Step) { out.doing(host.role, string(step)) })
	if err != nil {
		return err
	}
	results, err := hold(ctx, seat)
	out.done()
	// A ceremony may have put something in force and still end with an error: both are said.
	for _, result := range results {
		if result.Wallet != "" {
			err = errors.Join(err, out.ended(host.role, result))
		}
	}
	return err
}

// needsPrimes reports whether shares of secp256k1 are to be made, so that the others need not wait for our primes. A seat
// that has lost its share does not know, and looks for them when it learns.
func (s *sitting) needsPrimes(ctx context.Context, host *seatHost, scheme string) (bool, error) {
	if host.preparams == nil {
		return false, nil
	}
	if s.renews {
		terms, known, err := host.shares.Terms(ctx, s.plan.Wallet)
		return known && terms.Scheme == keystore.SchemeECDSA, err
	}
	if scheme != keystore.SchemeECDSA {
		return false, nil
	}
	if s.plan.Pooled {
		return true, nil
	}
	status, err := host.shares.Status(s.plan.Wallet)
	return status.Active == nil, err
}

// complete fills in what the flags left to the configuration.
func (s *sitting) complete(host *seatHost) error {
	for _, name := range s.networks {
		network, err := abi.ParseNetwork(name)
		if err != nil {
			return usageError{err}
		}
		s.plan.Networks = append(s.plan.Networks, network)
	}
	switch {
	case s.plan.Scheme == "": // no new wallet
	case len(s.networks) == 0 && host.role == signer.RoleRecovery:
		s.plan.Scheme, s.plan.Derived = "", false // its configuration names no networks: it takes what both signers say
	case len(s.networks) == 0:
		s.plan.Networks = host.networks
	}
	return nil
}

func (s *sitting) connect(ctx context.Context, out *console, host *seatHost) (*ceremony.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	if host.role != signer.RoleCoSigner {
		if s.host == "" {
			return nil, usageError{errors.New("--host is required: where the co-signer waits")}
		}
		out.doing(host.role, "waiting for the other seats")
		return ceremony.Dial(ctx, s.host, host.credentials)
	}
	listener, err := listenLoopback(ctx, s.listen)
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if out.json {
		if err := out.line(map[string]string{"listening": address}); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
	} else {
		out.say("waiting at %s; the other seats name it with --host", address)
	}
	return ceremony.Host(ctx, listener, host.credentials, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

func (h *seatHost) sitDown(connection *ceremony.Connection, step func(ceremony.Step)) (*ceremony.Seat, error) {
	engine, err := mpc.New(mpc.Config{})
	if err != nil {
		return nil, err
	}
	take := func(ctx context.Context) (mpc.PreParams, error) { return mpc.GeneratePreParams(ctx, nil) }
	if h.preparams != nil {
		// Made at once when there are none: a refresh, whose scheme only the share tells, did not fill the stock before.
		take = func(ctx context.Context) (mpc.PreParams, error) {
			if err := h.preparams.Fill(ctx, 1, nil); err != nil {
				return mpc.PreParams{}, err
			}
			return h.preparams.Take(ctx)
		}
	}
	return ceremony.New(ceremony.Config{
		Self: h.role, Identity: h.identity, Keys: h.keys, Links: connection.Links(), Engine: engine, Shares: h.shares, PreParams: take, Step: step,
	})
}

// doing shows progress: a line that is overwritten on a terminal, an object for a program, nothing else.
func (c *console) doing(role signer.Role, what string) {
	if c.json {
		_ = c.line(map[string]string{"role": role.String(), "doing": what}) // progress: a closed pipe ends the process by itself
		return
	}
	c.step("%s: %s", role, what)
}

// ended prints one wallet.
func (c *console) ended(role signer.Role, result ceremony.Result) error {
	did := "epoch %d of %s is in force"
	if result.Finished {
		did = "epoch %d of %s is in force; nothing new was made"
	}
	text := fmt.Sprintf(did, result.Epoch, result.Wallet)
	if result.Address != "" {
		text += "  " + result.Address
	}
	return c.result(ceremonyView(role, result), text+"\n")
}

func ceremonyView(role signer.Role, result ceremony.Result) map[string]any {
	return map[string]any{
		"role": role.String(), "wallet": result.Wallet, "scheme": result.Scheme, "epoch": result.Epoch, "address": result.Address,
		"public_key": hex.EncodeToString(result.PublicKey), "finished_before": result.Finished,
	}
}
