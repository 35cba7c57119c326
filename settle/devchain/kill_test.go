//go:build !nodevchain

package devchain_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
)

const (
	childFolder = "PURSER_DEVCHAIN_TEST_FOLDER"
	childPayer  = "PURSER_DEVCHAIN_TEST_PAYER"
	childFunded = "funded"
)

// TestChildThatIsKilled is the other process of the next test.
func TestChildThatIsKilled(t *testing.T) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		t.Skip("runs only as a child of TestAKilledProcessLosesNoPayment")
	}
	c, err := devchain.Open(t.Context(), devchain.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fund(t.Context(), os.Getenv(childPayer), abi.NewAmount(10), abi.Amount{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString(childFunded + "\n"); err != nil {
		t.Fatal(err)
	}
	select {} // until the parent kills us
}

func TestAKilledProcessLosesNoPayment(t *testing.T) {
	t.Parallel()
	dir, p := t.TempDir(), devchaintest.NewPayer(t)
	const kills = 3
	for range kills {
		//nolint:gosec // our own test binary
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildThatIsKilled$")
		child.Env = append(os.Environ(), childFolder+"="+dir, childPayer+"="+p.Address)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		said := ""
		for lines.Scan() && !strings.HasPrefix(lines.Text(), childFunded) {
			said += lines.Text() + "\n"
		}
		funded := strings.HasPrefix(lines.Text(), childFunded)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil || !funded {
			t.Fatalf("child was to be killed after funding: %v, said %q", err, said)
		}
	}
	c := devchaintest.Start(t, devchain.Config{DataDir: dir})
	if got := devchaintest.Balance(t, c, p.Address); got != kills*10 {
		t.Errorf("payer holds %d after %d acknowledged payments of 10", got, kills)
	}
}
