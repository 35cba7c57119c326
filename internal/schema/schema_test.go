package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
)

// counter is a source of draws that any test can repeat.
type counter struct{ state uint64 }

func (c *counter) Below(n uint64) uint64 {
	c.state = c.state*6364136223846793005 + 1442695040888963407
	return (c.state >> 33) % n
}

const rich = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object", "required": ["ceiling"], "additionalProperties": false,
	"$defs": {"amount": {"type": "string", "pattern": "^[1-9][0-9]{0,77}$"}},
	"properties": {
		"ceiling": {"$ref": "#/$defs/amount", "description": "in the smallest unit"},
		"factor": {"type": "integer", "minimum": 1, "maximum": 1000, "multipleOf": 5, "default": 5},
		"mode": {"enum": ["strict", "loose"]},
		"payees": {"type": "array", "maxItems": 3, "uniqueItems": true, "items": {"type": "string", "minLength": 2, "maxLength": 8}},
		"limits": {"type": "object", "propertyNames": {"pattern": "^[a-z]{1,5}$"}, "additionalProperties": {"anyOf": [{"$ref": "#/$defs/amount"}, {"type": "null"}]}},
		"pair": {"prefixItems": [{"type": "boolean"}, {"type": "integer"}], "items": false}
	}
}`

func TestEveryProblemIsListedWithItsPointer(t *testing.T) {
	s, err := Parse([]byte(rich))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Validate([]byte(`{"ceiling":"0","factor":2,"mode":"other","limits":{"a/b":"1"},"more":1}`))
	if err != nil {
		t.Fatal(err)
	}
	pointers := map[string]bool{}
	for _, problem := range got {
		pointers[problem.Pointer] = true
		if problem.Message == "" || len(problem.Message) > messageBytesMax+len("…") {
			t.Errorf("%s: %q", problem.Pointer, problem.Message)
		}
	}
	want := map[string]bool{"": true, "/ceiling": true, "/factor": true, "/mode": true}
	if diff := cmp.Diff(want, pointers); diff != "" {
		t.Errorf("%s\n%v", diff, got)
	}
	if !strings.Contains(fmt.Sprint(got), `the member name "a/b"`) {
		t.Error(got)
	}
	err = Check([]byte(rich), []byte(`{"ceiling":"0","factor":2}`))
	if abi.CodeOf(err) != abi.ReasonConfigureFailed || !strings.Contains(err.Error(), "/ceiling: ") || !strings.Contains(err.Error(), "/factor: ") {
		t.Error(err)
	}
}

func TestAValidConfigurationHasNoProblem(t *testing.T) {
	for _, config := range []string{
		`{"ceiling":"1"}`,
		`{"ceiling":"50000","factor":10,"mode":"strict","payees":["ab","cd"],"limits":{"usdc":"5","x":null},"pair":[true,3]}`,
	} {
		if err := Check([]byte(rich), []byte(config)); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestWithoutASchemaOnlyTheEmptyObjectIsTaken(t *testing.T) {
	for config, want := range map[string]string{
		`{}`: "", ` { } `: "", `{"a":1}`: abi.ReasonConfigureFailed, `[]`: abi.ReasonConfigureFailed, `null`: abi.ReasonConfigureFailed,
		``: "json_invalid", `{"a":1,"a":1}`: "json_invalid", `{"a":1.5}`: "json_invalid",
	} {
		if got := abi.CodeOf(Check(nil, []byte(config))); got != want {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
}

func TestAFloodOfProblemsIsCut(t *testing.T) {
	var config strings.Builder
	for i := range 500 {
		fmt.Fprintf(&config, `,"m%d":%d`, i, i)
	}
	s, err := Parse([]byte(`{"additionalProperties":{"type":"string"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Validate([]byte("{" + config.String()[1:] + "}"))
	if err != nil || len(got) != abi.ConfigProblemsMax || got[len(got)-1].Message != "and 437 more" {
		t.Errorf("%d problems, %v", len(got), err)
	}
}

func TestSchemasOutsideTheSubsetAreRefused(t *testing.T) {
	// Each definition names the next one twice: 2^20 subschemas in one small document.
	var bomb strings.Builder
	for i := range 20 {
		fmt.Fprintf(&bomb, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	for name, c := range map[string]struct{ schema, where string }{
		"no JSON":                {`{`, ""},
		"a list":                 {`[]`, ""},
		"a boolean":              {`true`, ""},
		"repeated keyword":       {`{"type":"object","type":"array"}`, ""},
		"wrong type of type":     {`{"type":3}`, "/type"},
		"unknown type":           {`{"type":"amount"}`, "/type"},
		"unknown type in a list": {`{"type":["string","amount"]}`, "/type/1"},
		"a negative length":      {`{"properties":{"a/b":{"minLength":-1}}}`, "/properties/a~1b/minLength"},
		"required as a text":     {`{"required":"ceiling"}`, "/required"},
		"misspelled keyword":     {`{"require":["a"]}`, "/require"},
		"keyword far below":      {`{"properties":{"a/b":{"items":{"format":"uri"}}}}`, "/properties/a~1b/items/format"},
		"another dialect":        {`{"$schema":"http://json-schema.org/draft-07/schema#"}`, "/$schema"},
		"an identifier":          {`{"$id":"https://example.com/x"}`, "/$id"},
		"remote reference":       {`{"$ref":"https://example.com/x"}`, "/$ref"},
		"file reference":         {`{"$ref":"file:///etc/passwd"}`, "/$ref"},
		"metaschema reference":   {`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, "/$ref"},
		"reference to the root":  {`{"properties":{"a":{"$ref":"#"}}}`, "/properties/a/$ref"},
		"reference to nothing":   {`{"$ref":"#/$defs/a"}`, "/$ref"},
		"reference into a part":  {`{"$ref":"#/$defs/a/properties/b","$defs":{"a":{}}}`, "/$ref"},
		"a loop":                 {`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`, "/$defs/b/$ref"},
		"an unused loop":         {`{"$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}`, "/$defs/a/items/$ref"},
		"definitions below":      {`{"items":{"$defs":{}}}`, "/items/$defs"},
		"dynamic reference":      {`{"$dynamicRef":"#a"}`, "/$dynamicRef"},
		"unevaluated":            {`{"unevaluatedProperties":false}`, "/unevaluatedProperties"},
		"pattern properties":     {`{"patternProperties":{"^a":{}}}`, "/patternProperties"},
		"a back-reference":       {`{"pattern":"(a)\\1"}`, "/pattern"},
		"a look-ahead":           {`{"pattern":"(?=a)"}`, "/pattern"},
		"a pattern of a number":  {`{"pattern":3}`, "/pattern"},
		"a huge pattern":         {`{"pattern":"` + strings.Repeat("a", patternBytesMax+1) + `"}`, "/pattern"},
		"a pattern bomb":         {`{"pattern":"(a{1000}b{1000}c{1000})"}`, "/pattern"},
		"a schema of a number":   {`{"items":3}`, "/items"},
		"a list of properties":   {`{"properties":[]}`, "/properties"},
		"an object of allOf":     {`{"allOf":{}}`, "/allOf"},
		"exponential":            {`{"$ref":"#/$defs/d0","$defs":{` + bomb.String() + `"d20":{}}}`, "*"},
		"too wide":               {`{"allOf":[` + strings.TrimSuffix(strings.Repeat(`{"anyOf":[true,false,true]},`, 3000), ",") + `]}`, ""},
	} {
		err := Check([]byte(c.schema), []byte(`{}`))
		coded, _ := err.(*abi.Error) //nolint:errorlint // the error itself
		if coded == nil || coded.Code != abi.CodeManifestInvalid || (c.where != "*" && coded.Where != "config_schema"+c.where) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAMistakeInASchemaIsOneLineWithItsPlace(t *testing.T) {
	_, err := Parse([]byte(`{"type":"object","properties":{"ceiling":{"type":"amount"}}}`))
	want := "manifest_invalid: the schema is not JSON Schema 2020-12: got string, want array, or value must be one of " +
		"'array', 'boolean', 'integer', 'null', 'number', 'object', 'string' (at config_schema/properties/ceiling/type)"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestTheSchemasOfThisRepositoryAreInTheSubset(t *testing.T) {
	found := 0
	for _, pattern := range []string{"../../plugins/*/manifest.json", "../../examples/*/manifest.json", "../../examples/*/*/manifest.json"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			document, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := abi.ParseManifest(document)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			found++
			if _, err := Parse(manifest.ConfigSchema); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			for _, v := range manifest.Vectors {
				if err := Check(manifest.ConfigSchema, v.Config); err != nil {
					t.Errorf("%s: vector %s: %v", path, v.Name, err)
				}
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d manifests found", found)
	}
}

func TestTheDocumentListsEveryKeyword(t *testing.T) {
	document, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(document), "It may use:")
	text, _, _ = strings.Cut(text, ".")
	var listed []string
	for i, word := range strings.Split(text, "`") {
		if i%2 == 1 {
			listed = append(listed, word)
		}
	}
	if diff := cmp.Diff(Keywords(), listed); diff != "" {
		t.Error(diff)
	}
}

func TestSamplesAreWhatTheySayAndReachEveryBranch(t *testing.T) {
	s, err := Parse([]byte(rich))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := s.Samples(&counter{state: 7}, 100, []byte(`{"ceiling":"50000"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(samples.Valid) != 100 || len(samples.Invalid) != 100 {
		t.Fatalf("%d valid, %d invalid", len(samples.Valid), len(samples.Invalid))
	}
	members := map[string]bool{}
	for _, config := range samples.Valid {
		if err := Check([]byte(rich), config); err != nil {
			t.Errorf("%s: %v", config, err)
		}
		for _, name := range []string{"factor", "mode", "payees", "limits", "pair"} {
			if strings.Contains(string(config), `"`+name+`"`) {
				members[name] = true
			}
		}
	}
	if len(members) != 5 {
		t.Errorf("the valid samples only use %v", members)
	}
	for _, config := range samples.Invalid {
		if err := Check([]byte(rich), config); abi.CodeOf(err) != abi.ReasonConfigureFailed {
			t.Errorf("%s: %v", config, err)
		}
	}
	again, err := s.Samples(&counter{state: 7}, 100, []byte(`{"ceiling":"50000"}`))
	if err != nil || !cmp.Equal(samples, again) {
		t.Error("the same draws gave other samples", err)
	}
}

func TestASchemaWithoutInvalidDocumentsEndsTheSearch(t *testing.T) {
	s, err := Parse([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := s.Samples(&counter{}, 20)
	if err != nil || len(samples.Valid) != 20 || len(samples.Invalid) != 0 {
		t.Errorf("%d valid, %d invalid, %v", len(samples.Valid), len(samples.Invalid), err)
	}
}

func FuzzCheckNeverPanicsAndSamplesAreJudgedAlike(f *testing.F) {
	f.Add([]byte(rich), []byte(`{"ceiling":"1"}`), uint64(1))
	f.Add([]byte(`{"oneOf":[{"const":null},{"not":{"enum":[1,"a",{}]}}]}`), []byte(`null`), uint64(2))
	f.Add([]byte(`{"if":{"minProperties":1},"then":{"required":["a"]},"else":{"maxProperties":0}}`), []byte(`{"a":[]}`), uint64(3))
	f.Add([]byte(`{"minimum":-3,"exclusiveMaximum":9007199254740991,"multipleOf":7}`), []byte(`14`), uint64(4))
	f.Add([]byte(`{"pattern":"^(a|b)*\\p{Greek}?$","minLength":3}`), []byte(`"abab"`), uint64(5))
	f.Add([]byte(`{"$ref":"#/$defs/~0","$defs":{"~0":true}}`), []byte(`[[[]]]`), uint64(6))
	f.Add([]byte(nil), []byte(`{}`), uint64(7))
	f.Fuzz(func(t *testing.T, document, config []byte, seed uint64) {
		err := Check(document, config)
		if code := abi.CodeOf(err); err != nil && code != abi.CodeManifestInvalid && code != abi.ReasonConfigureFailed && code != "json_invalid" {
			t.Fatalf("%v", err)
		}
		s, parseErr := Parse(document)
		if parseErr != nil {
			return
		}
		samples, sampleErr := s.Samples(&counter{state: seed}, 3)
		if sampleErr != nil {
			t.Fatal(sampleErr)
		}
		for _, valid := range samples.Valid {
			if err := Check(document, valid); err != nil {
				t.Fatalf("%s: %v", valid, err)
			}
		}
	})
}
