package ceremony

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

// dialEvery is how long a seat waits before it looks again for a co-signer that is not there yet.
const dialEvery = time.Second

// Connection is what a seat has of the others. Close it when the ceremony is over.
type Connection struct {
	links map[signer.Role]Link
	close func() error
}

// Links lead to the two other seats.
func (c *Connection) Links() map[signer.Role]Link { return c.links }

// Close ends both links.
func (c *Connection) Close() error { return c.close() }

// Dial takes the runtime's or the recovery role's place: a connection to the co-signer, and one through it to the third
// seat, which the co-signer carries without being able to read or change it. It waits for the others until ctx ends.
func Dial(ctx context.Context, address string, credentials *pki.Credentials) (*Connection, error) {
	host, err := hostOf(address)
	if err != nil {
		return nil, err
	}
	direct, err := dialLane(ctx, address, clientTLS(credentials, pki.CoSigner, host, laneDirect))
	if err != nil {
		return nil, err
	}
	toHost, err := linkOver(direct)
	if err != nil {
		return nil, errors.Join(err, direct.Close())
	}
	// A co-signer that goes away while the others are awaited must be noticed.
	waiting, giveUp := context.WithCancel(ctx)
	defer giveUp()
	go func() {
		select {
		case <-toHost.Done():
			giveUp()
		case <-waiting.Done():
		}
	}()
	relayed, err := dialLane(waiting, address, clientTLS(credentials, pki.CoSigner, host, laneRelay))
	if err != nil {
		return nil, errors.Join(err, toHost.Close())
	}
	third, toThird, err := through(waiting, relayed, credentials)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reach the %s through the co-signer: %w", third, err), relayed.Close(), toHost.Close())
	}
	return &Connection{
		links: map[signer.Role]Link{signer.RoleCoSigner: toHost, third: toThird},
		close: func() error { return errors.Join(toThird.Close(), toHost.Close()) },
	}, nil
}

// through makes the connection inside the relayed one. The recovery role is its server.
func through(ctx context.Context, relayed net.Conn, credentials *pki.Credentials) (signer.Role, Link, error) {
	var inner *tls.Conn
	third := signer.RoleRecovery
	switch credentials.Role() {
	case pki.Runtime:
		inner = tls.Client(relayed, clientTLS(credentials, pki.Recovery, RecoveryHost, laneDirect))
	case pki.Recovery:
		third = signer.RoleRuntime
		inner = tls.Server(relayed, serverTLS(credentials, []string{laneDirect}, onlyRole(pki.Runtime)))
	case pki.CoSigner, pki.Operator:
		fallthrough
	default:
		return 0, Link{}, inputError("credentials", "a %s dials nobody in a ceremony", credentials.Role())
	}
	if err := inner.HandshakeContext(ctx); err != nil { // the third seat may come late
		return third, Link{}, waited(ctx, err)
	}
	link, err := linkOver(inner)
	return third, link, err
}

// dialLane tries until somebody listens. A co-signer that is there and is refused, or refuses, ends it.
func dialLane(ctx context.Context, address string, config *tls.Config) (*tls.Conn, error) {
	for {
		plain, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			conn := tls.Client(plain, config)
			if _, err = handshake(ctx, conn, handshakeTimeMax, config.NextProtos...); err == nil {
				err = awaitWelcome(conn)
			}
			if err == nil {
				return conn, nil
			}
			err = errors.Join(err, plain.Close())
			if !passing(err) {
				return nil, fmt.Errorf("connect to the co-signer at %s: %w", address, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil, waited(ctx, err)
		case <-time.After(dialEvery):
		}
	}
}

// passing reports whether a connection failed for a reason that a second attempt may not meet: the other side was busy,
// stopped or slow. A certificate that is refused is none of these.
func passing(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ECONNRESET)
}

func waited(ctx context.Context, cause error) error {
	if ctx.Err() == nil {
		return cause
	}
	return &abi.Error{
		Code: CodeInterrupted, Message: "the three seats did not come together", Retry: abi.RetryLater, Cause: errors.Join(ctx.Err(), cause),
		Fix: "start the ceremony at all three hosts, the co-signer's first, and name its address with --host",
	}
}
