package keystore

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("want -, got +:\n%s", diff)
	}
}

func TestAShareComesBackAsItWasPutAndTheListingNeedsNoKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	k := openTest(t, testConfig(dir))
	first, second := testShare("a", 0, "first"), testShare("b-2", 7, strings.Repeat("x", BlobBytesMax))
	first.ChainCode = signer.NewChainCode([32]byte{7})
	second.Scheme, second.Public.PublicKey, second.Public.Networks = SchemeEdDSA, make([]byte, 32), nil
	for _, share := range []Share{first, second} {
		must(t, k.Put(t.Context(), share))
	}
	_, err := k.Active("a")
	wantCode(t, err, CodeNotFound) // stored is not active
	must(t, k.Activate("b-2", 7))
	must(t, k.Close())
	must(t, k.Close())

	again := openTest(t, testConfig(dir))
	again.sealer.wrapper = nil // whatever is listed from here is listed without it
	holdings, err := again.Wallets()
	must(t, err)
	equal(t, holdings, []Holding{{
		Listed{"b-2", 7, SchemeEdDSA, second.Public}, State{Wallet: "b-2", Epoch: 7, Phase: PhaseSettled, Changes: 1},
	}})
	pending, err := again.Pending()
	must(t, err)
	equal(t, pending, []Listed{{"a", 0, SchemeECDSA, first.Public}})
	again.sealer.wrapper = fixedKey{1}
	if got := blobOf(t, again, "b-2", 7); got != string(second.Blob.Bytes()) {
		t.Error("another blob came back")
	}
	loaded, err := again.Load(t.Context(), "a", 0)
	must(t, err)
	wallet := loaded.SignerWallet()
	if code, chained := wallet.ChainCode.Reveal(); !chained || code != [32]byte{7} {
		t.Error("the chain code did not come back")
	}
	if _, chained := pending[0].SignerWallet().ChainCode.Reveal(); chained {
		t.Error("a listing unsealed a chain code")
	}
	wallet.ChainCode = signer.ChainCode{}
	if !reflect.DeepEqual(wallet, pending[0].SignerWallet()) || wallet.Address != first.Public.Address || wallet.ID != "a" {
		t.Errorf("the wallet came back as %+v", wallet)
	}
}

func TestAKeystoreOpensOnlyForItsRoleItsLedgerAndItsKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, openTest(t, testConfig(dir)).Put(t.Context(), testShare("a", 0, "blob")))
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	must(t, chmodAll(copied))
	for name, row := range map[string]struct {
		change func(*Config)
		code   string
	}{
		"the same":             {func(*Config) {}, ""},
		"a copy, its ledger":   {func(c *Config) { c.Dir = copied }, ""},
		"a copy, other ledger": {func(c *Config) { c.Dir, c.StoreID = copied, "other" }, CodeOtherStore},
		"another role":         {func(c *Config) { c.Role = signer.RoleRuntime }, CodeOtherRole},
		"another key":          {func(c *Config) { c.Wrapper = fixedKey{2} }, CodeLocked},
		"another wrapper":      {func(c *Config) { c.Wrapper = &CommandWrapper{} }, CodeOtherWrapper},
		"no wrapper":           {func(c *Config) { c.Wrapper = nil }, CodeInputInvalid},
		"no ledger":            {func(c *Config) { c.StoreID = "" }, CodeInputInvalid},
		"no role":              {func(c *Config) { c.Role = 0 }, CodeInputInvalid},
		"no folder":            {func(c *Config) { c.Dir = "" }, CodeInputInvalid},
		"a spaced ledger":      {func(c *Config) { c.StoreID = "a b" }, CodeInputInvalid},
	} {
		config := testConfig(dir)
		row.change(&config)
		k, err := Open(t.Context(), config)
		if row.code != "" {
			wantCode(t, err, row.code)
			continue
		}
		if err != nil {
			t.Fatal(name, err)
		}
		must(t, k.Close())
	}
}

func chmodAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}

