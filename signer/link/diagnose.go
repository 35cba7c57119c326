package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer/link/pki"
)

// carriage says why a call got no answer.
func (c *Client) carriage(ctx context.Context, err error) error {
	if c.life.Err() != nil {
		return closedError()
	}
	said := carriageError(err)
	var dial *net.OpError
	if abi.CodeOf(said) != CodeUnreachable || ctx.Err() != nil || errors.As(err, &dial) && dial.Op == "dial" {
		return said
	}
	if refused := c.refusal(ctx); refused != nil {
		return refused
	}
	return said
}

// refusal finds out whether the co-signer refuses our certificate. In TLS 1.3 a client has finished its handshake when
// the server says so, and net/http loses the alert when it comes before the first request has left: an operator would
// look for a co-signer that is away. A server that accepts us speaks first, by HTTP/2's settings.
func (c *Client) refusal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.connect)
	defer cancel()
	dialer := &tls.Dialer{Config: c.config.Credentials.ClientTLS(c.config.Credentials.Current(), pki.CoSigner)}
	connection, err := dialer.DialContext(ctx, "tcp", c.config.Address)
	if err == nil {
		deadline, _ := ctx.Deadline()
		if err = connection.SetReadDeadline(deadline); err == nil {
			_, err = connection.Read(make([]byte, 1))
		}
		defer func() { _ = connection.Close() }() // it has said what it was asked
	}
	if err == nil {
		return nil
	}
	if said := carriageError(err); abi.CodeOf(said) == CodeUntrusted {
		return said
	}
	return nil
}
