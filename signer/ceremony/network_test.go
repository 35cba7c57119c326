package ceremony

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

// office is one installation's certificates.
type office struct {
	dir       string
	authority pki.Authority
}

func newOffice(t testing.TB) *office {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now())
	must(t, err)
	o := &office{t.TempDir(), authority}
	must(t, pki.WriteTrust(filepath.Join(o.dir, "trust.pem"), authority.Certificate()))
	return o
}

func (o *office) credentials(t testing.TB, role pki.Role) *pki.Credentials {
	t.Helper()
	path := filepath.Join(o.dir, string(role)+".pem")
	hosts := map[pki.Role][]string{pki.CoSigner: {"127.0.0.1"}, pki.Recovery: {RecoveryHost}}[role]
	identity, err := o.authority.Issue(pki.Issuance{Role: role, Hosts: hosts, Now: time.Now()})
	must(t, err)
	must(t, identity.Replace(path))
	credentials, err := pki.OpenCredentials(pki.CredentialsConfig{Identity: path, Trust: filepath.Join(o.dir, "trust.pem"), Role: role})
	must(t, err)
	return credentials
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() }) // closed already by whoever waited on it
	return listener
}

// arrivals is how each seat's connecting ended.
type arrivals struct {
	mu    sync.Mutex
	links map[signer.Role]map[signer.Role]Link
	errs  map[signer.Role]error
	close []func() error
}

func (a *arrivals) came(role signer.Role, connection *Connection, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.errs[role] = err; err == nil {
		a.links[role] = connection.Links()
		a.close = append(a.close, connection.Close)
	}
}

// meet connects three seats over loopback. meddle, when set, changes the co-signer's end before anybody comes.
func meet(t testing.TB, o *office, within time.Duration, meddle func(*host)) *arrivals {
	t.Helper()
	listener := listen(t)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	a := &arrivals{links: map[signer.Role]map[signer.Role]Link{}, errs: map[signer.Role]error{}}
	h := newHost(listener, o.credentials(t, pki.CoSigner), nil)
	if meddle != nil {
		meddle(h)
	}
	var done sync.WaitGroup
	done.Go(func() {
		connection, err := h.wait(ctx)
		a.came(signer.RoleCoSigner, connection, err)
	})
	for _, role := range []pki.Role{pki.Runtime, pki.Recovery} {
		credentials := o.credentials(t, role)
		done.Go(func() {
			connection, err := Dial(ctx, listener.Addr().String(), credentials)
			a.came(roleOf[role], connection, err)
		})
	}
	done.Wait()
	t.Cleanup(func() {
		var closing sync.WaitGroup // the co-signer's end waits for the two others
		for _, end := range a.close {
			closing.Go(func() { _ = end() })
		}
		closing.Wait()
	})
	return a
}

func TestThreeSeatsMeetOverTLSThroughTheRelayAndRefreshAWallet(t *testing.T) {
	template, shares := crashWorlds(t)
	c := crashCases[1]
	w := c.before(t, template)
	a := meet(t, newOffice(t), time.Minute, nil)
	for role, err := range a.errs {
		if err != nil {
			t.Fatalf("the %s did not connect: %v", role, err)
		}
	}
	if a.links[signer.RoleRuntime][signer.RoleRecovery].Channel != a.links[signer.RoleRecovery][signer.RoleRuntime].Channel {
		t.Fatal("the two ends of the relayed connection are not bound to the same channel")
	}
	result := wantResults(t, w.holdOver(t, a.links, c.hold))
	c.oneEpoch(t, w, shares, result.Epoch)
}

