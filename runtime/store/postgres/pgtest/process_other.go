//go:build !linux

package pgtest

import "syscall"

// attributes keeps the user of the tests: elsewhere they do not run as root.
func attributes(*account) *syscall.SysProcAttr { return nil }
