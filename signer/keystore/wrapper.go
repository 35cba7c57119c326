package keystore

import (
	"context"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const (
	keyBytes = 32
	// WrappedBytesMax bounds what a wrapper may return for one key.
	WrappedBytesMax = 4096
)

// KeyWrapper encrypts the 32-byte keys under which secrets are sealed: a passphrase, a key service, a hardware module.
// Its methods are called by several goroutines at once.
type KeyWrapper interface {
	// Wrap encrypts the key so that only Unwrap with the same associated data returns it. The result has 1 to
	// [WrappedBytesMax] bytes. It keeps neither slice.
	Wrap(ctx context.Context, dek, aad []byte) ([]byte, error)
	// Unwrap returns a fresh slice, which the caller wipes. An *abi.Error with [CodeLocked] says that this
	// wrapper's key is not the one; any other error says that it gave no answer.
	Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error)
	// Name is stored in the keystore's head, so that the wrong kind of wrapper is named and not guessed: 1 to 64
	// of [a-z0-9_-].
	Name() string
}

// wrapKey bounds what a wrapper says.
func wrapKey(ctx context.Context, wrapper KeyWrapper, key, aad []byte) ([]byte, error) {
	wrapped, err := wrapper.Wrap(ctx, key, aad)
	if err != nil {
		return nil, wrapperError(wrapper, "wrap", err)
	}
	if len(wrapped) == 0 || len(wrapped) > WrappedBytesMax {
		return nil, wrapperError(wrapper, "wrap", fmt.Errorf("a wrapped key of %d bytes", len(wrapped)))
	}
	return wrapped, nil
}

func unwrapKey(ctx context.Context, wrapper KeyWrapper, wrapped, aad []byte) ([]byte, error) {
	key, err := wrapper.Unwrap(ctx, wrapped, aad)
	if err == nil && len(key) != keyBytes {
		wipe(key)
		err = fmt.Errorf("an unwrapped key of %d bytes, want %d", len(key), keyBytes)
	}
	if err != nil {
		return nil, wrapperError(wrapper, "unwrap", err)
	}
	return key, nil
}

func wrapperError(wrapper KeyWrapper, verb string, err error) error {
	var told *abi.Error
	if errors.As(err, &told) {
		return err
	}
	return &abi.Error{
		Code: CodeWrapperFailed, Message: fmt.Sprintf("the key wrapper %.64q did not %s", wrapper.Name(), verb),
		Fix: "look at the key service, then try again", Retry: abi.RetryLater, Cause: err,
	}
}
