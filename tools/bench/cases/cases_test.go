package cases

import (
	"testing"
)

func TestRequestsAreAboutAKilobyte(t *testing.T) {
	for _, c := range All() {
		wire, err := c.Request.Marshal()
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		text, err := c.Request.MarshalJSON()
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if len(wire) < 700 || len(wire) > 1300 {
			t.Errorf("%s has %d bytes", c.Name, len(wire))
		}
		t.Logf("%s: %d bytes, %d as JSON", c.Name, len(wire), len(text))
	}
}
