package keystore

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/signer"
)

// furnished is a keystore with one file of each kind, and a way to read all of them.
func furnished(t testing.TB) *memoryDisk {
	d := newMemoryDisk()
	k := openOn(t, d)
	must(t, k.Put(t.Context(), testShare("a", 0, "a0")))
	must(t, k.Activate("a", 0))
	must(t, k.Put(t.Context(), testShare("a", 1, "a1")))
	must(t, k.Put(t.Context(), testShare("b", 0, "b0")))
	must(t, k.Activate("b", 0))
	must(t, k.PutIdentity(t.Context(), "host", NewSecret([]byte("seed"))))
	must(t, k.PutIdentity(t.Context(), "other", NewSecret([]byte("seed"))))
	pool, err := k.OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA})
	must(t, err)
	must(t, pool.Add(t.Context(), NewSecret([]byte("item"))))
	return d
}

// readAll opens everything that the disk holds and returns the first refusal.
func readAll(t testing.TB, d *memoryDisk) error {
	k, err := open(t.Context(), testConfig("memory"), d)
	if err != nil {
		return err
	}
	for at := range k.shares {
		if _, err := k.Load(t.Context(), at.wallet, at.epoch); err != nil {
			return err
		}
	}
	for _, name := range []string{"host", "other"} {
		if _, err := k.Identity(t.Context(), name); err != nil {
			return err
		}
	}
	pool, err := k.OpenPool(PoolConfig{Name: "p", Scheme: SchemeECDSA})
	if err != nil {
		return err
	}
	for range pool.Depth() {
		if _, err := pool.Take(t.Context()); err != nil {
			return err
		}
	}
	return nil
}

func copyDisk(d *memoryDisk) *memoryDisk { return d.survivors()[0] }

func filesOf(d *memoryDisk) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.live)), func(name string) bool { return d.live[name].folder })
}

func TestEveryTamperedByteOfEveryFileIsRefused(t *testing.T) {
	d := furnished(t)
	must(t, readAll(t, copyDisk(d)))
	for _, name := range filesOf(d) {
		content := d.live[name].content
		for i := range content {
			evil := copyDisk(d)
			evil.live[name].content[i] ^= 1 << (i % 8)
			if readAll(t, evil) == nil {
				t.Errorf("%s: byte %d of %d may be changed", name, i, len(content))
			}
		}
		for what, changed := range map[string][]byte{
			"cut off": content[:len(content)-1], "empty": {}, "longer": append(bytes.Clone(content), 0), "zeros": make([]byte, len(content)),
		} {
			evil := copyDisk(d)
			evil.live[name].content = changed
			if readAll(t, evil) == nil {
				t.Errorf("%s: accepted when %s", name, what)
			}
		}
	}
}

func TestAFileInAnotherFilesPlaceIsRefused(t *testing.T) {
	d := furnished(t)
	for _, from := range filesOf(d) {
		for _, to := range append(filesOf(d), "shares/c.0.share", "shares/a.2.share", "shares/a.00.share", "shares/a.share", "states/c.state", "pools/p/copy.item", "pools/q/copy.item") {
			if from == to || path.Ext(from) != path.Ext(to) {
				continue
			}
			evil := copyDisk(d)
			evil.live["pools/q"] = &node{folder: true}
			evil.live[to] = &node{content: bytes.Clone(d.live[from].content)}
			err := readAll(t, evil)
			if strings.HasPrefix(to, "pools/q/") {
				k := openOn(t, evil)
				pool, openErr := k.OpenPool(PoolConfig{Name: "q", Scheme: SchemeECDSA})
				must(t, openErr)
				_, err = pool.Take(t.Context())
			}
			wantCode(t, err, CodeAltered)
		}
	}
}

// Whoever holds the key that authenticates files still has no key of a secret: what a secret is bound to holds without it.
func TestASecretDoesNotOpenUnderAnyOtherLabelEvenWithAForgedMAC(t *testing.T) {
	k := openOn(t, newMemoryDisk())
	home := testShare("a", 1, "secret").label()
	public := testShare("a", 1, "secret").Public.encode()
	data, err := k.sealer.seal(t.Context(), home, public, []byte("secret"))
	must(t, err)
	forge := func(change func(*sealed)) []byte {
		file, ok := decodeSealed(data[:len(data)-macBytes])
		if !ok {
			t.Fatal("our own file does not decode")
		}
		change(&file)
		body := file.encode()
		return append(body, k.sealer.mac(body)...)
	}
	secret, err := k.sealer.open(t.Context(), forge(func(*sealed) {}), home, "x")
	if err != nil || string(secret.Bytes()) != "secret" {
		t.Fatal("an unchanged file must open", err)
	}
	for name, change := range map[string]func(*sealed){
		"wallet":        func(s *sealed) { s.label.wallet = "b" },
		"epoch":         func(s *sealed) { s.label.epoch = 2 },
		"role":          func(s *sealed) { s.label.role = signer.RoleRuntime },
		"scheme":        func(s *sealed) { s.label.scheme = SchemeEdDSA },
		"kind":          func(s *sealed) { s.label = label{kind: kindIdentity, role: home.role, name: "a"} },
		"public record": func(s *sealed) { s.public = bytes.Replace(s.public, []byte("8453"), []byte("8454"), 1) },
		"wrapped key": func(s *sealed) {
			s.wrapped = append(bytes.Clone(s.wrapped[:len(s.wrapped)-1]), s.wrapped[len(s.wrapped)-1]^1)
		},
		"nonce":      func(s *sealed) { s.nonce = append([]byte{s.nonce[0] ^ 1}, s.nonce[1:]...) },
		"ciphertext": func(s *sealed) { s.ciphertext = append([]byte{s.ciphertext[0] ^ 1}, s.ciphertext[1:]...) },
	} {
		var place label
		forged := forge(func(s *sealed) { change(s); place = s.label })
		if _, err := k.sealer.open(t.Context(), forged, place, "x"); err == nil {
			t.Errorf("opens with another %s", name)
		}
	}
	other := *k.sealer
	other.store = "another-store"
	body := data[:len(data)-macBytes]
	if _, err := other.open(t.Context(), append(bytes.Clone(body), other.mac(body)...), home, "x"); err == nil {
		t.Error("opens beside another ledger")
	}
}

func TestAnEarlierFileOfTheSamePlaceIsNotLoadedWhileTheKeystoreIsOpen(t *testing.T) {
	d := furnished(t)
	earlier := bytes.Clone(d.live["shares/a.1.share"].content)
	k := openOn(t, d)
	must(t, k.Destroy("a", 1))
	must(t, k.Put(t.Context(), testShare("a", 1, "second attempt")))
	d.live["shares/a.1.share"].content = earlier
	_, err := k.Load(t.Context(), "a", 1)
	wantCode(t, err, CodeAltered)
	wantCode(t, k.Activate("a", 1), CodeAltered)
}

func TestAMissingHeadOrActiveShareClosesTheKeystore(t *testing.T) {
	for _, name := range []string{headPath, "shares/a.0.share"} {
		d := furnished(t)
		delete(d.live, name)
		_, err := open(t.Context(), testConfig("memory"), d)
		wantCode(t, err, CodeAltered)
	}
}
