package main

import (
	"os/exec"
	"syscall"
)

// tether has the kernel stop the child when its supervisor dies: a co-signer that nobody watches must not go on, and
// its ledger must be free for the next one.
func tether(child *exec.Cmd) { child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
