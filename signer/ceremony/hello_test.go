package ceremony

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
)

func testHello() hello {
	keys := map[signer.Role]ed25519.PublicKey{}
	for _, role := range everyRole {
		keys[role] = bytes.Repeat([]byte{byte(role)}, ed25519.PublicKeySize)
	}
	terms := Terms{Scheme: keystore.SchemeECDSA, Networks: []abi.Network{"eip155:8453", "eip155:1"}, PublicKey: []byte{4, 1}, Chain: chainNone}
	return newHello(Plan{Operation: OperationRefresh, Wallet: "w"}, keys, terms, true, Status{Active: has(1), Pending: []uint32{3, 2}}, make([]byte, nonceBytes))
}

func TestAHelloHasOneEncoding(t *testing.T) {
	h := testHello()
	back, ok := decodeHello(h.encode())
	if !ok || back != h {
		t.Fatalf("%q came back as %q", h, back)
	}
	status, ok := back.status()
	if !ok || !status.has(1) || len(status.Pending) != 2 || status.Pending[0] != 2 {
		t.Errorf("status %+v", status)
	}
	terms, err := back.terms()
	if err != nil || len(terms.Networks) != 2 || terms.Networks[0] != "eip155:1" || !bytes.Equal(terms.PublicKey, []byte{4, 1}) {
		t.Errorf("terms %+v, %v", terms, err)
	}
}

func TestAStateThatNoSeatWritesIsRefused(t *testing.T) {
	for _, change := range []func(*hello){
		func(h *hello) { h[fieldActive] = "1 2" },
		func(h *hello) { h[fieldActive] = "-1" },
		func(h *hello) { h[fieldActive] = "01" },
		func(h *hello) { h[fieldPending] = "3 2" },
		func(h *hello) { h[fieldPending] = "2 2" },
		func(h *hello) { h[fieldPending] = "4294967296" },
		func(h *hello) { h[fieldPending] = strings.TrimSpace(strings.Repeat("1 ", epochsMax+1)) },
		func(h *hello) { h[fieldInPool] = "perhaps" },
		func(h *hello) { h[fieldNonce] = "00" },
	} {
		h := testHello()
		change(&h)
		if _, ok := h.status(); ok {
			t.Errorf("%q was read", h)
		}
	}
}

// FuzzHello: whatever a seat says, it is read as what it says or refused, and nothing else is taken from it.
func FuzzHello(f *testing.F) {
	h := testHello()
	f.Add(h.encode())
	f.Add([]byte(helloTitle + "\n"))
	f.Add(bytes.Repeat([]byte("operation: \n"), int(fields)))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, ok := decodeHello(data)
		if !ok {
			return
		}
		if !bytes.Equal(h.encode(), data) {
			t.Fatalf("%q has a second encoding %q", h, data)
		}
		_, _ = h.status()
		_, _ = h.terms()
		_, _ = compare([3]hello{testHello(), h, testHello()})
	})
}
