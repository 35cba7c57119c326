package client

import (
	"fmt"
	"testing"
)

// fmt asks String only for verbs that are meant for strings, and shows the text itself under the others.
func TestATokenHidesFromEveryVerb(t *testing.T) {
	for _, format := range []string{"%v", "%#v", "%x", "%X", "%d", "%t", "%c", "%U", "%z", "%5.3v"} {
		if got := fmt.Sprintf(format, Token("purser_hunter2")); got != redacted {
			t.Errorf("%s printed %s", format, got)
		}
	}
}
