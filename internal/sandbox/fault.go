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
	CodeInstallRefused = abi.ReasonInstallRefused
	// CodeABIUnsupported: the module is built for an ABI version this host does not speak.
	CodeABIUnsupported = abi.CodeABIUnsupported
	// CodeManifestInvalid: the purser.manifest section is missing, repeated or refused by abi.ParseManifest.
	CodeManifestInvalid = abi.CodeManifestInvalid
	// CodeGrantMissing: the manifest wants something the operator did not grant.
	CodeGrantMissing = "grant_missing"
	// CodeGrantsInvalid: the operator's grants cannot be read, or could be read in two ways.
	CodeGrantsInvalid = "grants_invalid"
	// CodeLimitWidened: a configuration or grant asks for more than its ceiling.
	CodeLimitWidened = "limit_widened"
	// CodeCacheUnsafe: the compilation cache directory is not private, or cannot be used.
	CodeCacheUnsafe = "cache_unsafe"
	// CodeConfigureFailed: the guest failed before or while it was configured. The cause has the code of the failure.
	CodeConfigureFailed = abi.ReasonConfigureFailed
	// CodeTrap: the guest trapped, exited, or handed a host function a bad argument.
	CodeTrap = abi.ReasonTrap
	// CodeFuelExhausted: the guest used up its allowance of metered work.
	CodeFuelExhausted = abi.ReasonFuelExhausted
	// CodeBadResult: the guest reported failure, refused to allocate, or pointed outside its memory.
	CodeBadResult = abi.ReasonBadResult
	// CodeOutputTooLarge: the result is longer than Limits.OutputBytes.
	CodeOutputTooLarge = abi.ReasonOutputTooLarge
	// CodeInputTooLarge: the request or configuration is longer than Limits.InputBytes. The guest did not run.
	CodeInputTooLarge = abi.ReasonInputTooLarge
	// CodeInputInvalid: the caller asked for something the contract does not have. The guest did not run.
	CodeInputInvalid = "input_invalid"
	// CodeDeadline: the caller's context ended, or no slot came free in time.
	CodeDeadline = abi.ReasonDeadline
	// CodeHostMemory: the system gave no memory for an instance. The guest did not run.
	CodeHostMemory = "host_memory"
	// CodeHostCallLimit: the guest called the log import too often.
	CodeHostCallLimit = abi.ReasonHostCallLimit
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