func TestTheRulesOfEpochs(t *testing.T) {
	k := openOn(t, newMemoryDisk())
	must(t, k.Put(t.Context(), testShare("a", 3, "three")))
	wantCode(t, k.Activate("a", 4), CodeNotFound)
	must(t, k.Activate("a", 3))
	must(t, k.Activate("a", 3))
	wantCode(t, k.Put(t.Context(), testShare("a", 3, "three")), CodeEpochRefused)
	wantCode(t, k.Put(t.Context(), testShare("a", 2, "two")), CodeEpochRefused)
	wantCode(t, k.Destroy("a", 3), CodeEpochRefused)
	changed := testShare("a", 4, "four")
	changed.Public.PublicKey[9] = 1
	wantCode(t, k.Put(t.Context(), changed), CodeInputInvalid) // a refresh keeps the wallet
	must(t, k.Put(t.Context(), testShare("a", 4, "four")))
	must(t, k.Put(t.Context(), testShare("a", 5, "five")))
	must(t, k.Activate("a", 4))
	if _, err := k.Load(t.Context(), "a", 3); err == nil {
		t.Error("the superseded epoch loads")
	}
	wantCode(t, k.Activate("a", 3), CodeEpochRefused)
	wantCode(t, k.Activate("a", 5), CodeEpochRefused) // 3 is not destroyed
	must(t, k.Destroy("a", 3))
	wantCode(t, k.Destroy("a", 3), CodeNotFound)
	must(t, k.Destroy("a", 5)) // given up
	state, err := k.Active("a")
	must(t, err)
	equal(t, state, State{Wallet: "a", Epoch: 4, Phase: PhaseSettled, Changes: 3})
	pending, err := k.Pending()
	must(t, err)
	if len(pending) > 0 {
		t.Errorf("pending: %v", pending)
	}
}

func TestSharesThatDoNotFitAreRefused(t *testing.T) {
	d := newMemoryDisk()
	k := openOn(t, d)
	files := len(filesOf(d))
	for name, change := range map[string]func(*Share){
		"no wallet":          func(s *Share) { s.Wallet = "" },
		"a path":             func(s *Share) { s.Wallet = "../a" },
		"upper case":         func(s *Share) { s.Wallet = "A" },
		"a dotted wallet":    func(s *Share) { s.Wallet = "a.1" },
		"a long wallet":      func(s *Share) { s.Wallet = strings.Repeat("a", nameBytesMax+1) },
		"another role":       func(s *Share) { s.Role = signer.RoleRuntime },
		"no role":            func(s *Share) { s.Role = 0 },
		"another scheme":     func(s *Share) { s.Scheme = "rsa" },
		"no blob":            func(s *Share) { s.Blob = Secret{} },
		"a wiped blob":       func(s *Share) { s.Blob.Wipe() },
		"a huge blob":        func(s *Share) { s.Blob = NewSecret(make([]byte, BlobBytesMax+1)) },
		"a short key":        func(s *Share) { s.Public.PublicKey = s.Public.PublicKey[:64] },
		"a key of the other": func(s *Share) { s.Scheme = SchemeEdDSA },
		"an EdDSA chain code": func(s *Share) {
			s.Scheme, s.Public.PublicKey, s.ChainCode = SchemeEdDSA, make([]byte, 32), signer.NewChainCode([32]byte{1})
		},
		"a bad network":       func(s *Share) { s.Public.Networks[0] = "base" },
		"too many networks":   func(s *Share) { s.Public.Networks = append(s.Public.Networks, make([]abi.Network, networksMax)...) },
		"an address of lines": func(s *Share) { s.Public.Address = "0x\n" },
	} {
		share := testShare("a", 0, "blob")
		change(&share)
		if err := k.Put(t.Context(), share); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if len(filesOf(d)) != files {
		t.Error("a refused share left a file")
	}
}

func TestWhatOthersMayTouchIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"an open folder":           func(dir string) error { return os.Chmod(dir, 0o750) },
		"an open inner folder":     func(dir string) error { return os.Chmod(filepath.Join(dir, statesFolder), 0o701) },
		"a readable share":         func(dir string) error { return os.Chmod(filepath.Join(dir, sharePath("a", 0)), 0o640) },
		"a world-writable state":   func(dir string) error { return os.Chmod(filepath.Join(dir, statePath("a")), 0o602) },
		"a readable head":          func(dir string) error { return os.Chmod(filepath.Join(dir, headPath), 0o604) },
		"a linked share":           func(dir string) error { return relink(filepath.Join(dir, sharePath("a", 0))) },
		"a linked head":            func(dir string) error { return relink(filepath.Join(dir, headPath)) },
		"a linked inner folder":    func(dir string) error { return relink(filepath.Join(dir, sharesFolder)) },
		"a linked folder":          relink,
		"a folder for a share":     func(dir string) error { return os.Mkdir(filepath.Join(dir, "shares/b.0.share"), 0o700) },
		"a file for the folder":    func(dir string) error { return fileFor(dir) },
		"a file for a innerfolder": func(dir string) error { return fileFor(filepath.Join(dir, identitiesFolder)) },
	} {
		dir := filepath.Join(t.TempDir(), "keys")
		k := openTest(t, testConfig(dir))
		must(t, k.Put(t.Context(), testShare("a", 0, "blob")))
		must(t, k.Activate("a", 0))
		must(t, spoil(dir))
		_, err := Open(t.Context(), testConfig(dir))
		t.Log(name)
		wantCode(t, err, CodeExposed)
	}
}

