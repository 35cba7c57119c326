package main

import (
	"log/slog"

	"github.com/purserhq/purser/signer/link"
	"github.com/purserhq/purser/signer/link/pki"
)

// remoteCosigner makes the stack the runtime alone: the co-signer is a process elsewhere. It need not answer yet; until
// it does, payments wait and are denied in the end.
func remoteCosigner(stack *stackConfig, config serveConfig) error {
	key, err := publicKeyHex("cosigner.key", config.Cosigner.Key)
	if err != nil {
		return err
	}
	credentials, err := config.Cosigner.TLS.open(pki.Runtime, stack.log)
	if err != nil {
		return err
	}
	client, err := link.NewClient(link.ClientConfig{Address: config.Cosigner.Address, Credentials: credentials, Log: stack.log})
	if err != nil {
		return err
	}
	if stack.operators, err = config.Operators.operators(); err != nil {
		return err
	}
	stack.only, stack.peer, stack.peerKey, stack.vault = roleRuntime, client, key, &config.Keys
	return nil
}

// open reads the certificate of the role and the authorities it trusts.
func (c tlsConfig) open(role pki.Role, log *slog.Logger) (*pki.Credentials, error) {
	if c.Identity == "" || c.Trust == "" {
		return nil, configError("tls", "identity or trust is missing", "name the two files that purser init wrote")
	}
	return pki.OpenCredentials(pki.CredentialsConfig{Identity: c.Identity, Trust: c.Trust, Role: role, Log: log})
}
