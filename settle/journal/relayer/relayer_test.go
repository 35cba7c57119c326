package relayer_test

import (
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/settle/facilitator"
	"github.com/purserhq/purser/settle/facilitator/journaltest"
	"github.com/purserhq/purser/settle/journal/relayer"
)

func TestTheRelayersJournalConforms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relayer.db")
	journaltest.Exercise(t, func() facilitator.Journal {
		j, err := relayer.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := j.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return j
	})
}