func TestFramesOfTheLargestSizeCrossInBothDirectionsAtOnce(t *testing.T) {
	a := meet(t, newOffice(t), time.Minute, nil)
	var done sync.WaitGroup
	for _, pair := range [][2]signer.Role{{signer.RoleRuntime, signer.RoleRecovery}, {signer.RoleRecovery, signer.RoleRuntime}} {
		link := a.links[pair[0]][pair[1]]
		done.Go(func() {
			for i := range uint32(signer.FramesInFlightMax) {
				frame := signer.Frame{From: pair[0], To: pair[1], Type: "large", Seq: i, Body: make([]byte, signer.FrameBodyBytesMax)}
				if err := link.Send(t.Context(), frame); err != nil {
					t.Errorf("send %d: %v", i, err)
				}
			}
			for i := range uint32(signer.FramesInFlightMax) {
				if frame, err := link.Receive(t.Context()); err != nil || frame.Seq != i || len(frame.Body) != signer.FrameBodyBytesMax {
					t.Errorf("frame %d: %d of %d bytes, %v", i, frame.Seq, len(frame.Body), err)
				}
			}
		})
	}
	done.Wait()
}

// A relay that changes bytes, or joins other ends than it should, gets no connection between the two.
func TestARelayThatMeddlesConnectsNobody(t *testing.T) {
	flip := func(h *host) {
		h.carry = func(to io.Writer, from io.Reader) (int64, error) {
			data := make([]byte, 1024)
			for sum := int64(0); ; {
				n, err := from.Read(data)
				if n > 0 {
					data[n-1] ^= 1
				}
				if _, failed := to.Write(data[:n]); failed != nil || err != nil {
					return sum, errors.Join(err, failed)
				}
				sum += int64(n)
			}
		}
	}
	echo := func(h *host) {
		h.carry = func(_ io.Writer, from io.Reader) (int64, error) {
			back, _ := from.(io.Writer) // what comes goes back to where it came from
			return io.Copy(back, from)
		}
	}
	for name, meddle := range map[string]func(*host){"flipped bits": flip, "joined to themselves": echo} {
		t.Run(name, func(t *testing.T) {
			a := meet(t, newOffice(t), 20*time.Second, meddle)
			for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleRecovery} {
				if a.errs[role] == nil {
					t.Errorf("the %s has a connection", role)
				}
			}
		})
	}
}

func TestTheCoSignerCannotPlayTheRecoverySeatWithItsOwnCertificate(t *testing.T) {
	o := newOffice(t)
	credentials, runtime := o.credentials(t, pki.CoSigner), o.credentials(t, pki.Runtime)
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	go func() {
		_ = tls.Server(there, serverTLS(credentials, []string{laneDirect}, nil)).HandshakeContext(t.Context())
	}()
	_, _, err := through(t.Context(), here, runtime)
	if err == nil || !strings.Contains(err.Error(), "recovery") {
		t.Errorf("got %v", err)
	}
}

