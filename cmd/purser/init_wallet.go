package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/purserhq/purser/abi"
)

const (
	// childErrorBytesMax bounds what is kept of a process's standard error.
	childErrorBytesMax = 16 << 10
	childLineBytesMax  = 64 << 10
	seatDrainTimeMax   = 10 * time.Second
)

// seatLine is a line of a seat's output, as far as init reads it.
type seatLine struct {
	Listening string `json:"listening"`
	Role      string `json:"role"`
	Doing     string `json:"doing"`
	Wallet    string `json:"wallet"`
}

// progress shows what three processes do in one line.
type progress struct {
	out   *console
	begun time.Time

	mu    sync.Mutex
	doing map[string]string
}

func (p *progress) note(role, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing[role] = what
	p.show()
}

// show is called under the lock.
func (p *progress) show() {
	var parts []string
	for _, role := range seatNames {
		if what := p.doing[role]; what != "" {
			parts = append(parts, role+" "+what)
		}
	}
	p.out.step("%s  %s", time.Since(p.begun).Round(time.Second), strings.Join(parts, " · "))
}

// tick keeps the clock running: finding primes takes minutes in which nothing else is said.
func (p *progress) tick(ctx context.Context) {
	for every := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			every.Stop()
			return
		case <-every.C:
			p.mu.Lock()
			p.show()
			p.mu.Unlock()
		}
	}
}

// firstWallet makes the wallet's shares by three processes of this program, one for each role, over loopback.
func (in *installation) firstWallet(ctx context.Context, out *console) (map[string]any, error) {
	if view, err := in.whole(ctx); err != nil || view != nil {
		return view, err
	}
	p := &progress{out: out, begun: time.Now(), doing: map[string]string{}}
	ctx, stop := context.WithCancel(ctx)
	var ticking sync.WaitGroup
	ticking.Go(func() { p.tick(ctx) })
	defer func() { stop(); ticking.Wait(); out.done() }()
	group, within := errgroup.WithContext(ctx)
	for _, role := range seatNames {
		group.Go(func() error {
			_, err := in.seat(within, p, role, nil, "ceremony", "prepare")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	terms := []string{"--network", string(in.network)}
	if in.derived {
		terms = append(terms, "--derived")
	}
	return in.sitting(ctx, p, []string{"ceremony", "keygen", "--wallet", in.wallet}, terms)
}

// sitting runs the three seats of one ceremony, and returns what the co-signer's printed last. The signers are told the
// terms; the recovery role takes them over.
func (in *installation) sitting(ctx context.Context, p *progress, arguments, terms []string) (map[string]any, error) {
	address := make(chan string, 1)
	group, within := errgroup.WithContext(ctx)
	var made map[string]any
	group.Go(func() (err error) {
		made, err = in.seat(within, p, roleCosigner, address, slices.Concat(arguments, terms, []string{"--listen", "127.0.0.1:0"})...)
		return err
	})
	var host string
	select {
	case host = <-address:
	case <-within.Done():
		return nil, group.Wait()
	}
	group.Go(func() error {
		_, err := in.seat(within, p, roleRuntime, nil, slices.Concat(arguments, terms, []string{"--host", host})...)
		return err
	})
	group.Go(func() error {
		offline := slices.Concat(arguments, []string{"--host", host})
		if gone, err := missing(in.path(roleRecovery, ageKeyFile)); err == nil && !gone {
			offline = append(offline, "--identity", in.path(roleRecovery, ageKeyFile))
		}
		_, err := in.seat(within, p, roleRecovery, nil, offline...)
		return err
	})
	return made, group.Wait()
}

// seat runs one role's process and returns the last object it printed. It ends with this process.
func (in *installation) seat(ctx context.Context, p *progress, role string, address chan<- string, arguments ...string) (map[string]any, error) {
	program := in.program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	child := exec.CommandContext(ctx, program, append(arguments, "--json", "--config", in.configPath(role))...) // #nosec G204 -- this very program
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = seatDrainTimeMax
	tether(child)
	complaints := &tail{}
	child.Stderr = complaints
	lines, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("start the %s's process: %w", role, err)
	}
	last, err := readSeat(lines, p, role, address)
	if err = errors.Join(err, child.Wait()); err != nil {
		return nil, seatFailed(ctx, role, complaints, err)
	}
	return last, nil
}

func readSeat(source io.Reader, p *progress, role string, address chan<- string) (map[string]any, error) {
	var last map[string]any
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, childLineBytesMax)
	for lines.Scan() {
		var line seatLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("the %s's process printed no JSON: %w", role, err)
		}
		switch {
		case line.Listening != "" && address != nil:
			address <- line.Listening
		case line.Doing != "":
			p.note(role, line.Doing)
		case line.Wallet != "":
			if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
				return nil, err
			}
		}
	}
	return last, lines.Err()
}

// seatFailed reports what the process said of its end: its last line is its error.
func seatFailed(ctx context.Context, role string, complaints *tail, cause error) error {
	if ctx.Err() != nil {
		cause = errors.Join(ctx.Err(), cause)
	}
	lines := bytes.Split(bytes.TrimSpace(complaints.kept()), []byte("\n"))
	var line struct {
		Error *abi.Error `json:"error"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &line); err == nil && line.Error != nil {
		return fmt.Errorf("the %s's process: %w", role, line.Error)
	}
	return fmt.Errorf("the %s's process failed: %w: %s", role, cause, lines[len(lines)-1])
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - childErrorBytesMax; over > 0 {
		t.text = append([]byte(nil), t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) kept() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.text)
}
