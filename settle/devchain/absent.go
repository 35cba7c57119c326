//go:build nodevchain

package devchain

import (
	"context"
	"time"

	"github.com/purserhq/purser/abi"
)

// Chain cannot exist in this build.
type Chain struct{}

var errAbsent = &abi.Error{
	Code: "devchain_absent", Message: "this program was built without the embedded chain",
	Fix: "build it without the tag nodevchain, or point it at another chain's JSON-RPC",
}

// Open answers devchain_absent: the program was built with the tag nodevchain.
func Open(context.Context, Config) (*Chain, error) { return nil, errAbsent }

// Close does nothing in this build, nor does any method below do more than refuse.
func (*Chain) Close() error { return nil }

// RPCURL is empty in this build.
func (*Chain) RPCURL() string { return "" }

// WSURL is empty in this build.
func (*Chain) WSURL() string { return "" }

// Network is empty in this build.
func (*Chain) Network() abi.Network { return "" }

// Token is empty in this build.
func (*Chain) Token() abi.Asset { return "" }

// Relayer is empty in this build.
func (*Chain) Relayer() Account { return Account{} }

// Faucet is empty in this build.
func (*Chain) Faucet() Account { return Account{} }

// Head is zero in this build.
func (*Chain) Head() (number, timeUnixS uint64) { return 0, 0 }

// Fund answers devchain_absent.
func (*Chain) Fund(context.Context, string, abi.Amount, abi.Amount) (Funded, error) {
	return Funded{}, errAbsent
}

// SetPaused answers devchain_absent.
func (*Chain) SetPaused(context.Context, bool) error { return errAbsent }

// SetBlacklisted answers devchain_absent.
func (*Chain) SetBlacklisted(context.Context, string, bool) error { return errAbsent }

// AdvanceTime answers devchain_absent.
func (*Chain) AdvanceTime(context.Context, time.Duration) error { return errAbsent }

// Commit answers devchain_absent.
func (*Chain) Commit(context.Context) error { return errAbsent }

// Fork answers devchain_absent.
func (*Chain) Fork(context.Context, uint64) error { return errAbsent }
