package link

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

// desk is a small honest co-signer: it answers what it is asked and echoes frames. A test may replace any part.
type desk struct {
	consult  func(context.Context, *abi.ConsultRequest) (*abi.Decision, error)
	arm      func(context.Context, *abi.ArmRequest) (*abi.Armed, error)
	disclaim func(context.Context, *abi.Armed) (*abi.Tombstone, error)
	party    func(signer.Transport)
	refuse   error

	working sync.WaitGroup
}

var _ signer.CoSigner = (*desk)(nil)

func (d *desk) Consult(ctx context.Context, request *abi.ConsultRequest) (*abi.Decision, error) {
	if d.consult != nil {
		return d.consult(ctx, request)
	}
	encoded, err := request.Marshal()
	hash := sha256.Sum256(encoded)
	return &abi.Decision{Outcome: abi.Allow, PolicySHA256: hash[:], Request: encoded, Side: "cosigner"}, err
}

func (d *desk) Arm(ctx context.Context, request *abi.ArmRequest) (*abi.Armed, error) {
	if d.arm != nil {
		return d.arm(ctx, request)
	}
	if request.Intent == nil {
		return nil, errors.New("no intent")
	}
	return signer.Promise(request, sha256.Sum256(request.Preimage), 1234)
}

func (d *desk) Disclaim(ctx context.Context, armed *abi.Armed) (*abi.Tombstone, error) {
	if d.disclaim != nil {
		return d.disclaim(ctx, armed)
	}
	return &abi.Tombstone{Domain: "purser.tombstone.v1", Payment: armed.Payment, Digest: armed.Digest}, nil
}

func (d *desk) Join(_ context.Context, request *abi.SessionRequest, transport signer.Transport) (*abi.SessionAnswer, error) {
	if d.refuse != nil {
		return nil, d.refuse
	}
	party := d.party
	if party == nil {
		party = echo
	}
	d.working.Go(func() {
		defer transport.Close()
		party(transport)
	})
	return &abi.SessionAnswer{Opening: bytes.Repeat([]byte{7}, 16), Path: "m/1/2", Epoch: uint64(len(request.Agent)), ReadyMax: 2}, nil
}

func echo(transport signer.Transport) {
	for {
		frame, err := transport.Receive(context.Background())
		if err != nil {
			return
		}
		frame.From, frame.To = frame.To, frame.From
		if transport.Send(context.Background(), frame) != nil {
			return
		}
	}
}

func frameOf(body string) signer.Frame {
	return signer.Frame{From: signer.RoleRuntime, To: signer.RoleCoSigner, Type: "test", Body: []byte(body)}
}

// hasty are waits that a test can sit through.
var hasty = timing{
	connect: 2 * time.Second, handshake: 2 * time.Second, pingAfter: time.Minute, pingAnswer: time.Minute,
	stuckWrite: 2 * time.Second, call: 3 * time.Second, opening: 3 * time.Second, frame: 300 * time.Millisecond,
	session: time.Minute, linger: 3 * time.Second, bridge: 0, fresh: time.Hour, idle: time.Minute, quiet: 50 * time.Millisecond,
}

// pinged also notices within seconds that a peer is half-open. On a busy machine an honest answer may be that late, so
// only the tests that need it use it.
var pinged = func() timing {
	times := hasty
	times.pingAfter, times.pingAnswer = 500*time.Millisecond, 1500*time.Millisecond
	return times
}()

// house is an installation: an authority, and identities in files.
type house struct {
	dir       string
	authority pki.Authority
	now       func() time.Time
}

func newHouse(t testing.TB) *house {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{dir: t.TempDir(), authority: authority, now: time.Now}
	if err := pki.WriteTrust(h.path("trust"), authority.Certificate()); err != nil {
		t.Fatal(err)
	}
	for _, role := range []pki.Role{pki.Runtime, pki.CoSigner, pki.Operator, pki.Recovery} {
		h.issue(t, h.authority, string(role), pki.Issuance{Role: role, Hosts: []string{"127.0.0.1"}})
	}
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name+".pem") }

