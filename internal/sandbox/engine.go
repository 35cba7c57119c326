package sandbox

import (
	"github.com/tetratelabs/wazero"
)

// Engine is how guests are run. Both engines give the same bytes and use the same fuel; that they do is what the
// interpreter is for.
type Engine string

const (
	// Compiler turns modules into native code.
	Compiler Engine = "compiler"
	// Interpreter runs them one instruction after the other, twenty times slower.
	Interpreter Engine = "interpreter"
)

func (e Engine) check() error {
	switch e {
	case "", Compiler, Interpreter:
		return nil
	default:
		return fault(CodeInputInvalid, "sandbox.engine", "%q is no engine; there are %s and %s", string(e), Compiler, Interpreter)
	}
}

func (e Engine) config() wazero.RuntimeConfig {
	if e == Interpreter {
		return wazero.NewRuntimeConfigInterpreter()
	}
	return wazero.NewRuntimeConfigCompiler()
}
