package runtime

import "github.com/purserhq/purser/signer"

// WalletSessions is a wallet and the signing sessions prepared ahead for it.
type WalletSessions struct {
	// Address is the wallet's own account; agents with derived keys have others.
	Address string
	signer.PoolStatus
}

// Sessions tells what the pools of prepared signing sessions hold, by wallet. A signer of another kind has none.
func (r *Runtime) Sessions() map[string]WalletSessions {
	all := make(map[string]WalletSessions, len(r.config.Wallets))
	for id, account := range r.config.Wallets {
		found := WalletSessions{Address: account.Wallet.Address}
		if pooled, ok := account.Signer.(interface{ Status() signer.PoolStatus }); ok {
			found.PoolStatus = pooled.Status()
		}
		all[id] = found
	}
	return all
}
