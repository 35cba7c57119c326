//go:build unix

package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

func ownedByUs(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("owner unknown")
	}
	if int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("owned by user %d, not by %d", stat.Uid, os.Geteuid())
	}
	return nil
}
