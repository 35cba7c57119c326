package keystore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	benchWallets   = 1000
	benchBlobBytes = 15_000
)

// BenchmarkRestart opens a keystore of 1,000 wallets under a passphrase and loads every active share: what a co-signer
// does with its keys before its first signature. The key is derived once per open.
func BenchmarkRestart(b *testing.B) {
	config := testConfig(filepath.Join(b.TempDir(), "keys"))
	secret := filepath.Join(b.TempDir(), "passphrase")
	must(b, os.WriteFile(secret, []byte(testPassphrase), 0o600))
	wrapper := func() *PassphraseWrapper {
		w, err := OpenPassphraseFile(secret, nil)
		must(b, err)
		return w
	}
	config.Wrapper = wrapper()
	k := openTest(b, config)
	blob := string(bytes.Repeat([]byte{0xa5}, benchBlobBytes))
	for i := range benchWallets {
		wallet := fmt.Sprintf("w%04d", i)
		must(b, k.Put(b.Context(), testShare(wallet, 0, blob)))
		must(b, k.Activate(wallet, 0))
	}
	var opens, loads []time.Duration
	for b.Loop() {
		start := time.Now()
		config.Wrapper = wrapper()
		again := openTest(b, config)
		opens = append(opens, time.Since(start))
		for i := range benchWallets {
			start := time.Now()
			blobOf(b, again, fmt.Sprintf("w%04d", i), 0)
			loads = append(loads, time.Since(start))
		}
	}
	b.ReportMetric(float64(median(opens).Microseconds())/1000, "open-p50-ms")
	b.ReportMetric(float64(median(loads).Nanoseconds())/1000, "load-p50-us")
}

// BenchmarkTakeWallet is what provisioning from the pool costs one side.
func BenchmarkTakeWallet(b *testing.B) {
	k := openTest(b, testConfig(filepath.Join(b.TempDir(), "keys")))
	pool, err := k.OpenWalletPool(WalletPoolConfig{Scheme: SchemeECDSA})
	must(b, err)
	var takes []time.Duration
	taken := 0
	for b.Loop() {
		b.StopTimer()
		must(b, pool.Add(b.Context(), testShare(fmt.Sprintf("w%d", taken), 0, "x")))
		b.StartTimer()
		start := time.Now()
		_, err := pool.Take(b.Context(), fmt.Sprintf("agent-%d", taken))
		must(b, err)
		takes = append(takes, time.Since(start))
		taken++
	}
	b.ReportMetric(float64(median(takes).Microseconds())/1000, "take-p50-ms")
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}
