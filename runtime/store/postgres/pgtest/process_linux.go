package pgtest

import "syscall"

// attributes drops root, and ends the server with the test process, whatever ends that.
func attributes(owner *account) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if owner != nil {
		attributes.Credential = &syscall.Credential{Uid: uint32(owner.uid), Gid: uint32(owner.gid)} //nolint:gosec // ids of a user
	}
	return attributes
}
