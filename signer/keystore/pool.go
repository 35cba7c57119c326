package keystore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	// poolItemsMax bounds one pool. A set of pre-parameters costs 40 CPU-seconds: nobody fills this by making them.
	poolItemsMax = 10_000
	// itemNameBytes makes names that never repeat.
	itemNameBytes = 16
)

// PoolConfig names a pool of pre-parameters.
type PoolConfig struct {
	// Name is 1 to 64 of [a-z0-9_-].
	Name string
	// Scheme is what the items are for.
	Scheme string
	// LowWater is the depth below which Alarm is called: when the pool is opened and after each Take.
	LowWater int
	// Alarm must not block: Take waits for it. It may be called by several goroutines at once. Nil is silent.
	Alarm func(pool string, depth int)
}

// errTakenElsewhere is our own, because a key wrapper's error may have fs.ErrNotExist in its chain too: a command that is
// missing must not look like an item that is.
var errTakenElsewhere = errors.New("the item is gone: another process took it")

// Pool hands out sealed items of one kind, each one once, whatever crashes. It is safe for concurrent use.
type Pool struct {
	keystore *Keystore
	config   PoolConfig
	// Guarded by the keystore's lock:
	items []string
	taken map[string]bool // items that a Take is unsealing, and those that left
}

// OpenPool opens a pool, making its folder if need be. Each may be open once.
func (k *Keystore) OpenPool(config PoolConfig) (*Pool, error) {
	if !isName(config.Name) || !isScheme(config.Scheme) || config.LowWater < 0 || config.LowWater > poolItemsMax {
		return nil, inputError("pool", "a pool has a name, a scheme and a low-water mark of 0 to %d", poolItemsMax)
	}
	p := &Pool{keystore: k, config: config, taken: map[string]bool{}}
	if err := p.scan(); err != nil {
		return nil, err
	}
	p.alarm(p.Depth())
	return p, nil
}

func (p *Pool) scan() error {
	k := p.keystore
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return err
	}
	if k.pools[p.config.Name] {
		return inputError("pool", "the pool %s is open already", p.config.Name)
	}
	err := k.disk.MakeFolder(p.folder())
	if err == nil {
		err = k.disk.SyncFolder(poolsFolder)
	}
	if err == nil {
		err = k.sweep(p.folder())
	}
	if err != nil {
		return fmt.Errorf("open pool %s: %w", p.config.Name, err)
	}
	names, err := k.disk.List(p.folder())
	if err != nil {
		return fmt.Errorf("open pool %s: %w", p.config.Name, err)
	}
	for _, name := range names {
		if item, suffixed := strings.CutSuffix(name, itemSuffix); suffixed && isName(item) {
			p.items = append(p.items, item)
		} else if !strings.HasPrefix(name, ".") {
			return alteredError(p.folder()+"/"+name, "no item is named like this")
		}
	}
	slices.Sort(p.items)
	k.pools[p.config.Name] = true
	return nil
}

// Add seals an item and makes it durable. The caller wipes its own copy.
func (p *Pool) Add(ctx context.Context, item Secret) error {
	name := make([]byte, itemNameBytes)
	if _, err := io.ReadFull(p.keystore.sealer.random, name); err != nil {
		return fmt.Errorf("name an item: %w", err)
	}
	id := hex.EncodeToString(name)
	data, err := p.keystore.sealer.seal(ctx, p.label(id), nil, item.Bytes())
	if err != nil {
		return fmt.Errorf("add to pool %s: %w", p.config.Name, err)
	}
	p.keystore.mu.Lock()
	defer p.keystore.mu.Unlock()
	if err := p.keystore.usable(); err != nil {
		return err
	}
	if len(p.items) >= poolItemsMax {
		return inputError("pool", "the pool %s is full", p.config.Name)
	}
	if err := p.keystore.publish(p.folder(), p.path(id), data); err != nil {
		return fmt.Errorf("add to pool %s: %w", p.config.Name, err)
	}
	p.items = append(p.items, id)
	return nil
}

// Take unseals an item and removes it durably before it returns: no crash hands it out twice. A crash at the wrong
// moment loses one, which costs time and no safety. An item that does not unseal stays where it is.
func (p *Pool) Take(ctx context.Context) (Secret, error) {
	for range poolItemsMax {
		id, err := p.reserve()
		if err != nil {
			return Secret{}, err
		}
		secret, err := p.unseal(ctx, id)
		if err == nil {
			err = p.remove(id)
		}
		if errors.Is(err, errTakenElsewhere) {
			secret.Wipe()
			p.forget(id)
			continue
		}
		if err != nil {
			secret.Wipe()
			p.release(id)
			return Secret{}, fmt.Errorf("take from pool %s: %w", p.config.Name, err)
		}
		p.alarm(p.Depth())
		return secret, nil
	}
	return Secret{}, poolEmpty(p.config.Name)
}

// Depth is how many items could be taken now.
func (p *Pool) Depth() int {
	p.keystore.mu.Lock()
	defer p.keystore.mu.Unlock()
	return len(p.items) - len(p.taken)
}

// reserve picks an item that no other Take is working on: the key service is asked without the lock.
func (p *Pool) reserve() (string, error) {
	p.keystore.mu.Lock()
	defer p.keystore.mu.Unlock()
	if err := p.keystore.usable(); err != nil {
		return "", err
	}
	for _, id := range p.items {
		if !p.taken[id] {
			p.taken[id] = true
			return id, nil
		}
	}
	return "", poolEmpty(p.config.Name)
}

func (p *Pool) release(id string) {
	p.keystore.mu.Lock()
	defer p.keystore.mu.Unlock()
	delete(p.taken, id)
}

func (p *Pool) forget(id string) {
	p.keystore.mu.Lock()
	defer p.keystore.mu.Unlock()
	p.drop(id)
}

func (p *Pool) drop(id string) {
	delete(p.taken, id)
	p.items = slices.DeleteFunc(p.items, func(item string) bool { return item == id })
}

func (p *Pool) unseal(ctx context.Context, id string) (Secret, error) {
	data, err := p.keystore.disk.Read(p.path(id), sealedBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, errTakenElsewhere
	}
	if err != nil {
		return Secret{}, err
	}
	return p.keystore.sealer.open(ctx, data, p.label(id), p.path(id))
}

func (p *Pool) remove(id string) error {
	k := p.keystore
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return err
	}
	gone, err := k.withdraw(p.folder(), p.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return errTakenElsewhere
	}
	if err != nil {
		return err
	}
	p.drop(id)
	return k.shred(p.folder(), gone)
}

func (p *Pool) alarm(depth int) {
	if p.config.Alarm != nil && depth < p.config.LowWater {
		p.config.Alarm(p.config.Name, depth)
	}
}

func (p *Pool) folder() string        { return poolsFolder + "/" + p.config.Name }
func (p *Pool) path(id string) string { return p.folder() + "/" + id + itemSuffix }

func (p *Pool) label(id string) label {
	return label{kind: kindPreParams, role: p.keystore.role, scheme: p.config.Scheme, name: p.config.Name + "/" + id}
}

func poolEmpty(name string) error {
	return &abi.Error{Code: CodePoolEmpty, Message: "the pool is empty", Where: name, Fix: "run a ceremony, or wait for one", Retry: abi.RetryLater}
}
