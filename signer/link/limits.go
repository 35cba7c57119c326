package link

import (
	"time"

	"github.com/purserhq/purser/signer"
)

const (
	// callBytesMax bounds the body of a call and of its answer. An honest one has a few kB; approvals make it longer.
	callBytesMax = 1 << 20
	// openingBytesMax bounds what opens a session, either way.
	openingBytesMax = 4 << 10
	// problemBytesMax bounds an error's body, problemTextMax each text in it.
	problemBytesMax, problemTextMax = 8 << 10, 1024
	// mountedBytesMax bounds a request's body to what is mounted for operators and recovery.
	mountedBytesMax = 4 << 20
	// headerBytesMax bounds a request's or an answer's header fields.
	headerBytesMax = 8 << 10
	// sessionBytesMax bounds all frames of one session in one direction. An honest one has 11 kB.
	sessionBytesMax = 512 << 10
	// frameGrowBytes is what a frame may cost before its bytes have arrived, whatever length it claims.
	frameGrowBytes = 16 << 10

	// callsMax and sessionsMax bound what is under way at once, at each end; together with what is mounted they fit
	// into streamsMax, the streams of one connection, so that one connection is always enough.
	callsMax, sessionsMax, streamsMax = 256, 576, 1024

	// readFrameBytesMax is the size of HTTP/2's own frames: each session holds one as a buffer.
	readFrameBytesMax = 32 << 10
	// streamWindowBytes is what a peer may send on a stream that nobody reads, connectionWindowBytes on all streams of
	// a connection together.
	streamWindowBytes     = signer.FrameBytesMax + 4<<10
	connectionWindowBytes = 4<<20 - 1
	// headerTableBytes bounds header compression's memory.
	headerTableBytes = 4 << 10

	// connectionsMax bounds what the client dials at once: many calls at the start must not each dial for themselves.
	connectionsMax = 2
	// connectionsPeerMax bounds connections of one identity. One is used; a partition that comes and goes leaves more
	// until pings have missed their answers.
	connectionsPeerMax = 32
	// handshakesMax bounds connections that nobody has authenticated yet, handshakesHostMax those from one address, so
	// that one stranger cannot keep the runtime out.
	handshakesMax, handshakesHostMax = 128, 32

	// callsPerSecondMax and joinsPerSecondMax bound one identity, with one second's worth saved up. An honest runtime
	// on two cores signs some tens of payments each second.
	callsPerSecondMax, joinsPerSecondMax = 2000, 1000
	// identitiesMax bounds how many identities' rates are remembered.
	identitiesMax = 1024

	// complaintsPerMinuteMax bounds log lines that strangers can cause.
	complaintsPerMinuteMax = 20
)

// timing is every wait of the package: one value in products, shorter ones in tests.
type timing struct {
	// connect bounds a TCP connection, handshake the TLS one.
	connect, handshake time.Duration
	// pingAfter is how long a connection may be silent before it is pinged, pingAnswer how long the answer may take
	// before the connection is dead. Together they are how long a half-open peer is believed.
	pingAfter, pingAnswer time.Duration
	// stuckWrite is how long a connection may take no byte.
	stuckWrite time.Duration
	// call bounds one call at both ends, opening the answer to Join.
	call, opening time.Duration
	// frame bounds the rest of a frame once it has begun.
	frame time.Duration
	// session bounds a session over all: the co-signer keeps a prepared one for 11 minutes.
	session time.Duration
	// linger is how long a session that ended here may take to hand over what it still has to say.
	linger time.Duration
	// bridge is how long a call that found nobody is tried again: a supervised restart takes less than that.
	bridge time.Duration
	// fresh is how long the client uses a connection before the next one is checked in full again; idle how long
	// either end keeps one without any stream.
	fresh, idle time.Duration
	// quiet is how long a session must have been silent to be ended first by Shutdown.
	quiet time.Duration
}

var productTiming = timing{
	connect: 3 * time.Second, handshake: 5 * time.Second,
	pingAfter: 5 * time.Second, pingAnswer: 5 * time.Second, stuckWrite: 10 * time.Second,
	call: 15 * time.Second, opening: 10 * time.Second,
	frame: 10 * time.Second, session: 12 * time.Minute, linger: 5 * time.Second,
	bridge: 2 * time.Second, fresh: time.Hour, idle: 15 * time.Minute, quiet: time.Second,
}
