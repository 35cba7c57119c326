// Package schema checks a plugin's configuration against the JSON Schema in its manifest. It refuses schemas outside a
// bounded subset of 2020-12: nothing is fetched, no pattern backtracks, no reference is recursive, and no keyword is
// taken that this host would not enforce.
package schema

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/purserhq/purser/abi"
)

// location is the base address of every schema. Nothing is ever read from it.
const location = "purser:config_schema"

// Schema is a checked schema. It never changes and is safe for concurrent use.
type Schema struct{ compiled *jsonschema.Schema }

// Check validates a configuration against a manifest's config_schema; an empty schema takes only {}. A schema outside
// the subset is manifest_invalid; a configuration that breaks it is configure_failed and lists every problem.
func Check(schema, config []byte) error {
	s, err := Parse(schema)
	if err != nil {
		return err
	}
	problems, err := s.Validate(config)
	if err != nil || len(problems) == 0 {
		return err
	}
	return problems.fault()
}

// none is what a plugin without a schema takes.
var none = []byte(`{"type":"object","maxProperties":0}`)

// Parse reads a schema. Errors have the code manifest_invalid and name the offending keyword by its JSON pointer.
func Parse(document []byte) (_ *Schema, err error) {
	if len(document) == 0 {
		document = none
	}
	canonical, err := abi.CanonicalJSON(document)
	if err != nil {
		return nil, invalid("", "the schema cannot be read", err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
	if err != nil {
		return nil, invalid("", "the schema cannot be read", err)
	}
	if err := checkSubset(tree); err != nil {
		return nil, err
	}
	defer recovered(&err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nowhere{})
	if err := compiler.AddResource(location, tree); err != nil {
		return nil, invalid("", "the schema cannot be read", err)
	}
	compiled, err := compiler.Compile(location)
	if err != nil {
		return nil, notASchema(err)
	}
	return &Schema{compiled}, nil
}

// Validate lists what is wrong with a configuration: nothing, when it is valid. An error means that it is not even
// JSON as this project reads it (json_invalid).
func (s *Schema) Validate(config []byte) (problems Problems, err error) {
	canonical, err := abi.CanonicalJSON(config)
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return s.validate(value)
}

func (s *Schema) validate(value any) (problems Problems, err error) {
	defer recovered(&err)
	err = s.compiled.Validate(value)
	var broken *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &broken):
		return nil, fmt.Errorf("validate configuration: %w", err)
	}
	return problemsOf(broken), nil
}

// nowhere is the loader of a host that fetches nothing. checkSubset refuses references that would need it.
type nowhere struct{}

func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("nothing is fetched: %.80q", url)
}

// recovered turns a panic of the library into an error: it reads what strangers wrote, and a plugin must not be able
// to end the process.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = invalid("", "the schema cannot be used", fmt.Errorf("panic: %v", r))
	}
}

// notASchema names the one place to look at: the library's own text is a tree of the metaschema.
func notASchema(err error) error {
	const message = "the schema is not JSON Schema 2020-12"
	var judged *jsonschema.SchemaValidationError // which hides its cause from errors.As
	var broken *jsonschema.ValidationError
	if !errors.As(err, &judged) || !errors.As(judged.Err, &broken) {
		return invalid("", message, err)
	}
	deepest := problemsOf(broken).deepest()
	return invalid(deepest.Pointer, message+": "+deepest.Message, nil)
}

func invalid(pointer, message string, cause error) error {
	return &abi.Error{
		Code: abi.CodeManifestInvalid, Message: message, Where: "config_schema" + pointer, Cause: cause,
		Fix: "keep to the keywords that docs/plugins.md lists",
	}
}
