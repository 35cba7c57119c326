// Package guest moves bytes between a plugin and its host and calls what the
// plugin registered. It refuses every pointer that it did not hand out itself.
package guest

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/config"
)

// configure is what the plugin registered, nil for a plugin without settings.
var configure func(*config.Config)

// registered is true once a plugin registered itself.
var registered bool

// Register keeps the plugin's configure function. A module is one plugin: a
// second registration panics, which the host sees as a module that cannot start.
func Register(f func(*config.Config)) {
	if registered {
		panic("purser: a module registers exactly one plugin")
	}
	registered, configure = true, f
}

// Configure runs the registered function over the entries of a configuration.
func Configure(r *abi.ConfigureRequest) *abi.ConfigureResult {
	c := config.New(r.Entries)
	if configure != nil {
		configure(c)
	}
	return c.Result()
}

// Message is what every generated message can do.
type Message interface {
	Marshal() ([]byte, error)
	Unmarshal(b []byte) error
}

// Serve reads a request, calls f and writes its result. ok is false when the
// request cannot be read or the result cannot be written; the host denies then.
func Serve[Q any, R any, Request interface {
	*Q
	Message
}, Result interface {
	*R
	Message
}](in []byte, f func(Request) Result) (out []byte, ok bool) {
	request := Request(new(Q))
	if err := request.Unmarshal(in); err != nil {
		return nil, false
	}
	result := f(request)
	if result == nil {
		return nil, false
	}
	out, err := result.Marshal()
	return out, err == nil
}
