// Package policy turns a YAML file into a checked, hashed policy bundle. It refuses to guess: whatever it does not
// know, cannot read exactly or finds twice is a problem with a place in the file, and all problems are reported at
// once. The engine that evaluates a bundle is runtime/policy/rules; this package alone knows YAML and files.
//
// What a missing key means: no max_transaction_usdc, or no limit on spending over time, denies every payment. No
// allowed_recipients means any payee, but one that nobody vouches for is held (evidence_min). No active_hours means
// always. No networks means those of the known tokens.
package policy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// FileBytesMax bounds a policy file.
const FileBytesMax = 256 << 10

// Policy is what a bundle says about one group of agents.
type Policy = rules.Policy

// Options of Load and Compile. The zero value is for a runtime with the built-in tokens.
type Options struct {
	// Cosigner makes the tenant's root ceilings mandatory, as the co-signer needs them: without one, every newly
	// enrolled agent would be a new budget.
	Cosigner bool
	// Tokens are known besides those the file declares. The empty table means pinned.Builtin.
	Tokens pinned.Table
}

// Source is a policy file in memory.
type Source struct {
	// Name is printed in front of line and column.
	Name string
	Data []byte
	// ReadFile reads a plugin named in the file, and the signature beside it where a signer is demanded. Nil refuses
	// plugins. The result is checked and dropped: whoever runs the plugin must check it again.
	ReadFile func(path string) ([]byte, error)
}

// Bundle is a compiled file. It never changes and is safe for concurrent use.
type Bundle struct {
	*rules.Bundle

	tokens   pinned.Table
	warnings Problems
	name     string
	places   map[pluginKey]place
}

// pluginKey names a plugin as one policy uses it.
type pluginKey struct{ policy, plugin string }

// PluginPlace is where the file names a policy's plugin, as "file:line:col"; only the file's name for one that it does
// not name.
func (b *Bundle) PluginPlace(policy, plugin string) string {
	at, ok := b.places[pluginKey{policy, plugin}]
	if !ok {
		return b.name
	}
	return at.in(b.name)
}

// Tokens returns the table the bundle was compiled with, the file's own tokens included: what a decoder of
// preimages needs.
func (b *Bundle) Tokens() pinned.Table { return b.tokens }

// Warnings lists what is legal and probably not meant. The caller owns the copy.
func (b *Bundle) Warnings() Problems { return append(Problems(nil), b.warnings...) }

// Load reads and compiles a file. Paths of plugins are relative to the file's folder. A file that is not a policy
// is refused with a Problems error that lists everything found.
func Load(path string, options Options) (*Bundle, error) {
	data, err := readBounded(path, FileBytesMax)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	folder := filepath.Dir(path)
	readPlugin := func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(folder, name)
		}
		return readBounded(name, abi.ModuleBytesMax)
	}
	return Compile(Source{Name: path, Data: data, ReadFile: readPlugin}, options)
}

func readBounded(path string, bytesMax int64) (data []byte, err error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err = io.ReadAll(io.LimitReader(file, bytesMax+1))
	if err == nil && int64(len(data)) > bytesMax {
		err = &abi.Error{Code: "file_too_large", Message: fmt.Sprintf("the file has more than %d bytes", bytesMax), Where: path}
	}
	return data, err
}

// Compile turns a file's text into a bundle, or returns a Problems error that lists everything wrong with it.
func Compile(source Source, options Options) (*Bundle, error) {
	c := &compiler{source: source, options: options, tokens: options.Tokens, pluginPlaces: map[pluginKey]place{}}
	if len(c.tokens.Tokens()) == 0 {
		c.tokens = pinned.Builtin()
	}
	if root := c.parse(); root != nil {
		c.document(root)
	}
	if problems := c.errors.sorted(source.Name); len(problems) > 0 {
		return nil, problems
	}
	compiled, err := rules.New(c.spec)
	if err != nil { // the checks above are meant to be complete; the size of the whole is left
		return nil, Problems{{
			Code: "policy_invalid", Message: "the policy cannot be compiled", Where: source.Name + ":1:1", Cause: err,
			Fix: "make the policy smaller; please report this if it is small",
		}}
	}
	return &Bundle{Bundle: compiled, tokens: c.tokens, warnings: c.warnings.sorted(source.Name), name: source.Name, places: c.pluginPlaces}, nil
}

// compiler is one run of Compile.
type compiler struct {
	source   Source
	options  Options
	tokens   pinned.Table
	spec     rules.Spec
	errors   findings
	warnings findings
	// policyUses is where agents name a policy, policyPlaces where policies are.
	policyUses   []use
	policyPlaces []use
	// pluginPlaces is where each plugin is named.
	pluginPlaces map[pluginKey]place
	// pluginSigners are the keys of trust.policy, one of which must have signed every plugin.
	pluginSigners []string
}

// read reads a plugin's file, or its signature's.
func (c *compiler) read(path string) ([]byte, error) {
	if c.source.ReadFile == nil {
		return nil, errors.New("plugins cannot be read here")
	}
	return c.source.ReadFile(path)
}