func TestStrangersAtTheDoorAreTurnedAwayAndTheSeatsStillMeet(t *testing.T) {
	o := newOffice(t)
	var turned atomic.Int32
	a := meet(t, o, time.Minute, func(h *host) {
		operator, foreign := o.credentials(t, pki.Operator), newOffice(t).credentials(t, pki.Runtime)
		address := h.listener.Addr().String()
		for _, config := range []*tls.Config{
			clientTLS(operator, pki.CoSigner, "127.0.0.1", laneDirect),                 // a certificate of a role without a seat
			clientTLS(o.credentials(t, pki.Recovery), pki.CoSigner, "127.0.0.1", "h2"), // another protocol
			func() *tls.Config { // another installation's runtime
				config := clientTLS(foreign, pki.CoSigner, "127.0.0.1", laneDirect)
				config.InsecureSkipVerify = true //nolint:gosec // the stranger's own carelessness
				config.VerifyConnection = nil
				return config
			}(),
			{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, NextProtos: []string{laneDirect}}, //nolint:gosec // no certificate at all
			nil, // no TLS
		} {
			plain, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			must(t, err)
			t.Cleanup(func() { _ = plain.Close() })
			go func() {
				if config == nil {
					_, _ = plain.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
					_, _ = io.Copy(io.Discard, plain)
					turned.Add(1)
					return
				}
				conn := tls.Client(plain, config)
				_ = conn.HandshakeContext(context.Background()) // ends in TLS 1.3 before the server has judged
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					turned.Add(1)
				}
			}()
		}
	})
	for role, err := range a.errs {
		if err != nil {
			t.Errorf("the %s did not connect: %v", role, err)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for turned.Load() < 5 {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 5 strangers were turned away", turned.Load())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestWhoWaitsForASeatThatNeverComesGivesUpInTime(t *testing.T) {
	o := newOffice(t)
	listener := listen(t)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var done sync.WaitGroup
	done.Go(func() {
		_, err := Host(ctx, listener, o.credentials(t, pki.CoSigner), nil)
		if abi.CodeOf(err) != CodeInterrupted {
			t.Errorf("the co-signer: %v", err)
		}
	})
	done.Go(func() {
		_, err := Dial(ctx, listener.Addr().String(), o.credentials(t, pki.Runtime))
		if err == nil {
			t.Error("the runtime has connections without a recovery seat")
		}
	})
	done.Wait()
}

func TestAStreamRefusesALongFrameAndOneThatIsCutShort(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"a length of 4 GiB":  {0xff, 0xff, 0xff, 0xff},
		"a frame of nothing": {0, 0, 0, 0},
		"half a frame":       {0, 0, 1, 0, 2, 2},
	} {
		here, there := net.Pipe()
		s := newStream(here)
		go func() { _, _ = there.Write(bytes); _ = there.Close() }()
		if _, err := s.Receive(t.Context()); err == nil {
			t.Errorf("%s was received", name)
		}
		<-s.Done()
		if err := s.Send(t.Context(), signer.Frame{From: 1, To: 2, Type: "x", Body: []byte{1}}); err == nil {
			t.Errorf("after %s the stream still sends", name)
		}
	}
}

// A process that was started again, or that lost its first connections on the way, must not leave the others waiting for
// a connection that nobody holds.
func TestASeatThatCameTwiceHasItsLaterConnections(t *testing.T) {
	o := newOffice(t)
	template, shares := crashWorlds(t)
	c := crashCases[1]
	w := c.before(t, template)
	a := meet(t, o, time.Minute, func(h *host) {
		credentials := o.credentials(t, pki.Runtime)
		// The first start of the runtime, which dies between its two connections; it is accepted first.
		plain, err := new(net.Dialer).DialContext(t.Context(), "tcp", h.listener.Addr().String())
		must(t, err)
		go func() {
			conn := tls.Client(plain, clientTLS(credentials, pki.CoSigner, "127.0.0.1", laneDirect))
			_ = conn.HandshakeContext(context.Background()) // it may come too late: then the others have met without it
			_ = conn.Close()
		}()
	})
	for role, err := range a.errs {
		if err != nil {
			t.Fatalf("the %s did not connect: %v", role, err)
		}
	}
	c.oneEpoch(t, w, shares, wantResults(t, w.holdOver(t, a.links, c.hold)).Epoch)
}

// A client of TLS 1.3 has finished before the server has: what the server never took must not count as a connection.
func TestAConnectionThatTheCoSignerNeverTookIsTriedAgain(t *testing.T) {
	o := newOffice(t)
	listener := listen(t)
	config := serverTLS(o.credentials(t, pki.CoSigner), []string{laneDirect, laneRelay}, nil)
	go func() {
		for drop := true; ; drop = false {
			plain, err := listener.Accept()
			if err != nil {
				return
			}
			conn := tls.Server(plain, config)
			if err := conn.HandshakeContext(context.Background()); err == nil && !drop {
				_ = admitted(conn)
				return
			}
			_ = conn.Close()
		}
	}()
	conn, err := dialLane(t.Context(), listener.Addr().String(), clientTLS(o.credentials(t, pki.Runtime), pki.CoSigner, "127.0.0.1", laneDirect))
	must(t, err)
	_ = conn.Close()
}
