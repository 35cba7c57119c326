package judge

import "sync"

// Current is the generation that serves: whatever decides and builds, as one reading of the files gave it. Whoever
// acquires it has that generation, whole, until it lets go, and a generation that was replaced is told when the last one
// has. It is safe for concurrent use.
type Current[T any] struct {
	mu  sync.Mutex
	now *generation[T]
}

type generation[T any] struct {
	value T
	// users counts who has it, and one more while it is the current one.
	users int
	// drained is called once, when nobody has it any more.
	drained func()
}

// NewCurrent starts with a first generation. drained may be nil.
func NewCurrent[T any](first T, drained func()) *Current[T] {
	return &Current[T]{now: &generation[T]{value: first, users: 1, drained: drained}}
}

// Acquire returns the generation that serves now. The caller calls release when it has recorded what it decided;
// releasing twice is harmless.
func (c *Current[T]) Acquire() (value T, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.now
	g.users++
	return g.value, sync.OnceFunc(func() { c.leave(g) })
}

// Swap makes a generation the one that serves. before sees the old and may hand over to the new one, with both held
// still; drained is called once nobody has the new one any more. Either may be nil.
func (c *Current[T]) Swap(next T, before func(old T), drained func()) {
	c.mu.Lock()
	old := c.now
	if before != nil {
		before(old.value)
	}
	c.now = &generation[T]{value: next, users: 1, drained: drained}
	c.mu.Unlock()
	c.leave(old)
}

// leave gives one use back. drained runs without the lock: freeing plugins takes its time.
func (c *Current[T]) leave(g *generation[T]) {
	c.mu.Lock()
	g.users--
	last := g.users == 0
	c.mu.Unlock()
	if last && g.drained != nil {
		g.drained()
	}
}
