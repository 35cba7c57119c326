package main

import (
	"bytes"
	"fmt"
	"os/exec"
)

// suite is one run of `go test -bench` in one package.
type suite struct {
	pkg string
	// functions are the benchmarks without the word, separated by |; time is go's -benchtime.
	functions, time string
	// names say what each function's rows are called. A function that is missing here names its rows itself, by
	// sub-benchmarks bench/subject.
	names map[string]naming
	// against says what the figures are compared with.
	against string
}

// naming is the bench of a function's rows, and what goes in front of each subject.
type naming struct{ bench, prefix string }

var spineSuites = []suite{
	{
		"./runtime/judge", "Decision", "300x",
		map[string]naming{"Decision": {"decision", ""}},
		"policy check of the founding article: 8 ms p95; native-rules is the peer of the plugins",
	},
	{
		"./internal/sqldb", "Fsync", "1s",
		map[string]naming{"Fsync": {"durable", "fsync"}},
		"the limit of one caller: one flushed append on the same disk",
	},
	{
		"./runtime/store/sqlite", "DurableDecisions", "2s",
		map[string]naming{"DurableDecisions": {"durable", "sqlite"}},
		"fsync above, a decision being two commits; 1, 16 and 64 agents at once, group commit lifts it",
	},
	{
		"./runtime/store/postgres", "DurableDecisions", "2s",
		map[string]naming{"DurableDecisions": {"durable", "postgres"}},
		"sqlite above",
	},
	{
		"./cmd/purser", "Pay", "20x",
		map[string]naming{"Pay": {"pay", ""}},
		"unpaid-402 is the merchant alone; the founding article: 2.2 s p95 on a chain with 2 s blocks",
	},
}

var signerSuites = []suite{
	{
		"./signer/mpc", "SingleKeySignature|EdDSASignature|Guard", "3s",
		map[string]naming{"SingleKeySignature": {"sign", "single-key"}, "EdDSASignature": {"sign", "eddsa"}, "Guard": {"sign", "guard"}},
		"single-key: one machine that holds the whole key, the peer of all below. eddsa: both parties in one process, over pipes.\n" +
			"# guard: all messages of one signature checked once, as each side does",
	},
	{
		"./cmd/purser", "Signer", "1x", nil,
		"two processes, TLS and policy with the bundled plugin on both sides, SQLite flushed at every step, both on this machine.\n" +
			"# warm, cold: from an agent's authorize to the signed payment. Its parts: decide; consult; build, which is the chain\n" +
			"# adapter; arm; session, from the promise to a prepared session; signing, the rounds after the digest; assemble.\n" +
			"# warm: a session was ready, and no other was being prepared; cold: the first payment of an agent.\n" +
			"# restart: from starting a co-signer with one wallet to its first signature; sustained: four payments at a time.\n" +
			"# derived: order to address, durable on both sides; pooled: taken from both keystores in turn, without a message between",
	},
}

// has reports whether the suite may have rows of a bench.
func (s suite) has(bench string) bool {
	for _, name := range s.names {
		if name.bench == bench {
			return true
		}
	}
	return s.names == nil
}

// pattern is go's -bench; only, when not empty, is the one bench wanted.
func (s suite) pattern(only string) string {
	pattern := "^Benchmark(" + s.functions + ")$"
	if s.names == nil && only != "" {
		pattern += "/^" + only + "$"
	}
	return pattern
}

func (s suite) run(only string) ([]row, error) {
	command := exec.Command("go", "test", "-run", "^$", "-bench", s.pattern(only), "-benchtime", s.time, "-timeout", "30m", s.pkg) //nolint:gosec // the tables above
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w\n%s%s", s.functions, s.pkg, err, output, stderr.String())
	}
	return s.rows(bytes.NewReader(output))
}
