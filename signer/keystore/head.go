package keystore

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

const (
	headPath     = "keystore.head"
	headMagic    = "purser keystore\n"
	headVersion  = 1
	headBytesMax = len(headMagic) + 2 + 1 + storeBytesMax + 1 + nameBytesMax + 2 + WrappedBytesMax + macBytes

	// macKeyUse separates the key derived here from any other use the root key may get.
	macKeyUse = "purser keystore file authentication v1"
)

// head is the first file that is read, before anything is authentic:
//
//	magic(16) version(1)=1 role(1) store id(1+n) wrapper name(1+n) wrapped root key(2+n) mac(32)
type head struct {
	role    signer.Role
	store   string
	wrapper string
	wrapped []byte
}

func (h head) encode() []byte {
	data := append([]byte(headMagic), headVersion, byte(h.role))
	return appendSized16(appendText(appendText(data, h.store), h.wrapper), h.wrapped)
}

// decodeHead reads what encode wrote, without the mac.
func decodeHead(data []byte) (head, bool) {
	r := reader{rest: data}
	r.expect(headMagic + string(rune(headVersion)))
	h := head{role: signer.Role(r.u8()), store: r.text(storeBytesMax), wrapper: r.text(nameBytesMax), wrapped: r.sized(2, WrappedBytesMax)}
	stored := isMark(h.store) || h.store == "" && h.role == signer.RoleRecovery
	return h, r.done() && h.role.Valid() && stored && isName(h.wrapper) && len(h.wrapped) > 0
}

// associated binds the root key to everything else the head says.
func (h head) associated() []byte {
	return associatedData(h.store, label{kind: kindRoot, role: h.role}, []byte(h.wrapper))
}

// unlock reads the head, or makes it in an empty keystore, and derives the key that authenticates files.
func (k *Keystore) unlock(ctx context.Context) error {
	data, err := k.disk.Read(headPath, headBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = k.makeHead(ctx); errors.Is(err, fs.ErrExist) {
			data, err = k.disk.Read(headPath, headBytesMax) // another process made one at the same time
		}
	}
	if err != nil {
		return fmt.Errorf("open keystore: %w", err)
	}
	body := data[:max(len(data)-macBytes, 0)]
	h, ok := decodeHead(body)
	if !ok {
		return alteredError(headPath, "this is no keystore of this version")
	}
	if err := k.belongs(h); err != nil {
		return err
	}
	root, err := unwrapKey(ctx, k.sealer.wrapper, h.wrapped, h.associated())
	if err != nil {
		return fmt.Errorf("unlock keystore: %w", err)
	}
	defer wipe(root)
	if k.sealer.macKey, err = macKeyOf(root); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(k.sealer.mac(body), data[len(body):]) != 1 {
		return alteredError(headPath, "the head of the keystore was altered")
	}
	return nil
}

func (k *Keystore) belongs(h head) error {
	switch {
	case h.store != k.sealer.store:
		return &abi.Error{
			Code: CodeOtherStore, Message: fmt.Sprintf("the keystore is sealed to the ledger %q, not to %q", h.store, k.sealer.store),
			Where: headPath, Fix: "start it beside its own ledger: a second ledger would spend every budget twice", Retry: abi.RetryNever,
		}
	case h.role != k.role:
		return &abi.Error{
			Code: CodeOtherRole, Message: fmt.Sprintf("the keystore holds the %s's shares, not the %s's", h.role, k.role),
			Where: headPath, Fix: "no host runs two roles", Retry: abi.RetryNever,
		}
	case h.wrapper != k.sealer.wrapper.Name():
		return &abi.Error{
			Code: CodeOtherWrapper, Message: fmt.Sprintf("the keystore's keys are wrapped by %q, not by %q", h.wrapper, k.sealer.wrapper.Name()),
			Where: headPath, Fix: "configure the key wrapper the keystore was made with", Retry: abi.RetryNever,
		}
	}
	return nil
}

// makeHead refuses a folder that holds secrets already: a new root key beside old shares would hide that they are lost.
func (k *Keystore) makeHead(ctx context.Context) ([]byte, error) {
	for _, folder := range []string{sharesFolder, statesFolder, poolsFolder, identitiesFolder} {
		names, err := k.disk.List(folder)
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			return nil, alteredError(headPath, "the head of the keystore is missing, its secrets are not")
		}
	}
	root := make([]byte, keyBytes)
	defer wipe(root)
	if _, err := io.ReadFull(k.sealer.random, root); err != nil {
		return nil, fmt.Errorf("make root key: %w", err)
	}
	h := head{role: k.role, store: k.sealer.store, wrapper: k.sealer.wrapper.Name()}
	var err error
	if h.wrapped, err = wrapKey(ctx, k.sealer.wrapper, root, h.associated()); err != nil {
		return nil, err
	}
	macKey, err := macKeyOf(root)
	if err != nil {
		return nil, err
	}
	defer wipe(macKey)
	data := h.encode()
	data = append(data, storeMAC(macKey, h.store, data)...)
	return data, k.publish(".", headPath, data)
}

func macKeyOf(root []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, root, nil, macKeyUse, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key that authenticates files: %w", err)
	}
	return key, nil
}
