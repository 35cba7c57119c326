package link

import (
	"net"
	"net/http"
	"time"

	"github.com/purserhq/purser/signer/link/pki"
)

// transport returns the connections to use. They are made anew when our certificates change and after a while, so that
// both sides are checked in full again; what is under way on the old ones finishes there.
func (c *Client) transport() (*http.Transport, error) {
	view, now := c.config.Credentials.Current(), time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, closedError()
	}
	if c.line != nil && c.line.generation == view.Generation && now.Sub(c.line.since) < c.timing.fresh {
		return c.line.transport, nil
	}
	if c.line != nil {
		c.line.transport.CloseIdleConnections()
	}
	dialer := &net.Dialer{Timeout: c.timing.connect}
	c.line = &line{generation: view.Generation, since: now, transport: &http.Transport{
		// No proxy: the environment must not decide who carries this.
		DialContext: dialer.DialContext, TLSHandshakeTimeout: c.timing.handshake,
		TLSClientConfig: c.config.Credentials.ClientTLS(view, pki.CoSigner),
		Protocols:       http2Only(), HTTP2: http2Limits(c.timing), DisableCompression: true,
		MaxResponseHeaderBytes: headerBytesMax, IdleConnTimeout: c.timing.idle,
		MaxConnsPerHost: connectionsMax,
	}}
	return c.line.transport, nil
}
