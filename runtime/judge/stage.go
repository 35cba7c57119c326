package judge

import (
	"fmt"
	"strings"
	"time"
)

// Stage is one step between a file and a plugin that decides.
type Stage string

// The stages of a reload, in their order. Everything up to StageSwap changes nothing when it fails.
const (
	// StagePolicy reads and compiles the policy file.
	StagePolicy Stage = "policy"
	// StageRead reads a module.
	StageRead Stage = "read"
	// StageVerify compares its digest with the pinned one, and asks Source.Verify.
	StageVerify Stage = "verify"
	// StageInstall checks it against the contract and the grants, rewrites and compiles it.
	StageInstall Stage = "install"
	// StageConfigure hands it its configuration.
	StageConfigure Stage = "configure"
	// StageVectors runs the vectors of its manifest.
	StageVectors Stage = "vectors"
	// StageShadow decides recorded requests again.
	StageShadow Stage = "shadow"
	// StageSwap makes it decide.
	StageSwap Stage = "swap"
	// StageDrain waits for the decisions that the one before it began.
	StageDrain Stage = "drain"
)

// Step is a stage that was done.
type Step struct {
	// Policy and Plugin say for whom; empty for a stage of the whole.
	Policy string `json:"policy,omitempty"`
	Plugin string `json:"plugin,omitempty"`
	Stage  Stage  `json:"stage"`
	// Shared says that there was nothing to do: the same use is in memory already.
	Shared bool `json:"shared,omitempty"`
	// Took is the wall clock of the stage.
	Took time.Duration `json:"took_ns"`
}

// StageError is a failure with the stage that it ended. Err has the code.
type StageError struct {
	Policy, Plugin string
	Stage          Stage
	Err            error
}

// Error names the stage and whose it was.
func (e *StageError) Error() string {
	var b strings.Builder
	if e.Plugin != "" {
		fmt.Fprintf(&b, "plugin %s of policy %s: ", e.Plugin, e.Policy)
	}
	fmt.Fprintf(&b, "%s: %v", e.Stage, e.Err)
	return b.String()
}

// Unwrap returns the failure itself.
func (e *StageError) Unwrap() error { return e.Err }

// stages collects the steps of one plugin.
type stages struct {
	policy, plugin string
	now            func() time.Time
	done           []Step
}

// take does one stage and notes it.
func (s *stages) take(stage Stage, shared bool, work func() error) error {
	begin := s.now()
	if err := work(); err != nil {
		return s.failed(stage, err)
	}
	s.done = append(s.done, Step{Policy: s.policy, Plugin: s.plugin, Stage: stage, Shared: shared, Took: s.now().Sub(begin)})
	return nil
}

func (s *stages) failed(stage Stage, err error) error {
	return &StageError{Policy: s.policy, Plugin: s.plugin, Stage: stage, Err: err}
}
