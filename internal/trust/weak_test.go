package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/purserhq/purser/abi"
)

// Ed25519 as Go has it takes a signature of nobody under such a key, so a list that names one would trust everybody.
func TestAKeyThatAnybodyCanSignForIsNoSigner(t *testing.T) {
	nobody := append([]byte{1}, make([]byte, 63)...) // R is the neutral point, S is 0
	if identity := append([]byte{1}, make([]byte, 31)...); !ed25519.Verify(identity, []byte("anything"), nobody) {
		t.Fatal("the attack that this is against does not work")
	}
	for _, text := range weakKeys {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) != 32 {
			t.Fatal(text, err)
		}
		for _, sign := range []byte{0, 0x80} {
			raw := append([]byte("Ed\x01\x02\x03\x04\x05\x06\x07\x08"), key...)
			raw[len(raw)-1] |= sign
			if _, err := ParsePublicKey(base64.StdEncoding.EncodeToString(raw)); abi.CodeOf(err) != CodeKeyInvalid {
				t.Errorf("%x: %v", raw, err)
			}
		}
	}
	made, err := GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 128)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := made.Public(); err != nil {
		t.Errorf("a good key: %v", err)
	}
}
