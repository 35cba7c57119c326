//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/purserhq/purser/abi"
)

// lockFolder takes a data folder for this process until the returned function is called. The kernel gives the lock back
// when the process dies, however it dies.
func lockFolder(data string) (release func() error, err error) {
	file, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a file descriptor fits
		taken := &abi.Error{
			Code: "data_in_use", Where: data, Message: "another purser works on this data folder", Cause: err,
			Fix: "stop it, or give each its own folder; several processes share PostgreSQL",
		}
		return nil, fmt.Errorf("lock the data folder: %w", errors.Join(taken, file.Close()))
	}
	return file.Close, nil
}
