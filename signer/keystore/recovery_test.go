package keystore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func recoveryShare(blob string) Share {
	share := testShare("a", 4, blob)
	share.Role = signer.RoleRecovery
	return share
}

func recoveryIdentity(t testing.TB) (recipient string, identity Secret) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "identity.age")
	recipient, err := MakeRecoveryIdentity(path, func() time.Time { return time.Unix(0, 0) })
	must(t, err)
	identity, err = ReadPrivateFile(path, RecoveryIdentityBytesMax)
	must(t, err)
	return recipient, identity
}

func TestARecoveryShareOpensForEachRecipientAndNobodyElse(t *testing.T) {
	first, firstKey := recoveryIdentity(t)
	second, secondKey := recoveryIdentity(t)
	_, strangerKey := recoveryIdentity(t)
	data, err := SealForRecovery([]string{first, second}, recoveryShare("blob"))
	must(t, err)
	for _, key := range []Secret{firstKey, secondKey} {
		share, err := OpenRecovery(key, data)
		must(t, err)
		want := recoveryShare("blob")
		if string(share.Blob.Bytes()) != "blob" {
			t.Error("another blob came back")
		}
		share.Blob, want.Blob = Secret{}, Secret{}
		equal(t, share.Public, want.Public)
		equal(t, share.label() == want.label(), true)
	}
	_, err = OpenRecovery(strangerKey, data)
	wantCode(t, err, CodeRecoveryOtherRecipient)
}

func TestADamagedRecoveryShareIsRefused(t *testing.T) {
	recipient, key := recoveryIdentity(t)
	parsed, err := age.ParseX25519Recipient(recipient)
	must(t, err)
	binary := func(plain []byte) []byte {
		var out bytes.Buffer
		w, err := age.Encrypt(&out, parsed)
		must(t, err)
		_, err = w.Write(plain)
		must(t, err)
		must(t, w.Close())
		return out.Bytes()
	}
	plain := encodeRecovery(recoveryShare("blob"))
	good := binary(plain)
	if share, err := OpenRecovery(key, good); err != nil || string(share.Blob.Bytes()) != "blob" {
		t.Fatal("binary age files open too", err)
	}
	for i := range good {
		changed := bytes.Clone(good)
		changed[i] ^= 1
		if _, err := OpenRecovery(key, changed); err == nil {
			t.Fatalf("byte %d may be changed", i)
		}
		if _, err := OpenRecovery(key, good[:i]); err == nil {
			t.Fatalf("%d of %d bytes are enough", i, len(good))
		}
	}
	signers := testShare("a", 0, "blob")
	for name, inner := range map[string][]byte{
		"empty": {}, "longer": append(bytes.Clone(plain), 0), "cut": plain[:len(plain)-1], "another role": encodeRecovery(signers),
		"huge": make([]byte, recoveryPlainBytesMax+1), "another version": append([]byte(recoveryMagic+"\x02"), plain[len(recoveryMagic)+1:]...),
	} {
		_, err := OpenRecovery(key, binary(inner))
		if code := abi.CodeOf(err); code != CodeRecoveryInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenRecovery(key, append(bytes.Clone(good), 1)); err == nil {
		t.Error("trailing bytes are accepted")
	}
	_, err = OpenRecovery(key, make([]byte, RecoveryBytesMax+1))
	wantCode(t, err, CodeRecoveryInvalid)
	_, err = OpenRecovery(NewSecret([]byte("AGE-SECRET-KEY-1NOTAKEY")), good)
	wantCode(t, err, CodeInputInvalid)
}

func TestOnlyTheRecoveryShareIsSealedForRecovery(t *testing.T) {
	recipient, _ := recoveryIdentity(t)
	_, err := SealForRecovery([]string{recipient}, testShare("a", 0, "share 2"))
	wantCode(t, err, CodeInputInvalid)
	for _, recipients := range [][]string{nil, {"age1nobody"}, {recipient, ""}, make([]string, recoveryRecipientsMax+1)} {
		_, err := SealForRecovery(recipients, recoveryShare("blob"))
		wantCode(t, err, CodeInputInvalid)
	}
}

func TestARecoveryIdentityFileIsPrivateAndNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.age")
	now := func() time.Time { return time.Unix(0, 0) }
	_, err := MakeRecoveryIdentity(path, now)
	must(t, err)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	before, err := os.ReadFile(path)
	must(t, err)
	if _, err := MakeRecoveryIdentity(path, now); err == nil {
		t.Error("an identity was overwritten")
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Error("the identity changed", err)
	}
}