func relink(path string) error {
	if err := os.Rename(path, path+"-elsewhere"); err != nil {
		return err
	}
	if strings.Contains(path, "/"+sharesFolder+"/") { // its target must not be what is complained about
		if err := os.Rename(path+"-elsewhere", filepath.Join(filepath.Dir(path), ".elsewhere")); err != nil {
			return err
		}
		return os.Symlink(".elsewhere", path)
	}
	return os.Symlink(filepath.Base(path)+"-elsewhere", path)
}

func fileFor(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.WriteFile(path, nil, 0o600)
}

func TestAFileOfAnotherUserIsForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, nil, 0o600))
	info, err := os.Lstat(path)
	must(t, err)
	if !owned(info, os.Geteuid()) || owned(info, os.Geteuid()+1) {
		t.Error("the owner of a file is not told apart from another user")
	}
	if os.Geteuid() != 0 {
		return
	}
	must(t, os.Chown(path, 12345, 12345))
	_, err = ReadPrivateFile(path, 10)
	wantCode(t, err, CodeExposed)
}

func TestDestroyLeavesNoBytesOfTheShareInTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	k := openTest(t, testConfig(dir))
	must(t, k.Put(t.Context(), testShare("a", 0, "blob")))
	keep := filepath.Join(t.TempDir(), "hardlink") // sees what happens to the file's blocks
	must(t, os.Link(filepath.Join(dir, sharePath("a", 0)), keep))
	must(t, k.Destroy("a", 0))
	content, err := os.ReadFile(keep)
	must(t, err)
	if len(content) == 0 || strings.Trim(string(content), "\x00") != "" {
		t.Errorf("the file was not overwritten: %d bytes", len(content))
	}
	names, err := os.ReadDir(filepath.Join(dir, sharesFolder))
	if err != nil || len(names) > 0 {
		t.Errorf("left: %v %v", names, err)
	}
}

func TestAnIdentityIsKeptAndNeverReplaced(t *testing.T) {
	k := openOn(t, newMemoryDisk())
	must(t, k.PutIdentity(t.Context(), "host", NewSecret([]byte("seed"))))
	wantCode(t, k.PutIdentity(t.Context(), "host", NewSecret([]byte("other"))), CodeInputInvalid)
	wantCode(t, k.PutIdentity(t.Context(), "../host", NewSecret([]byte("other"))), CodeInputInvalid)
	key, err := k.Identity(t.Context(), "host")
	if err != nil || string(key.Bytes()) != "seed" {
		t.Errorf("%v", err)
	}
	_, err = k.Identity(t.Context(), "nobody")
	wantCode(t, err, CodeNotFound)
}