// issue writes an identity to the file of that name, whatever was there.
func (h *house) issue(t testing.TB, authority pki.Authority, name string, issuance pki.Issuance) {
	t.Helper()
	if issuance.Now.IsZero() {
		issuance.Now = time.Now()
	}
	identity, err := authority.Issue(issuance)
	if err != nil {
		t.Fatal(err)
	}
	if err := identity.Replace(h.path(name)); err != nil {
		t.Fatal(err)
	}
}

func (h *house) credentials(t testing.TB, name string, role pki.Role) *pki.Credentials {
	t.Helper()
	credentials, err := pki.OpenCredentials(pki.CredentialsConfig{Identity: h.path(name), Trust: h.path("trust"), Role: role, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

// office is a running server.
type office struct {
	*house
	server  *Server
	desk    *desk
	address string
	log     *logBook
	stop    func()
}

func open(t testing.TB, d *desk, times timing, edit ...func(*ServerConfig)) *office {
	t.Helper()
	return openIn(t, newHouse(t), d, times, edit...)
}

func openIn(t testing.TB, h *house, d *desk, times timing, edit ...func(*ServerConfig)) *office {
	t.Helper()
	o := &office{house: h, desk: d, log: new(logBook)}
	config := ServerConfig{Credentials: h.credentials(t, "cosigner", pki.CoSigner), CoSigner: d, Log: slog.New(slog.NewTextHandler(o.log, nil)), Now: h.now}
	for _, change := range edit {
		change(&config)
	}
	var err error
	if o.server, err = newServer(config, times); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.address = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- o.server.Serve(listener) }()
	o.stop = sync.OnceFunc(func() {
		if err := o.server.http.Close(); err != nil {
			t.Error(err)
		}
		o.server.endSessions(0)
		if err := <-served; err != nil {
			t.Error(err)
		}
		d.working.Wait()
	})
	t.Cleanup(o.stop)
	return o
}

func (o *office) client(t testing.TB, times timing) *Client {
	t.Helper()
	return o.clientAt(t, o.address, times)
}

func (h *house) clientAt(t testing.TB, address string, times timing) *Client {
	t.Helper()
	client, err := newClient(ClientConfig{Address: address, Credentials: h.credentials(t, "runtime", pki.Runtime), Now: h.now}, times)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// joined opens a session through the client and returns the runtime's end.
func joined(t testing.TB, client *Client) signer.Transport {
	t.Helper()
	here, there := signer.Pipe()
	if _, err := client.Join(t.Context(), sessionRequest(), there); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	return here
}

func sessionRequest() *abi.SessionRequest {
	return &abi.SessionRequest{Wallet: "main", Agent: "shopper", Opening: bytes.Repeat([]byte{5}, 16)}
}

func consultRequest(payment string) *abi.ConsultRequest {
	return &abi.ConsultRequest{Intent: &abi.Intent{Payment: payment}, Quote: &abi.Quote{Network: "eip155:402402"}}
}

// raw is an HTTP/2 client with the certificate of a role, for what no honest client sends.
func (o *office) raw(t testing.TB, role pki.Role) *http.Transport {
	t.Helper()
	credentials := o.credentials(t, string(role), role)
	transport := &http.Transport{TLSClientConfig: credentials.ClientTLS(credentials.Current(), pki.CoSigner), Protocols: http2Only()}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// ask sends one request and returns status and body.
func ask(t testing.TB, transport *http.Transport, method, url, contentType string, body io.Reader) (int, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// logBook is a log that tests read.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually waits for what must become true; it bounds a hang, not a speed.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			buffer := make([]byte, 16<<10)
			t.Fatalf("never: %s\n%s", what, buffer[:goruntime.Stack(buffer, true)])
		}
	}
}

// within fails when the call hangs.
func within[T any](t testing.TB, what string, call func() (T, error)) (T, error) {
	t.Helper()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := call()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(time.Minute):
		t.Fatalf("%s hangs", what)
		panic("unreachable")
	}
}

func codeIs(t testing.TB, err error, code string) *abi.Error {
	t.Helper()
	var known *abi.Error
	if !errors.As(err, &known) || known.Code != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
	return known
}
