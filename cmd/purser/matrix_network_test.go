package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/signer/link/linktest"
)

const (
	// halfOpen is longer than a peer that says nothing is believed.
	halfOpen = 12 * time.Second
	// What the runtime's process may hold while the network is bad: far above what it needs, far below a leak.
	openFilesMax = 256
	threadsMax   = 128
	memoryKBMax  = 1 << 20
)

// TestPaymentsEndWhateverTheNetworkBetweenTheSignersDoes puts a network between both processes that cuts, delays, stalls
// and parts them.
func TestPaymentsEndWhateverTheNetworkBetweenTheSignersDoes(t *testing.T) {
	var network *linktest.Proxy
	f := newFleet(t, func(f *fleet) {
		var err error
		if network, err = linktest.Open(f.address, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { must(t, network.Close()) })
		f.dialAt(t, network.Address())
	})
	if view := f.buy(t); view.State != string(runtime.Delivered) {
		t.Fatalf("over a good network: %s %+v", view.State, view.Reasons)
	}
	enough := f.busy(t, 2)
	for range 3 { // in the middle of sessions
		time.Sleep(time.Second)
		network.Cut()
	}
	network.SetDelay(100 * time.Millisecond)
	time.Sleep(2 * time.Second)
	network.SetDelay(0)
	network.Freeze()
	time.Sleep(halfOpen)
	network.Thaw()
	time.Sleep(time.Second)
	enough()
	f.parted(t, network)
	if view := f.buy(t); view.State != string(runtime.Delivered) {
		t.Errorf("over a healed network: %s %+v", view.State, view.Reasons)
	}
	f.mustAddUp(t)
}

// parted asks for many payments while the co-signer cannot be reached: each is denied, nothing piles up, and the log says
// why.
func (f *fleet) parted(t *testing.T, network *linktest.Proxy) {
	t.Helper()
	network.Partition()
	defer network.Heal()
	before, err := os.Stat(f.serve.log)
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			view := f.buy(t)
			codes := codesOf(view)
			if view.State != string(runtime.Denied) || len(codes) == 0 || codes[0] != abi.ReasonCosignerUnreachable {
				t.Errorf("without a co-signer: %s %+v", view.State, view.Reasons)
			}
		})
	}
	asking.Wait()
	f.bounded(t)
	said, err := os.ReadFile(f.serve.log)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(said[before.Size():], []byte("cosigner_unreachable")) && !f.streamed(t, abi.ReasonCosignerUnreachable) {
		t.Errorf("neither the log nor the stream says that the co-signer cannot be reached:\n%s", said[before.Size():])
	}
}

// streamed reports whether the operator's view of the latest payments names the code.
func (f *fleet) streamed(t testing.TB, code string) bool {
	t.Helper()
	operator := clientOf(t, f.serve.url(t), operatorOf(t, f.at(roleRuntime, "data")))
	view, err := operator.Payment(t.Context(), f.asked[fmt.Sprintf("purchase-%05d", f.keys.Load())].ID)
	return err == nil && len(codesOf(view)) > 0 && codesOf(view)[0] == code && view.State == string(runtime.Denied)
}

// bounded reads from the system what the runtime's process holds.
func (f *fleet) bounded(t testing.TB) {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d", f.serve.Process.Pid)
	files, err := filepath.Glob(folder + "/fd/*")
	if err != nil || len(files) == 0 {
		t.Log("no /proc: what the process holds cannot be told here")
		return
	}
	status, err := os.ReadFile(folder + "/status") // #nosec G304 -- of our own process
	if err != nil {
		t.Fatal(err)
	}
	threads, memory := number(t, status, "Threads:"), number(t, status, "VmRSS:")
	t.Logf("the runtime holds %d files, %d threads, %d kB", len(files), threads, memory)
	if len(files) > openFilesMax || threads > threadsMax || memory > memoryKBMax {
		t.Errorf("the runtime holds %d files, %d threads and %d kB after a bad network", len(files), threads, memory)
	}
}

func number(t testing.TB, status []byte, name string) int {
	t.Helper()
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("the system does not say %s", name)
	return 0
}
