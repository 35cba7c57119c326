package keystore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/signer"
)

// The canary is put wherever a secret goes, and nothing that is printed, returned as an error or written to the folder
// may contain it.
func TestNoSecretLeavesInErrorsPrintsOrFiles(t *testing.T) {
	const canary = "CANARY-9f3a-in-a-coal-mine!!!!!!" // 32 bytes
	var seen bytes.Buffer
	say := func(values ...any) {
		for _, value := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&seen, verb+"\n", value)
			}
			document, err := json.Marshal(value)
			fmt.Fprintln(&seen, string(document), err)
			slog.New(slog.NewTextHandler(&seen, nil)).Info("said", "value", value)
			slog.New(slog.NewJSONHandler(&seen, nil)).Info("said", "value", value)
		}
	}
	dir := filepath.Join(t.TempDir(), "keys")
	wrapper := passphraseWrapper(t, canary)
	config := testConfig(dir)
	config.Wrapper = wrapper
	say(wrapper)
	k := openTest(t, config)
	share := testShare("a", 0, canary)
	share.ChainCode = signer.NewChainCode([32]byte([]byte(canary)))
	say(share, &share, []Share{share}, share.SignerWallet(), k, wrapper, config, k.Put(t.Context(), share), k.Put(t.Context(), share))
	say(k.PutIdentity(t.Context(), "host", NewSecret([]byte(canary))), k.PutIdentity(t.Context(), "host", NewSecret([]byte(canary))))
	pool, err := k.OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA})
	must(t, err)
	say(pool, pool.Add(t.Context(), NewSecret([]byte(canary))))
	loaded, err := k.Load(t.Context(), "a", 0)
	say(loaded, err)
	foreign := share
	foreign.Role = signer.RoleRuntime
	say(k.Put(t.Context(), foreign), k.Activate("a", 9), k.Destroy("a", 9))
	say(sayErr(SealForRecovery([]string{canary, "AGE-SECRET-KEY-1" + canary}, recoveryShare(canary))))
	say(sayErr(OpenRecovery(NewSecret([]byte("AGE-SECRET-KEY-1"+canary)), []byte("x"))))
	wrong := passphraseWrapper(t, canary+"?")
	config.Wrapper = wrong
	say(sayErr(Open(t.Context(), config)), wrong)

	program, key := kmsProgram(t)
	echo, err := NewCommandWrapper(CommandConfig{Argv: []string{program, "fails", key}})
	must(t, err)
	say(sayErr(echo.Wrap(t.Context(), []byte(canary), nil)), echo)
	must(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		seen.Write(content)
		return err
	}))
	if seen.Len() < 10_000 {
		t.Fatalf("only %d bytes were heard: the canary was not asked", seen.Len())
	}
	text := strings.ToLower(seen.String())
	for _, form := range []string{canary, hex.EncodeToString([]byte(canary)), strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"), canary[:12]} {
		if strings.Contains(text, strings.ToLower(form)) {
			t.Errorf("a secret got out as %.20q", form)
		}
	}
}

func sayErr[T any](_ T, err error) error { return err }

func TestAWipedSecretIsGone(t *testing.T) {
	secret := NewSecret([]byte("secret"))
	alias := secret.Bytes()
	secret.Wipe()
	if !bytes.Equal(alias, make([]byte, 6)) || secret.Bytes() != nil {
		t.Errorf("left: %q", alias)
	}
	Secret{}.Wipe()
}
