package keystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// PutIdentity seals a host key under a name, 1 to 64 of [a-z0-9_-], durably. It never replaces one: an identity that
// the other side pinned does not change by accident. It returns [CodeInputInvalid] when the name is taken.
func (k *Keystore) PutIdentity(ctx context.Context, name string, key Secret) error {
	place := label{kind: kindIdentity, role: k.role, name: name}
	if !place.valid() {
		return inputError("identity", "an identity is named by 1 to %d of [a-z0-9_-]", nameBytesMax)
	}
	data, err := k.sealer.seal(ctx, place, nil, key.Bytes())
	if err != nil {
		return fmt.Errorf("put identity %s: %w", name, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return err
	}
	err = k.publish(identitiesFolder, identityPath(name), data)
	if errors.Is(err, fs.ErrExist) {
		return inputError("identity", "an identity named %s is stored already", name)
	}
	return err
}

// Identity unseals a host key. The caller wipes it.
func (k *Keystore) Identity(ctx context.Context, name string) (Secret, error) {
	place := label{kind: kindIdentity, role: k.role, name: name}
	if !place.valid() {
		return Secret{}, inputError("identity", "no identity is named like this")
	}
	k.mu.Lock()
	err := k.usable()
	k.mu.Unlock()
	if err != nil {
		return Secret{}, err
	}
	data, err := k.disk.Read(identityPath(name), sealedBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, notFound(name, "the keystore has no such identity")
	}
	if err != nil {
		return Secret{}, fmt.Errorf("read identity %s: %w", name, err)
	}
	return k.sealer.open(ctx, data, place, identityPath(name))
}

func identityPath(name string) string { return identitiesFolder + "/" + name + identitySuffix }
