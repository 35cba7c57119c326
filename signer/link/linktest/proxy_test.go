package linktest

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// echoing starts a server that sends back what it gets.
func echoing(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				_, _ = io.Copy(connection, connection)
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t testing.TB, network *Proxy) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", network.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func opened(t testing.TB, oneWay time.Duration) *Proxy {
	t.Helper()
	network, err := Open(echoing(t), oneWay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	return network
}

func TestWhatIsSentComesBackAfterBothDelays(t *testing.T) {
	const oneWay = 30 * time.Millisecond
	network := opened(t, oneWay)
	connection := dial(t, network)
	sent := make([]byte, 300_000)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	started := time.Now()
	go connection.Write(sent)
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(connection, got); err != nil || !slices.Equal(got, sent) {
		t.Fatalf("it comes back changed: %v", err)
	}
	if took := time.Since(started); took < 2*oneWay {
		t.Errorf("it took %s only", took)
	}
	if network.Passed() != int64(2*len(sent)) {
		t.Errorf("%d bytes passed", network.Passed())
	}
}

func TestAFrozenNetworkKeepsConnectionsAndBytes(t *testing.T) {
	network := opened(t, 0)
	connection := dial(t, network)
	network.Freeze()
	if _, err := connection.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	connection.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := connection.Read(make([]byte, 1)); err == nil {
		t.Error("a byte passed")
	} else if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection ended: %v", err)
	}
	network.Thaw()
	connection.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := connection.Read(make([]byte, 1)); err != nil {
		t.Errorf("the byte is lost: %v", err)
	}
}

func TestAPartitionBreaksWhatIsOpenAndLetsNothingNewThrough(t *testing.T) {
	network := opened(t, 0)
	connection := dial(t, network)
	network.Partition()
	for _, broken := range []net.Conn{connection, dial(t, network)} {
		broken.SetDeadline(time.Now().Add(20 * time.Second))
		broken.Write([]byte("x"))
		if _, err := broken.Read(make([]byte, 1)); err == nil {
			t.Error("a byte passed")
		}
	}
	network.Heal()
	healed := dial(t, network)
	healed.Write([]byte("x"))
	if _, err := healed.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// BenchmarkRTT40 is what the proxy itself costs beyond the delay it was asked for: on a busy machine, timers are late.
func BenchmarkRTT40(b *testing.B) {
	connection := dial(b, opened(b, 20*time.Millisecond))
	for b.Loop() {
		if _, err := connection.Write([]byte("x")); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(connection, make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
	}
}
