package keystore

import (
	"bytes"
	"testing"
	"time"
)

// Every decoder: what it accepts has one encoding, and it never panics.

func FuzzDecodeSealed(f *testing.F) {
	for name, file := range furnished(f).live {
		if !file.folder && name != headPath {
			f.Add(file.content[:len(file.content)-macBytes])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, ok := decodeSealed(data)
		if ok && !bytes.Equal(file.encode(), data) {
			t.Errorf("a second encoding: %x", data)
		}
		if ok && file.label.kind == kindShare {
			decodeRecord(file.public, file.label.scheme)
		}
	})
}

func FuzzDecodeHead(f *testing.F) {
	content := furnished(f).live[headPath].content
	f.Add(content[:len(content)-macBytes])
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, ok := decodeHead(data); ok && !bytes.Equal(h.encode(), data) {
			t.Errorf("a second encoding: %x", data)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	f.Add(State{Wallet: "a", Epoch: 3, Previous: 2, Phase: PhaseSuperseding, Claim: "agent-1", Changes: 9}.encode())
	f.Add(State{Wallet: "a", Phase: PhaseSettled, Pooled: true, Changes: 1}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, ok := decodeState(data); ok && !bytes.Equal(s.encode(), data) {
			t.Errorf("a second encoding: %x", data)
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(testShare("a", 0, "x").Public.encode(), true)
	f.Add(Record{PublicKey: make([]byte, 32), Created: time.Unix(1, 0)}.encode(), false)
	f.Fuzz(func(t *testing.T, data []byte, ecdsa bool) {
		scheme := SchemeEdDSA
		if ecdsa {
			scheme = SchemeECDSA
		}
		if r, ok := decodeRecord(data, scheme); ok && !bytes.Equal(r.encode(), data) {
			t.Errorf("a second encoding: %x", data)
		}
	})
}

func FuzzDecodeRecovery(f *testing.F) {
	f.Add(encodeRecovery(recoveryShare("blob")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, ok := decodeRecovery(data); ok && !bytes.Equal(encodeRecovery(s), data) {
			t.Errorf("a second encoding: %x", data)
		}
	})
}

func FuzzDecodePassphraseWrapped(f *testing.F) {
	seed := argonParameters{passes: argonPasses, memoryKiB: argonMemoryKiB, lanes: argonLanes}.append(nil)
	f.Add(append(seed, make([]byte, 72)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		argon, nonce, ciphertext, ok := decodePassphraseWrapped(data)
		if ok && !bytes.Equal(append(append(argon.append(nil), nonce...), ciphertext...), data) {
			t.Errorf("a second encoding: %x", data)
		}
	})
}

func FuzzShareName(f *testing.F) {
	f.Add("a.0.share")
	f.Add("a.00.share")
	f.Add("../a.0.share")
	f.Fuzz(func(t *testing.T, name string) {
		if wallet, epoch, ok := shareOf(name); ok && sharePath(wallet, epoch) != "shares/"+name {
			t.Errorf("%q names %q %d", name, wallet, epoch)
		}
	})
}

func FuzzSplitSecrets(f *testing.F) {
	f.Add(testShare("a", 0, "blob").secrets())
	f.Add(append([]byte{1}, make([]byte, 33)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		blob, chain, ok := splitSecrets(data)
		if ok && !bytes.Equal(Share{Blob: blob, ChainCode: chain}.secrets(), data) {
			t.Errorf("a second encoding: %x", data)
		}
	})
}
