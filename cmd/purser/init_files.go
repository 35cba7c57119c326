package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/ceremony"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/link/pki"
)

const (
	authorityFile, tlsFile, trustFile = "authority.pem", "tls.pem", "trust.pem"
	passphraseFile                    = "passphrase"
	operatorKeyFile, approverKeyFile  = "operator.pem", "approver.pem"
	ageKeyFile                        = "age.key"
)

// certificates makes the authority, one certificate for each role, and the trust files.
func (in *installation) certificates(context.Context) error {
	now := time.Now()
	authorityPath := in.path("ca", authorityFile)
	if err := once(authorityPath, func() error {
		authority, err := pki.NewAuthority(now)
		if err != nil {
			return err
		}
		return authority.Create(authorityPath)
	}); err != nil {
		return err
	}
	authority, err := pki.OpenAuthority(authorityPath)
	if err != nil {
		return err
	}
	for folder, issuance := range map[string]pki.Issuance{
		roleRuntime:  {Role: pki.Runtime},
		roleCosigner: {Role: pki.CoSigner, Hosts: in.hostsOf()},
		roleRecovery: {Role: pki.Recovery, Hosts: []string{ceremony.RecoveryHost}},
		"operator":   {Role: pki.Operator, Name: operatorName},
	} {
		path := in.path(folder, tlsFile)
		issuance.Now = now
		if err := once(path, func() error {
			identity, err := authority.Issue(issuance)
			if err != nil {
				return err
			}
			return identity.Create(path)
		}); err != nil {
			return err
		}
		trust := in.path(folder, trustFile)
		if err := once(trust, func() error { return pki.WriteTrust(trust, authority.Certificate()) }); err != nil {
			return err
		}
	}
	return nil
}

// people makes the operator's and the approver's key, and the age key of share 3.
func (in *installation) people(context.Context) error {
	for name, public := range map[string]*string{operatorKeyFile: &in.operator, approverKeyFile: &in.approver} {
		path := in.path("operator", name)
		if err := once(path, func() error {
			_, err := makeApproverKey(path)
			return err
		}); err != nil {
			return err
		}
		key, err := readApproverKey(path)
		if err != nil {
			return err
		}
		*public = publicHex(key)
	}
	if len(in.recipients) > 0 {
		return nil
	}
	path := in.path(roleRecovery, ageKeyFile)
	if err := once(path, func() error {
		_, err := keystore.MakeRecoveryIdentity(path, time.Now)
		return err
	}); err != nil {
		return err
	}
	recipient, err := recipientOf(path)
	in.recipients = []string{recipient}
	return err
}

// recipientOf reads the public key that age identity files name in a comment.
func recipientOf(path string) (string, error) {
	content, err := keystore.ReadPrivateFile(path, keystore.RecoveryIdentityBytesMax)
	if err != nil {
		return "", err
	}
	defer content.Wipe()
	for line := range strings.Lines(string(content.Bytes())) {
		if key, found := strings.CutPrefix(strings.TrimSpace(line), "# public key: "); found {
			return key, nil
		}
	}
	return "", &abi.Error{Code: "key_invalid", Where: path, Message: "the file does not name its public key", Fix: "name it: --recovery-recipient age1..."}
}

// hostKeys makes each role's signing key and the passphrase of its keystore.
func (in *installation) hostKeys(context.Context) error {
	in.publicKeys = map[string]string{}
	for _, role := range seatNames {
		folder := in.path(role, "data", "identity")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		key, err := identity(filepath.Join(folder, role+".key"))
		if err != nil {
			return err
		}
		in.publicKeys[role] = hex.EncodeToString(key.Public())
		passphrase := in.path(role, passphraseFile)
		if err := once(passphrase, func() error { return keystore.WritePrivateFile(passphrase, []byte(rand.Text()+rand.Text()+"\n")) }); err != nil {
			return err
		}
	}
	return nil
}

func (in *installation) policies(context.Context) error {
	text := []byte(in.starterPolicy())
	if in.policy != "" {
		var err error
		if text, err = os.ReadFile(in.policy); err != nil {
			return err
		}
	}
	for _, role := range []string{roleRuntime, roleCosigner} {
		path := in.path(role, policyFile)
		if err := once(path, func() error { return keystore.WritePrivateFile(path, text) }); err != nil {
			return err
		}
	}
	// As the co-signer will read it, plugins beside it included: not found out when it starts elsewhere.
	_, err := policy.Load(in.path(roleCosigner, policyFile), policy.Options{Cosigner: true})
	return err
}

func (in *installation) configurations(context.Context) error {
	for role, text := range map[string]string{roleRuntime: in.runtimeYAML(), roleCosigner: in.cosignerYAML(), roleRecovery: in.recoveryYAML()} {
		path := in.configPath(role)
		if err := once(path, func() error { return keystore.WritePrivateFile(path, []byte(text)) }); err != nil {
			return err
		}
	}
	return nil
}

// pinned compares what the configurations pin with the keys that are there: a folder may have been made anew after its
// machine was lost, and nothing is replaced.
func (in *installation) pinned(context.Context) error {
	for _, role := range seatNames {
		parts, _, err := readSeatConfig(in.configPath(role))
		if err != nil {
			return err
		}
		for _, other := range seatNames {
			if other != role && parts.pinned[seatRole(other)] != in.publicKeys[other] {
				return &abi.Error{
					Code: "config_invalid", Where: in.configPath(role), Message: fmt.Sprintf("it pins another key than the %s has, %s", other, in.publicKeys[other]),
					Fix: "if that host was made anew, write its key there, and then: purser ceremony recover --lost " + other,
				}
			}
		}
	}
	return nil
}

// keystores makes each role's keystore, sealed to its ledger, one after the other: no two are open together.
func (in *installation) keystores(ctx context.Context) error {
	for _, role := range seatNames {
		host, err := openSeatHost(ctx, in.configPath(role), "")
		if err != nil {
			return err
		}
		if err := host.Close(); err != nil {
			return err
		}
	}
	return nil
}

// whole describes the wallet if all three hosts have the same epoch of it in force and nothing left to settle, else it
// returns nil. It looks at one host after the other and opens no share.
func (in *installation) whole(ctx context.Context) (map[string]any, error) {
	var found ceremony.Result
	for i, role := range seatNames {
		host, err := openSeatHost(ctx, in.configPath(role), "")
		if err != nil {
			return nil, err
		}
		status, err := host.shares.Status(in.wallet)
		if err == nil && role == roleRecovery { // its record lies in the clear beside the share
			found.Wallet = in.wallet
			var terms ceremony.Terms
			terms, _, err = host.shares.Terms(ctx, in.wallet)
			found.Scheme, found.PublicKey = terms.Scheme, terms.PublicKey
		}
		if closed := host.Close(); err == nil {
			err = closed
		}
		if err != nil || status.Active == nil || len(status.Pending) > 0 || len(status.Retiring) > 0 || (i > 0 && *status.Active != found.Epoch) {
			return nil, err
		}
		found.Epoch = *status.Active
	}
	if len(found.PublicKey) == 0 {
		return nil, nil //nolint:nilnil // the ceremony will tell
	}
	address, err := preimage.EVMAddress(found.PublicKey)
	found.Address, found.Finished = address, true
	return ceremonyView(signer.RoleCoSigner, found), err
}

// yamlList writes a flow sequence of strings.
func yamlList(list []string) string {
	quoted := make([]string, len(list))
	for i, text := range slices.Sorted(slices.Values(list)) {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
