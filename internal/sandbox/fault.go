package sandbox

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Codes of the errors this package returns, each an *abi.Error. All of them mean "no result": a caller that turns one
// into an allow is wrong.
const (
	// CodeInstallRefused: the module breaks a rule of the contract; Where names the offending item.
	CodeInstallRefused = "install_refused"
	// CodeABIUnsupported: the module is built for an ABI version this host does not speak.
	CodeABIUnsupported = "abi_unsupported"
	// CodeManifestInvalid: the purser.manifest section is missing, repeated or malformed.
	CodeManifestInvalid = "manifest_invalid"
	// CodeGrantMissing: the manifest wants something the operator did not grant.
	CodeGrantMissing = "grant_missing"
	// CodeLimitWidened: a configuration, grant or manifest asks for more than its ceiling.
	CodeLimitWidened = "limit_widened"
	// CodeCacheUnsafe: the compilation cache directory is not private, or cannot be used.
	CodeCacheUnsafe = "cache_unsafe"
	// CodeConfigureFailed: the guest failed before or while it was configured. The cause has the code of the failure.
	CodeConfigureFailed = "configure_failed"
	// CodeTrap: the guest trapped, exited, or handed a host function a bad argument.
	CodeTrap = "trap"
	// CodeTimeLimit: the guest used up its wall clock.
	CodeTimeLimit = "time_limit"
	// CodeBadResult: the guest reported failure, refused to allocate, or pointed outside its memory.
	CodeBadResult = "bad_result"
	// CodeOutputTooLarge: the result is longer than Limits.OutputBytes.
	CodeOutputTooLarge = "output_too_large"
	// CodeInputTooLarge: the request or configuration is longer than Limits.InputBytes. The guest did not run.
	CodeInputTooLarge = "input_too_large"
	// CodeInputInvalid: the caller asked for something the contract does not have. The guest did not run.
	CodeInputInvalid = "input_invalid"
	// CodeDeadline: the caller's context ended, or no slot came free in time.
	CodeDeadline = "deadline"
	// CodeHostCallLimit: the guest called the log import too often.
	CodeHostCallLimit = "host_call_limit"
	// CodeClosed: the Host or the Plugin is closed.
	CodeClosed = "closed"
)

// refuse builds the error of an install check. item is the offending export, import or section.
func refuse(item, fix, format string, args ...any) error {
	return &abi.Error{Code: CodeInstallRefused, Message: fmt.Sprintf(format, args...), Where: item, Fix: fix}
}

// fault builds the error of a failed call.
func fault(code, where, format string, args ...any) error {
	return &abi.Error{Code: code, Message: fmt.Sprintf(format, args...), Where: where}
}

// hostFault is what a host function panics with to end the guest. wazero recovers the panic and returns it wrapped;
// a guest has no way to produce one itself.
type hostFault struct {
	code    string
	message string
}

// Error makes hostFault an error, which is how it survives wazero's recover.
func (f *hostFault) Error() string { return f.message }

// alsoFailed adds an error of cleaning up to the error that made it necessary.
func alsoFailed(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return errors.Join(err, cleanup)
}
