package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	goruntime "runtime"
	"syscall"
	"time"
)

const (
	// supervisedEnv marks the child: it runs the service instead of watching one.
	supervisedEnv = "PURSER_SUPERVISED"
	// restartPauseMin is the pause before the first restart, doubled up to restartPauseMax while the child keeps dying
	// within restartCalm of its start.
	restartPauseMin = 50 * time.Millisecond
	restartPauseMax = 5 * time.Second
	restartCalm     = 30 * time.Second
	// childDrainTimeMax is how long a child may take to end by itself.
	childDrainTimeMax = drainTimeMax + 5*time.Second
)

// supervise runs this same command again as a child and starts it anew whenever it dies. A panic in a goroutine of the
// protocol library cannot be caught: without a supervisor one malformed message would end signing until somebody looks.
// It returns when ctx ends, after the child has. A child that ends before it was ready the first time has refused its
// configuration, and is not started again.
func supervise(ctx context.Context, out *console) error {
	// The kernel ends the child with the thread that started it (see tether), so that thread must stay.
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	pause, served := restartPauseMin, false
	for {
		began := time.Now()
		ready, err := runSupervised(ctx, self, hangup)
		served = served || ready
		if ctx.Err() != nil {
			if errors.Is(err, context.Canceled) { // it ended in order, because it was told to
				return nil
			}
			return err
		}
		var died *exec.ExitError
		if err == nil || !errors.As(err, &died) || !served {
			return childError(died, err)
		}
		if time.Since(began) > restartCalm {
			pause = restartPauseMin
		}
		out.note("the service ended unexpectedly (%s); starting it again in %s", died, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, restartPauseMax)
	}
}

// childError passes the child's exit code on: it has printed why.
func childError(died *exec.ExitError, err error) error {
	if died != nil && died.ExitCode() > 0 {
		return exitError{died.ExitCode()}
	}
	return err
}

// runSupervised runs the child to its end, and reports whether it ever said that it serves. When ctx ends the child is
// asked to stop, and killed if it does not.
func runSupervised(ctx context.Context, self string, hangup <-chan os.Signal) (ready bool, err error) {
	child := exec.CommandContext(ctx, self, os.Args[1:]...) // #nosec G204 G702 -- this program with its own arguments
	said, say, err := os.Pipe()
	if err != nil {
		return false, fmt.Errorf("start the service: %w", err)
	}
	child.Env = append(os.Environ(), supervisedEnv+"=1")
	child.Stdout, child.Stderr, child.ExtraFiles = os.Stdout, os.Stderr, []*os.File{say}
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = childDrainTimeMax
	tether(child)
	err = child.Start()
	_ = say.Close() // the child has its own
	if err != nil {
		return false, errors.Join(fmt.Errorf("start the service: %w", err), said.Close())
	}
	ended := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-hangup: // reload is the child's
				_ = child.Process.Signal(syscall.SIGHUP) // it may have just ended: the next one reads the files anyway
			}
		}
	}()
	n, _ := said.Read(make([]byte, 1)) // ends with the child at the latest
	err = child.Wait()
	close(ended)
	<-done
	return n > 0, errors.Join(err, said.Close())
}

// supervised reports whether this process is the child.
func supervised() bool { return os.Getenv(supervisedEnv) != "" }

// readyFile is the child's end of the pipe: the first file after standard input, output and error.
const readyFile = 3

// tellSupervisor says that the service serves.
func tellSupervisor() error {
	if !supervised() {
		return nil
	}
	pipe := os.NewFile(readyFile, "supervisor")
	_, err := pipe.Write([]byte{1})
	return errors.Join(err, pipe.Close())
}
