package cosigner

import (
	"os"
	"testing"

	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
