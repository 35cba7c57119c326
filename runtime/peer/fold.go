package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// refresh reads the row when another process changed it, and the log up to its end.
func (m *Memory) refresh(ctx context.Context) error {
	row, err := m.config.Store.Row(ctx, m.config.Tenant, rowID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // first contact is to come: there is no promise in the log
	case err != nil:
		return fmt.Errorf("read peer memory: %w", err)
	case row.Version != m.version:
		if err := m.adopt(row); err != nil {
			return err
		}
	}
	for {
		records, err := m.config.Store.Log(ctx, store.LogQuery{Tenant: m.config.Tenant, After: m.now.Position, Max: store.LogMax})
		if err != nil {
			return fmt.Errorf("read own log: %w", err)
		}
		for _, record := range records {
			if err := m.fold(record); err != nil {
				return err
			}
		}
		if len(records) < store.LogMax {
			break
		}
	}
	if m.now.Position-m.written >= checkpointEvery {
		err := m.write(ctx, m.now, "peer.checked", map[string]any{"floor": m.now.Floor, "position": m.now.Position})
		if err != nil { // another process may have been faster; the fold in memory is whole without it
			m.config.Log.WarnContext(ctx, "peer memory is not written down", "error", err.Error())
		}
	}
	return nil
}

// fold takes one entry of this side's log into what is known.
func (m *Memory) fold(record store.Record) error {
	var entry abi.Entry
	if err := entry.Unmarshal(record.Entry); err != nil {
		return fmt.Errorf("read own log at %d: %w", record.Position, err)
	}
	seen, tells, err := m.config.Read(entry.Kind, entry.Body)
	if err != nil {
		return fmt.Errorf("read own log at %d: %w", record.Position, err)
	}
	m.now.Position = record.Position
	if !tells {
		return nil
	}
	if seen.Store == m.now.Store {
		m.now.Floor.Head = max(m.now.Floor.Head, seen.Head)
	}
	if seen.Bound > m.now.Since {
		m.now.Floor.Bound = max(m.now.Floor.Bound, seen.Bound)
	}
	return nil
}

func (m *Memory) adopt(row store.Row) error {
	var now memory
	if err := json.Unmarshal(row.Body, &now); err != nil {
		return fmt.Errorf("read peer memory: %w", err)
	}
	m.version, m.now, m.written = row.Version, now, now.Position
	return nil
}

// pin makes the row at first contact. Of two processes the first decides, and both read what it wrote.
func (m *Memory) pin(ctx context.Context, peerStore string) error {
	if m.config.Pinned != "" {
		peerStore = m.config.Pinned
	}
	if peerStore == "" {
		return nil // Check finds it unknown
	}
	body, err := memory{Store: peerStore}.encode()
	if err != nil {
		return err
	}
	entry, err := entryOf("peer.pinned", map[string]any{"store": peerStore})
	if err != nil {
		return err
	}
	first := store.Row{Tenant: m.config.Tenant, Agent: rowAgent, ID: rowID, Key: rowID, State: RowState, Body: body}
	row, _, err := m.config.Store.Insert(ctx, first, entry)
	if err != nil {
		return fmt.Errorf("remember the %s's ledger: %w", m.config.Peer, err)
	}
	if err := m.adopt(row); err != nil {
		return err
	}
	m.config.Log.InfoContext(ctx, "peer ledger pinned", "peer", m.config.Peer, "store", m.now.Store)
	return m.refresh(ctx)
}

// stop makes the end of signing durable before it is told. When it cannot be written, this call still refuses.
func (m *Memory) stop(ctx context.Context, why Stop) error {
	m.config.Log.ErrorContext(ctx, "SIGNING STOPPED: a ledger is not what it was", "peer", m.config.Peer, "code", why.Code, "payment", why.Payment,
		"named_store", why.Store, "known_store", m.now.Store, "position", why.Head.Position, "witnessed", why.Head.Witnessed, "known_head", why.Known.Head, "known_bound", why.Known.Bound)
	for range writeAttemptsMax {
		next := m.now
		next.Stop = &why
		err := m.write(ctx, next, "peer.stopped", why)
		if err == nil {
			return m.now.stopped(m.config.Peer)
		}
		if !errors.Is(err, store.ErrConflict) {
			return errors.Join(next.stopped(m.config.Peer), err)
		}
		if err := m.refresh(ctx); err != nil {
			return errors.Join(next.stopped(m.config.Peer), err)
		}
		if m.now.Stop != nil { // another process was faster
			return m.now.stopped(m.config.Peer)
		}
	}
	return store.ErrConflict
}

func (m *Memory) write(ctx context.Context, next memory, kind string, detail any) error {
	body, err := next.encode()
	if err != nil {
		return err
	}
	entry, err := entryOf(kind, detail)
	if err != nil {
		return err
	}
	state := RowState
	if next.Stop != nil {
		state = RowStopped
	}
	row, err := m.config.Store.Commit(ctx, store.Change{Tenant: m.config.Tenant, ID: rowID, Version: m.version, State: state, Body: body, Entry: entry})
	if err != nil {
		return err
	}
	return m.adopt(row)
}

// entryOf writes an entry about no payment.
func entryOf(kind string, detail any) (store.Entry, error) {
	body, err := json.Marshal(detail)
	if err != nil {
		return store.Entry{}, fmt.Errorf("write log entry %s: %w", kind, err)
	}
	return store.Entry{Kind: kind, Body: body}, nil
}
