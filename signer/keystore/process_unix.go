//go:build unix

package keystore

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// killWithChildren makes the end of the context reach what the command started: a script's hanging network call must
// not outlive it with a key in its memory.
func killWithChildren(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error {
		err := syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// owned reports whether the file belongs to the user.
func owned(info os.FileInfo, uid int) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(status.Uid) == int64(uid)
}
