package ceremony

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/pki"
)

const (
	// handshakesMax bounds the strangers that are looked at together.
	handshakesMax = 16
	// relayDrainTimeMax is how long the co-signer goes on carrying what the two others still have to tell each other after
	// it is done itself.
	relayDrainTimeMax = time.Minute
)

// place is one of the four connections that a co-signer waits for.
type place struct {
	role signer.Role
	lane string
}

// arrival is a connection that has shown a certificate.
type arrival struct {
	place
	conn *tls.Conn
	// number counts connections as they were accepted.
	number int
}

// host is the co-signer's end while seats arrive.
type host struct {
	listener net.Listener
	tls      *tls.Config
	log      *slog.Logger
	arrived  chan arrival
	looking  chan struct{}
	// carry copies the relayed bytes of one direction.
	carry func(io.Writer, io.Reader) (int64, error)
}

// Host takes the co-signer's place: it waits for the two others on the listener, which it closes, until ctx ends, and
// carries bytes between them. Who shows no certificate of a seat is turned away and does not end the waiting. The latest
// connection of each kind counts, so that a seat may be started again; who it really belongs to, the seats' signatures tell.
func Host(ctx context.Context, listener net.Listener, credentials *pki.Credentials, log *slog.Logger) (*Connection, error) {
	if credentials.Role() != pki.CoSigner {
		return nil, errors.Join(inputError("credentials", "a %s hosts no ceremony", credentials.Role()), listener.Close())
	}
	return newHost(listener, credentials, log).wait(ctx)
}

func newHost(listener net.Listener, credentials *pki.Credentials, log *slog.Logger) *host {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	admit := func(_ *tls.ClientHelloInfo, peer pki.Peer) error {
		if peer.Role != pki.Runtime && peer.Role != pki.Recovery {
			return fmt.Errorf("a %s has no seat here", peer.Role)
		}
		return nil
	}
	return &host{
		listener: listener, tls: serverTLS(credentials, []string{laneDirect, laneRelay}, admit), log: log,
		arrived: make(chan arrival), looking: make(chan struct{}, handshakesMax), carry: io.Copy,
	}
}

func (h *host) wait(ctx context.Context) (*Connection, error) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() { h.accept(ctx, &working) })
	seats, numbers := map[place]*tls.Conn{}, map[place]int{}
	var err error
	for len(seats) < 4 && err == nil {
		select {
		case got := <-h.arrived:
			if before := seats[got.place]; before != nil {
				h.log.WarnContext(ctx, "a seat came again: its earlier connection is dropped", "role", got.role.String())
				if got.number < numbers[got.place] { // it was slow, and the other one is the later
					before, got.conn, got.number = got.conn, before, numbers[got.place]
				}
				_ = before.Close() // the one who came again does not miss it
			}
			seats[got.place], numbers[got.place] = got.conn, got.number
			// Only now: whoever reads it and dials its second lane has its first one here.
			if failed := admitted(got.conn); failed != nil {
				_ = got.conn.Close() // it is gone, and dials again if it is not
				delete(seats, got.place)
			}
		case <-ctx.Done():
			err = waited(ctx, nil)
		}
	}
	cancel()
	if closed := h.listener.Close(); !errors.Is(closed, net.ErrClosed) { // the end of ctx may have closed it first
		err = errors.Join(err, closed)
	}
	working.Wait()
	if err == nil {
		var connection *Connection
		if connection, err = h.seat(seats); err == nil {
			return connection, nil
		}
	}
	for _, conn := range seats {
		_ = conn.Close() // the first error is the one to report
	}
	return nil, err
}

func (h *host) accept(ctx context.Context, working *sync.WaitGroup) {
	stop := context.AfterFunc(ctx, func() { _ = h.listener.Close() }) // ends Accept; closed once more by wait
	defer stop()
	for number := 0; ; number++ {
		conn, err := h.listener.Accept()
		if err != nil {
			return
		}
		select {
		case h.looking <- struct{}{}:
			working.Go(func() {
				defer func() { <-h.looking }()
				h.look(ctx, conn, number)
			})
		default:
			_ = conn.Close() // too many strangers at once: a seat dials again
		}
	}
}

// look finds out who a connection belongs to.
func (h *host) look(ctx context.Context, plain net.Conn, number int) {
	conn := tls.Server(plain, h.tls)
	lane, err := handshake(ctx, conn, handshakeTimeMax, laneDirect, laneRelay)
	if err == nil {
		var peer pki.Peer
		if peer, err = pki.PeerOf(conn.ConnectionState().PeerCertificates[0]); err == nil {
			select {
			case h.arrived <- arrival{place{roleOf[peer.Role], lane}, conn, number}:
				return
			case <-ctx.Done():
			}
		}
	}
	if err != nil && ctx.Err() == nil {
		h.log.WarnContext(ctx, "somebody without a seat was turned away", "address", plain.RemoteAddr().String(), "error", err.Error())
	}
	_ = plain.Close()
}

// seat makes the two links and joins the two relayed connections.
func (h *host) seat(seats map[place]*tls.Conn) (*Connection, error) {
	links := map[signer.Role]Link{}
	for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleRecovery} {
		link, err := linkOver(seats[place{role, laneDirect}])
		if err != nil {
			return nil, err
		}
		links[role] = link
	}
	left, right := seats[place{signer.RoleRuntime, laneRelay}], seats[place{signer.RoleRecovery, laneRelay}]
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		h.relay(left, right)
	}()
	return &Connection{links: links, close: func() error {
		err := errors.Join(links[signer.RoleRuntime].Close(), links[signer.RoleRecovery].Close())
		select {
		case <-relayed:
		case <-time.After(relayDrainTimeMax):
			_, _ = left.Close(), right.Close() // whoever still waits learns it now
			<-relayed
		}
		return err
	}}, nil
}

// relay carries bytes both ways until both sides have ended.
func (h *host) relay(left, right *tls.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]*tls.Conn{{left, right}, {right, left}} {
		both.Go(func() {
			_, err := h.carry(way[0], way[1])
			if err == nil {
				err = way[0].CloseWrite() // the other direction may still have something to say
			}
			if err != nil {
				_, _ = left.Close(), right.Close()
			}
		})
	}
	both.Wait()
	_, _ = left.Close(), right.Close()
}
