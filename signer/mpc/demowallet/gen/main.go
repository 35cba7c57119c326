// Command gen makes the three keyshares of the demo wallet and refuses nothing: what it writes is published with the
// source and protects nothing.
//
//	go generate ./signer/mpc/demowallet
//
// It finds primes for three parties and runs one real key generation, about one to three CPU-minutes.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/mpc"
)

const (
	generationTimeMax = 30 * time.Minute
	// walletID repeats walletID: that package does not build before this command has run once.
	walletID = "demo"
)

func main() {
	directory := flag.String("out", ".", "the directory to write share1.bin, share2.bin and share3.bin to")
	flag.Parse()
	if err := run(*directory); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(directory string) error {
	ctx, cancel := context.WithTimeout(context.Background(), generationTimeMax)
	defer cancel()
	shares, err := generate(ctx)
	if err != nil {
		return err
	}
	for _, share := range shares {
		if share.PublicKey() != shares[0].PublicKey() {
			return errors.New("the parties disagree about the public key")
		}
		data, err := share.MarshalBinary()
		if err != nil {
			return err
		}
		path := filepath.Join(directory, fmt.Sprintf("share%d.bin", share.Role()))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	fmt.Println("public key", shares[0].PublicKey())
	return nil
}

func generate(ctx context.Context) ([]mpc.Keyshare, error) {
	roles := []mpc.Role{mpc.Runtime, mpc.CoSigner, mpc.Recovery}
	links := connect(roles)
	engine, err := mpc.New(mpc.Config{})
	if err != nil {
		return nil, err
	}
	var id [32]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	shares := make([]mpc.Keyshare, len(roles))
	group, ctx := errgroup.WithContext(ctx)
	for i, role := range roles {
		group.Go(func() error {
			pre, err := mpc.GeneratePreParams(ctx, nil)
			if err != nil {
				return err
			}
			session := mpc.KeygenSession{ID: id, Wallet: walletID, Self: role}
			shares[i], err = engine.Keygen(ctx, session, pre, links[role])
			if err != nil {
				return fmt.Errorf("key generation at the %s: %w", role, err)
			}
			return nil
		})
	}
	return shares, group.Wait()
}

func connect(roles []mpc.Role) map[mpc.Role]map[mpc.Role]mpc.Transport {
	links := make(map[mpc.Role]map[mpc.Role]mpc.Transport)
	for _, role := range roles {
		links[role] = make(map[mpc.Role]mpc.Transport)
	}
	for i, low := range roles {
		for _, high := range roles[i+1:] {
			links[low][high], links[high][low] = signer.Pipe()
		}
	}
	return links
}
