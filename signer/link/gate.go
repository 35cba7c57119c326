package link

import (
	"crypto/tls"
	"net"
	"sync"

	"github.com/purserhq/purser/signer/link/pki"
)

// gate counts connections that nobody has authenticated yet, and turns away those that are too many.
type gate struct {
	net.Listener
	complaints *complaints

	mu      sync.Mutex
	waiting map[string]int // by address, without the port
	all     int
}

// Accept returns the next connection that there is room for.
func (g *gate) Accept() (net.Conn, error) {
	for {
		connection, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host := hostOf(connection.RemoteAddr())
		if g.enter(host) {
			return &countedConn{Conn: connection, leave: sync.OnceFunc(func() { g.left(host) })}, nil
		}
		g.complaints.say("connection refused: too many from there are not authenticated", "address", host)
		_ = connection.Close() // nothing was said on it
	}
}

func (g *gate) enter(host string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= handshakesMax || g.waiting[host] >= handshakesHostMax {
		return false
	}
	g.all++
	g.waiting[host]++
	return true
}

func (g *gate) left(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.waiting[host]--; g.waiting[host] == 0 {
		delete(g.waiting, host)
	}
}

func hostOf(address net.Addr) string {
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	return host
}

type connectionKey struct{}

// countedConn is a connection that counts: first against its address, from the handshake on against its identity.
type countedConn struct {
	net.Conn
	leave func() // the gate

	mu      sync.Mutex
	closed  bool
	release func() // the identity's count
	// checked is the generation of the trust file that the peer's certificate was last verified against.
	checked uint64
}

// admit counts a connection against its identity once its certificate has been verified.
func (s *Server) admit(hello *tls.ClientHelloInfo, peer pki.Peer) error {
	counted, ok := hello.Conn.(*countedConn)
	if !ok {
		return busy("the connection did not come through the gate")
	}
	counted.mu.Lock()
	defer counted.mu.Unlock()
	if counted.closed || counted.release != nil || !s.peers.connect(peer.Key) {
		return busy("too many connections of one identity")
	}
	counted.release = func() { s.peers.disconnect(peer.Key) }
	counted.leave()
	return nil
}

// Close closes the connection and takes it off the counts.
func (c *countedConn) Close() error {
	c.mu.Lock()
	release := c.release
	c.closed, c.release = true, nil
	c.mu.Unlock()
	c.leave()
	if release != nil {
		release()
	}
	return c.Conn.Close()
}
