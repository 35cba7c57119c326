// Package linktest is the network between two processes that a test or a benchmark makes worse: a TCP proxy that
// delays, stalls, breaks and refuses. It refuses to be anything for products; nothing there imports it.
package linktest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// chunkBytes is how much is carried at once, chunksMax how many chunks are on their way in one direction of one
	// connection: what a network of that delay would hold.
	chunkBytes, chunksMax = 16 << 10, 1024
	dialTimeMax           = 5 * time.Second
)

// Proxy carries connections to a target. Close it when done.
type Proxy struct {
	target   string
	listener net.Listener
	delay    atomic.Int64
	working  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	refuse bool
	thawed chan struct{} // closed while bytes may pass
	open   map[net.Conn]struct{}
	passed atomic.Int64
}

// Open starts a proxy on a loopback port. Each byte arrives oneWay later, in either direction; 20 ms make a round trip
// of 40 ms.
func Open(target string, oneWay time.Duration) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: listener, open: make(map[net.Conn]struct{}), thawed: make(chan struct{})}
	close(p.thawed)
	p.SetDelay(oneWay)
	p.working.Go(p.accept)
	return p, nil
}

// Address is where to dial instead of the target.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// SetDelay changes the one-way delay of what arrives from now on.
func (p *Proxy) SetDelay(oneWay time.Duration) { p.delay.Store(int64(oneWay)) }

// SetTarget changes where new connections lead.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Passed is how many bytes have left the proxy, in both directions.
func (p *Proxy) Passed() int64 { return p.passed.Load() }

// Freeze stops all bytes while every connection stays open, new ones included: to each side the other is half-open.
// What is written meanwhile is kept, within bounds, and passes after Thaw.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
		p.thawed = make(chan struct{})
	default:
	}
}

// Thaw ends Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
	default:
		close(p.thawed)
	}
}

// Cut breaks every connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.open {
		_ = connection.Close() // it is gone either way
	}
}

// Partition breaks every connection and lets no new one through until Heal.
func (p *Proxy) Partition() {
	p.setRefuse(true)
	p.Cut()
}

// Heal ends Partition.
func (p *Proxy) Heal() { p.setRefuse(false) }

func (p *Proxy) setRefuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Close breaks everything and waits.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.Thaw()
	p.working.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target, refuse := p.target, p.refuse
		p.mu.Unlock()
		if refuse {
			_ = near.Close() // as if nobody listened
			continue
		}
		p.working.Go(func() { p.connect(near, target) })
	}
}

func (p *Proxy) connect(near net.Conn, target string) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeMax)
	defer cancel()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		_ = near.Close() // the target is not there
		return
	}
	if !p.track(near, far) {
		_, _ = near.Close(), far.Close() // closed meanwhile
		return
	}
	var carrying sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		carrying.Go(func() {
			p.carry(way[0], way[1])
			_, _ = near.Close(), far.Close() // one direction without the other is of no use
		})
	}
	carrying.Wait()
	p.mu.Lock()
	delete(p.open, near)
	delete(p.open, far)
	p.mu.Unlock()
}

func (p *Proxy) track(connections ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refuse {
		return false
	}
	for _, connection := range connections {
		p.open[connection] = struct{}{}
	}
	return true
}

type chunk struct {
	data []byte
	due  time.Time
}

// carry moves one direction. Reading and writing are apart, so that a delay does not limit the rate.
func (p *Proxy) carry(from, to net.Conn) {
	way := make(chan chunk, chunksMax)
	var writing sync.WaitGroup
	writing.Go(func() {
		for next := range way {
			time.Sleep(time.Until(next.due))
			p.wait()
			if _, err := to.Write(next.data); err != nil {
				_ = from.Close() // the reader ends and closes the channel
				continue
			}
			p.passed.Add(int64(len(next.data)))
		}
	})
	for {
		data := make([]byte, chunkBytes)
		count, err := from.Read(data)
		if count > 0 {
			way <- chunk{data[:count], time.Now().Add(time.Duration(p.delay.Load()))}
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				_ = from.Close()
			}
			break
		}
	}
	close(way)
	writing.Wait()
}

func (p *Proxy) wait() {
	p.mu.Lock()
	thawed := p.thawed
	p.mu.Unlock()
	<-thawed
}
