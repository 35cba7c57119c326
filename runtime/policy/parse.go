package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/purserhq/purser/abi"
	"go.yaml.in/yaml/v4"
)

// depthMax bounds how deep a file nests; the deepest thing in a policy is a plugin's configuration.
const depthMax = abi.JSONDepthMax

// limits keeps the YAML parser's recursion small.
type limits struct{}

func (limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > depthMax {
		return fmt.Errorf("more than %d levels", depthMax)
	}
	return nil
}

// CheckAlias lets aliases pass: a tree of nodes does not expand them, and refuseIndirection names their place.
func (limits) CheckAlias(int, int) error { return nil }

// parse reads the one document of the file and refuses what makes YAML say more than it shows. It returns nil
// after reporting why there is nothing to go on with.
func (c *compiler) parse() *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	switch data := c.source.Data; {
	case len(data) > FileBytesMax:
		c.fail(start, "file_too_large", fmt.Sprintf("the file has %d bytes, at most %d are read", len(data), FileBytesMax), "split the agents over several tenants")
		return nil
	case !utf8.Valid(data) || bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) || bytes.IndexByte(data, 0) >= 0:
		c.fail(start, "encoding_invalid", "the file is not plain UTF-8", "save it as UTF-8 without a byte order mark")
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(c.source.Data), yaml.WithPlugin(limits{}))
	if err != nil {
		c.failWith(start, err)
		return nil
	}
	var document, second yaml.Node
	switch err := loader.Load(&document); {
	case errors.Is(err, io.EOF):
		c.fail(start, "policy_empty", "the file holds no policy", "start with `version: 1`, or with `max_transaction_usdc:`")
		return nil
	case err != nil:
		c.failSyntax(err)
		return nil
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		c.failSyntax(err)
		return nil
	default:
		c.fail(&second, "yaml_documents", "the file holds a second document", "keep one policy per file: remove the line `---`")
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		c.fail(start, "policy_empty", "the file holds no policy", "start with `version: 1`")
		return nil
	}
	c.refuseIndirection(document.Content[0])
	return document.Content[0]
}

func (c *compiler) failSyntax(err error) {
	at, message := place{1, 1}, err.Error()
	var syntax *yaml.LoadError
	if errors.As(err, &syntax) {
		message = syntax.Message
		if syntax.ContextMsg != "" {
			message = syntax.ContextMsg + ": " + message
		}
		at = place{max(syntax.Mark.Line, 1), max(syntax.Mark.Column, 1)}
	}
	fix := "check indentation, quotes and brackets around this place"
	if lines := bytes.Split(c.source.Data, []byte("\n")); at.line <= len(lines) && bytes.Contains(lines[at.line-1], []byte("\t")) {
		fix = "this line has a tab: indent with spaces only"
	}
	c.errors.add(at, abi.Error{Code: "yaml_syntax", Message: message, Fix: fix})
}

// refuseIndirection reports every anchor, alias, merge key and explicit tag. A reviewer must see the number that
// applies where it applies.
func (c *compiler) refuseIndirection(n *yaml.Node) {
	const fix = "write the value itself"
	switch {
	case n.Kind == yaml.AliasNode:
		c.fail(n, "yaml_alias", "an alias points to a value elsewhere", fix)
		return
	case n.Anchor != "":
		c.fail(n, "yaml_anchor", "an anchor gives a value a second place", fix)
	case n.Tag == "!!merge":
		c.fail(n, "yaml_merge", "a merge key copies values from elsewhere", fix)
	case n.Style&yaml.TaggedStyle != 0:
		c.fail(n, "yaml_tag", "a tag changes how a value is read", "remove the tag")
	}
	for _, child := range n.Content {
		c.refuseIndirection(child)
	}
}
