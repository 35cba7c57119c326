package ceremony

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

const (
	// The two lanes that a seat opens to the co-signer, told apart by the protocol it asks for (ALPN, RFC 7301).
	laneDirect = "purser-ceremony/1"
	laneRelay  = "purser-ceremony-relay/1"

	// RecoveryHost is the name in the recovery role's certificate. The runtime reaches it through the co-signer, by this
	// name and no address.
	RecoveryHost = "recovery"

	handshakeTimeMax = 20 * time.Second
	exporterLabel    = "EXPORTER-purser-ceremony-v1"
)

// roleOf maps the roles of certificates to seats.
var roleOf = map[pki.Role]signer.Role{pki.Runtime: signer.RoleRuntime, pki.CoSigner: signer.RoleCoSigner, pki.Recovery: signer.RoleRecovery}

// serverTLS is what credentials ask of a client, with our lanes instead of HTTP/2.
func serverTLS(credentials *pki.Credentials, lanes []string, admit func(*tls.ClientHelloInfo, pki.Peer) error) *tls.Config {
	config := credentials.ServerTLS(admit)
	perConnection := config.GetConfigForClient
	config.NextProtos = lanes
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		inner, err := perConnection(hello)
		if err != nil {
			return nil, err
		}
		inner.NextProtos = lanes
		return inner, nil
	}
	return config
}

func clientTLS(credentials *pki.Credentials, server pki.Role, host, lane string) *tls.Config {
	config := credentials.ClientTLS(credentials.Current(), server)
	config.NextProtos, config.ServerName = []string{lane}, host
	return config
}

// handshake finishes a connection in bounded time, and demands the lane.
func handshake(ctx context.Context, conn *tls.Conn, within time.Duration, lanes ...string) (lane string, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", err
	}
	lane = conn.ConnectionState().NegotiatedProtocol
	for _, known := range lanes {
		if lane == known {
			return lane, nil
		}
	}
	return "", fmt.Errorf("the other side speaks %.40q, not the protocol of ceremonies", lane)
}

// welcome is what the co-signer writes first. A client of TLS 1.3 is done before the server has looked at its certificate:
// without a word of the server it would wait for the third seat on a connection that nobody holds.
const welcome = 1

func admitted(conn net.Conn) error {
	if err := conn.SetWriteDeadline(time.Now().Add(handshakeTimeMax)); err != nil {
		return err
	}
	_, err := conn.Write([]byte{welcome})
	return errors.Join(err, conn.SetWriteDeadline(time.Time{}))
}

func awaitWelcome(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(handshakeTimeMax)); err != nil {
		return err
	}
	var word [1]byte
	_, err := io.ReadFull(conn, word[:])
	if err == nil && word[0] != welcome {
		err = errors.New("the other side does not speak the protocol of ceremonies")
	}
	return errors.Join(err, conn.SetReadDeadline(time.Time{}))
}

// linkOver makes the link of an authenticated connection.
func linkOver(conn *tls.Conn) (Link, error) {
	state := conn.ConnectionState()
	channel, err := state.ExportKeyingMaterial(exporterLabel, nil, 32)
	if err != nil {
		return Link{}, fmt.Errorf("bind the connection: %w", err)
	}
	return Link{Transport: newStream(conn), Channel: [32]byte(channel)}, nil
}

// onlyRole admits one role.
func onlyRole(want pki.Role) func(*tls.ClientHelloInfo, pki.Peer) error {
	return func(_ *tls.ClientHelloInfo, peer pki.Peer) error {
		if peer.Role != want {
			return fmt.Errorf("a %s has no place here", peer.Role)
		}
		return nil
	}
}

// hostOf is the name that a server's certificate must have.
func hostOf(address string) (string, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "", inputError("host", "%.80q is no host:port", address)
	}
	return host, nil
}
