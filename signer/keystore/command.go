package keystore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	commandName = "command"
	// commandContextVariable carries the SHA-256 of the associated data, in hex, for key services that bind one.
	commandContextVariable = "PURSER_KEYSTORE_CONTEXT"
	commandTimeDefault     = 10 * time.Second
	commandTimeMax         = 2 * time.Minute
	// commandPipeTime is how long a killed command's children may keep its pipes open.
	commandPipeTime = time.Second
	// commandComplaintBytesMax bounds what is passed on of the standard error of one run.
	commandComplaintBytesMax = 4096
)

var (
	errCommandOutput = errors.New("the command printed more than a key")
	errCommandResult = errors.New("the command did not return a key of this keystore")
)

// CommandConfig says what to run.
type CommandConfig struct {
	// Argv is the program, an absolute path, and its arguments. No shell reads it. "wrap" or "unwrap" is appended.
	Argv []string
	// Time bounds one run. Default 10 s, at most 2 min.
	Time time.Duration
	// Complaints receives at most 4 kB of what each run writes to its standard error, which the operator's program
	// must keep free of keys. Nil discards it: no error of this package repeats it.
	Complaints io.Writer
}

// CommandWrapper has keys wrapped by the operator's own program: the way to a cloud's key service or a hardware module.
// The program reads from standard input and writes to standard output, binary, nothing else: for "wrap" 64 bytes in and
// 1 to 4096 out, for "unwrap" the reverse. The 64 bytes are the SHA-256 of the associated data and the key, so that a
// service without a context of its own still binds one; with one, PURSER_KEYSTORE_CONTEXT holds that hash in hex.
// A result other than exit status 0 is "no answer", which says nothing about the key. It is run once for the
// head when a keystore opens, and once for each secret that is sealed or opened.
//
// An example for AWS KMS; decrypting pipes fail into an empty output, which is refused:
//
//	#!/bin/sh
//	# /etc/purser/kms; cosigner: CommandConfig{Argv: []string{"/etc/purser/kms", "alias/purser-cosigner"}}
//	set -eu
//	context="purser=$PURSER_KEYSTORE_CONTEXT"
//	case "$2" in
//	wrap)   aws kms encrypt --key-id "$1" --encryption-context "$context" \
//	            --plaintext fileb:///dev/stdin --query CiphertextBlob --output text | base64 -d ;;
//	unwrap) aws kms decrypt --key-id "$1" --encryption-context "$context" \
//	            --ciphertext-blob fileb:///dev/stdin --query Plaintext --output text | base64 -d ;;
//	*)      exit 2 ;;
//	esac
//
// and for Google Cloud KMS the two lines
//
//	gcloud kms encrypt --key "$1" --plaintext-file - --ciphertext-file -
//	gcloud kms decrypt --key "$1" --ciphertext-file - --plaintext-file -
type CommandWrapper struct{ config CommandConfig }

var _ KeyWrapper = (*CommandWrapper)(nil)

// NewCommandWrapper checks the configuration. It runs nothing.
func NewCommandWrapper(config CommandConfig) (*CommandWrapper, error) {
	if len(config.Argv) == 0 || !filepath.IsAbs(config.Argv[0]) {
		return nil, inputError("argv", "the key wrapper's program is named by its absolute path") // a search path is somebody else's choice
	}
	if config.Time == 0 {
		config.Time = commandTimeDefault
	}
	if config.Time < 0 || config.Time > commandTimeMax {
		return nil, inputError("time", "the key wrapper's program gets at most %s", commandTimeMax)
	}
	config.Argv = slices.Clone(config.Argv)
	return &CommandWrapper{config}, nil
}

// Name is "command".
func (w *CommandWrapper) Name() string { return commandName }

// Wrap runs the command.
func (w *CommandWrapper) Wrap(ctx context.Context, dek, aad []byte) ([]byte, error) {
	if len(dek) != keyBytes {
		return nil, inputError("key", "a key has %d bytes", keyBytes)
	}
	bound := sha256.Sum256(aad)
	input := slices.Concat(bound[:], dek)
	defer wipe(input)
	return w.run(ctx, "wrap", bound, input, WrappedBytesMax)
}

// Unwrap runs the command and checks that the key was wrapped for this associated data.
func (w *CommandWrapper) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	bound := sha256.Sum256(aad)
	output, err := w.run(ctx, "unwrap", bound, wrapped, sha256.Size+keyBytes)
	if err != nil {
		return nil, err
	}
	defer wipe(output)
	if len(output) != sha256.Size+keyBytes || subtle.ConstantTimeCompare(output[:sha256.Size], bound[:]) != 1 {
		return nil, commandFailed("unwrap", errCommandResult)
	}
	return bytes.Clone(output[sha256.Size:]), nil
}

func (w *CommandWrapper) run(ctx context.Context, verb string, bound [sha256.Size]byte, input []byte, outputBytesMax int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, w.config.Time)
	defer cancel()
	output := &boundedOutput{buffer: make([]byte, 0, outputBytesMax)}
	argv := append(slices.Clone(w.config.Argv), verb)
	command := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the operator's own program
	command.Env = append(os.Environ(), commandContextVariable+"="+hex.EncodeToString(bound[:]))
	command.Stdin, command.Stdout = bytes.NewReader(input), output
	if w.config.Complaints != nil {
		command.Stderr = &boundedComplaints{to: w.config.Complaints, left: commandComplaintBytesMax}
	}
	command.WaitDelay = commandPipeTime
	killWithChildren(command)
	if err := command.Run(); err != nil {
		wipe(output.buffer)
		if output.exceeded {
			err = errCommandOutput
		}
		if ended := ctx.Err(); ended != nil {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		return nil, commandFailed(verb, err)
	}
	return output.buffer, nil
}

func commandFailed(verb string, cause error) error {
	return &abi.Error{
		Code: CodeWrapperFailed, Message: "the key wrapper's command did not " + verb + " a key", Cause: cause,
		Fix: "run the command by hand; it reads and writes binary keys", Retry: abi.RetryLater,
	}
}

// boundedOutput never grows, so that no copy of a key stays behind in an outgrown buffer.
type boundedOutput struct {
	buffer   []byte
	exceeded bool
}

func (b *boundedOutput) Write(p []byte) (int, error) {
	if len(p) > cap(b.buffer)-len(b.buffer) {
		b.exceeded = true
		return 0, errCommandOutput
	}
	b.buffer = append(b.buffer, p...)
	return len(p), nil
}

type boundedComplaints struct {
	to   io.Writer
	left int
}

// Write passes on what is within the bound and swallows the rest: a noisy program still works.
func (b *boundedComplaints) Write(p []byte) (int, error) {
	pass := p[:min(len(p), b.left)]
	b.left -= len(pass)
	if len(pass) > 0 {
		if _, err := b.to.Write(pass); err != nil {
			return 0, fmt.Errorf("pass on the command's complaint: %w", err)
		}
	}
	return len(p), nil
}
