package signer

import (
	"context"
	"slices"
	"time"
)

// take returns the agent's freshest session that is still alive, or nil.
func (p *pool) take(agent string) *readySession {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	of := p.agents[agent]
	if of == nil || len(of.ready) == 0 {
		return nil
	}
	last := len(of.ready) - 1
	taken := of.ready[last]
	of.ready[last] = nil
	of.ready = of.ready[:last]
	return taken // the agent's part stays for the session that replaces it, or until the next sweep
}

// adopt hands the agent's oldest session that is being prepared to a payment, and makes it hurry.
func (p *pool) adopt(agent string) *preparing {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.agents[agent]
	if of == nil {
		return nil
	}
	for _, under := range of.preparing {
		if !under.adopted && under.generation == p.generation {
			under.adopted = true
			if !under.hurried {
				under.hurried = true
				close(under.hurry)
			}
			return under
		}
	}
	return nil
}

// await waits for an adopted session. A payment that cannot wait any longer leaves it to the next one.
func (p *pool) await(ctx context.Context, under *preparing) (*readySession, error) {
	select {
	case <-under.done:
		return under.ready, under.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-under.done:
		if under.ready != nil {
			under.ready.drop()
			p.status.Dropped++
		}
	default:
		under.adopted = false
	}
	return nil, ctx.Err()
}

// sweep drops sessions that are too old or whose transport ended.
func (p *pool) sweep() {
	now := p.now()
	for agent, of := range p.agents {
		of.ready = slices.DeleteFunc(of.ready, func(ready *readySession) bool {
			select {
			case <-ready.transport.Done():
			default:
				if now.Before(ready.until) {
					return false
				}
			}
			ready.drop()
			p.status.Dropped++
			return true
		})
		p.forget(agent)
	}
}

// sweepLater sweeps for as long as there is something that can grow old.
func (p *pool) sweepLater() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeper = nil
	p.sweep()
	for _, of := range p.agents {
		if len(of.ready) > 0 && !p.closed {
			p.sweeper = time.AfterFunc(time.Minute, p.sweepLater)
			return
		}
	}
}

// forget removes an agent that is idle, once it may be tried again.
func (p *pool) forget(agent string) {
	if of := p.agents[agent]; of != nil && len(of.ready)+len(of.preparing) == 0 && !p.now().Before(of.failed.until) {
		delete(p.agents, agent)
	}
}

func (p *pool) dropAll(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.generation++
	p.status.LastDrop = reason
	p.expected = nil
	for agent, of := range p.agents {
		for _, ready := range of.ready {
			ready.drop()
			p.status.Dropped++
		}
		of.ready = nil
		p.forget(agent)
	}
}

func (p *pool) count(add func(*PoolStatus)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add(&p.status)
}

func (p *pool) read() PoolStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	status := p.status
	status.Expected = len(p.expected)
	for _, of := range p.agents {
		status.Ready += len(of.ready)
	}
	return status
}

func (p *pool) close() {
	p.dropAll("closed")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
}
