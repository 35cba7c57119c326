package signer

import (
	"sync/atomic"
	"time"
)

// testClock only moves when the test moves it.
type testClock struct{ ns atomic.Int64 }

func (c *testClock) now() time.Time       { return time.Unix(1_800_000_000, c.ns.Load()) }
func (c *testClock) add(by time.Duration) { c.ns.Add(by.Nanoseconds()) }
