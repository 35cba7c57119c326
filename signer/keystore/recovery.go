package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

const (
	recoveryMagic         = "purser recovery share\n"
	recoveryVersion       = 1
	recoveryRecipientsMax = 16
	recoveryPlainBytesMax = len(recoveryMagic) + 1 + labelBytesMax + 4 + recordBytesMax + 4 + BlobBytesMax
	// RecoveryBytesMax bounds a sealed recovery share: armor needs 4 bytes for 3, plus headers.
	RecoveryBytesMax = 2 * recoveryPlainBytesMax
	// RecoveryIdentityBytesMax bounds an age identity file.
	RecoveryIdentityBytesMax = 16 << 10
)

// SealForRecovery encrypts share 3 to the recovery recipients, X25519 keys of age (age-encryption.org/v1) written
// "age1...", any one of which opens it. It refuses the other roles' shares: whoever opened one of those beside share 3
// would hold the wallet. The result is armored text.
func SealForRecovery(recipients []string, share Share) ([]byte, error) {
	if err := share.check(); err != nil {
		return nil, err
	}
	if share.Role != signer.RoleRecovery {
		return nil, inputError("role", "only the recovery share is sealed for recovery, this is the %s's", share.Role)
	}
	if len(recipients) == 0 || len(recipients) > recoveryRecipientsMax {
		return nil, inputError("recipients", "a recovery share has 1 to %d recipients", recoveryRecipientsMax)
	}
	keys := make([]age.Recipient, len(recipients))
	for i, text := range recipients {
		key, err := age.ParseX25519Recipient(text)
		if err != nil { // its text repeats the input, which may be a secret key pasted by mistake
			return nil, inputError(fmt.Sprintf("recipients[%d]", i), "this is no X25519 recipient of age, age1...")
		}
		keys[i] = key
	}
	plain := encodeRecovery(share)
	defer wipe(plain)
	var text bytes.Buffer
	lines := armor.NewWriter(&text)
	writer, err := age.Encrypt(lines, keys...)
	if err == nil {
		_, err = writer.Write(plain)
	}
	if err == nil {
		err = errors.Join(writer.Close(), lines.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("seal share for recovery: %w", err)
	}
	return text.Bytes(), nil
}

// OpenRecovery decrypts a share that [SealForRecovery] made, armored or binary, with the content of an age identity
// file. The caller wipes the blob and the identity.
func OpenRecovery(identity Secret, data []byte) (Share, error) {
	if len(data) > RecoveryBytesMax || len(identity.Bytes()) > RecoveryIdentityBytesMax {
		return Share{}, recoveryInvalid("the file is too long", nil)
	}
	keys, err := age.ParseIdentities(bytes.NewReader(identity.Bytes()))
	if err != nil { // its text may repeat parts of a key
		return Share{}, inputError("identity", "the file holds no age identities, AGE-SECRET-KEY-1...")
	}
	var source io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(armor.Header)) {
		source = armor.NewReader(source)
	}
	decrypted, err := age.Decrypt(source, keys...)
	var stranger *age.NoIdentityMatchError
	if errors.As(err, &stranger) {
		return Share{}, &abi.Error{Code: CodeRecoveryOtherRecipient, Message: "the recovery share is not sealed to this identity", Fix: "use an identity it was sealed to", Retry: abi.RetryNever}
	}
	if err != nil {
		return Share{}, recoveryInvalid("this is no age file", err)
	}
	plain := make([]byte, recoveryPlainBytesMax+1)
	defer wipe(plain)
	n, err := io.ReadFull(decrypted, plain)
	if err == nil {
		return Share{}, recoveryInvalid("the share is too long", nil)
	}
	// ReadFull says "unexpected end" of a whole and of a cut-off file alike: only the stream knows which.
	if _, err = decrypted.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return Share{}, recoveryInvalid("the file is damaged", err)
	}
	share, ok := decodeRecovery(plain[:n])
	if !ok {
		return Share{}, recoveryInvalid("the file holds no recovery share of this version", nil)
	}
	return share, nil
}

func recoveryInvalid(message string, cause error) error {
	return &abi.Error{Code: CodeRecoveryInvalid, Message: message, Fix: "use another copy of the recovery share", Retry: abi.RetryNever, Cause: cause}
}

// encodeRecovery: magic(22) version(1)=1 label record(4+n) blob(4+n).
func encodeRecovery(share Share) []byte {
	data := make([]byte, 0, recoveryPlainBytesMax) // never grows, so no copy of the blob stays behind
	data = append(append(data, recoveryMagic...), recoveryVersion)
	data = appendSized32(share.label().append(data), share.Public.encode())
	return appendSized32(data, share.Blob.Bytes())
}

// decodeRecovery copies what it keeps.
func decodeRecovery(data []byte) (Share, bool) {
	r := reader{rest: data}
	r.expect(recoveryMagic + string(rune(recoveryVersion)))
	l := readLabel(&r)
	public, blob := r.sized(4, recordBytesMax), r.sized(4, BlobBytesMax)
	if !r.done() || l.kind != kindShare || l.role != signer.RoleRecovery || len(blob) == 0 {
		return Share{}, false
	}
	record, ok := decodeRecord(public, l.scheme)
	if !ok {
		return Share{}, false
	}
	return Share{Wallet: l.wallet, Epoch: l.epoch, Role: l.role, Scheme: l.scheme, Public: record, Blob: NewSecret(blob)}, true
}

// MakeRecoveryIdentity writes a new age identity to a file that only this user may read, never over another, and
// returns its recipient. Its randomness is age's own, crypto/rand.
func MakeRecoveryIdentity(path string, now func() time.Time) (recipient string, err error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("make recovery identity: %w", err)
	}
	recipient = key.Recipient().String()
	content := fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", now().UTC().Format(time.RFC3339), recipient, key)
	defer wipe(content)
	if err := WritePrivateFile(path, content); err != nil {
		return "", fmt.Errorf("make recovery identity: %w", err)
	}
	return recipient, nil
}
