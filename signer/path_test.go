package signer

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/google/go-cmp/cmp"
)

// extended is a serialized extended public key of BIP-32.
type extended struct {
	chainCode [32]byte
	key       []byte // uncompressed
}

func parseExtended(t *testing.T, text string) extended {
	t.Helper()
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	number := new(big.Int)
	for _, c := range text {
		at := strings.IndexRune(alphabet, c)
		if at < 0 {
			t.Fatalf("%q is no base58", text)
		}
		number.Add(number.Mul(number, big.NewInt(58)), big.NewInt(int64(at)))
	}
	raw := number.FillBytes(make([]byte, 82)) // version, depth, parent, index, chain code, key, checksum
	first := sha256.Sum256(raw[:78])
	second := sha256.Sum256(first[:])
	if string(second[:4]) != string(raw[78:]) {
		t.Fatalf("%.20s...: the checksum is wrong", text)
	}
	key, err := secp256k1.ParsePubKey(raw[45:78])
	if err != nil {
		t.Fatal(err)
	}
	return extended{[32]byte(raw[13:45]), key.SerializeUncompressed()}
}

// The published test vectors 1 and 2 of BIP-32, at their levels without hardening. Each tweak is checked too: the
// child's key is the parent's plus the tweak times the generator.
func TestPublicDerivationGivesThePublishedKeys(t *testing.T) {
	for _, test := range []struct{ name, parent, path, child string }{
		{
			"vector 1, m/0' to m/0'/1",
			"xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
			"m/1",
			"xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ",
		},
		{
			"vector 1, m/0'/1/2' to m/0'/1/2'/2/1000000000",
			"xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
			"m/2/1000000000",
			"xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
		},
		{
			"vector 2, m to m/0",
			"xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB",
			"m/0",
			"xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH",
		},
		{
			"vector 2, m/0/2147483647' to m/0/2147483647'/1",
			"xpub6ASAVgeehLbnwdqV6UKMHVzgqAG8Gr6riv3Fxxpj8ksbH9ebxaEyBLZ85ySDhKiLDBrQSARLq1uNRts8RuJiHjaDMBU4Zn9h8LZNnBC5y4a",
			"m/1",
			"xpub6DF8uhdarytz3FWdA8TvFSvvAh8dP3283MY7p2V4SeE2wyWmG5mg5EwVvmdMVCQcoNJxGoWaU9DCWh89LojfZ537wTfunKau47EL2dhHKon",
		},
	} {
		parent, want := parseExtended(t, test.parent), parseExtended(t, test.child)
		child, err := Wallet{ID: "root", PublicKey: parent.key, ChainCode: NewChainCode(parent.chainCode)}.At(test.path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.key, child.PublicKey); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
		if added := addTweak(t, parent.key, child.Derivation.Tweak); string(added) != string(want.key) {
			t.Errorf("%s: the tweak does not lead to the key", test.name)
		}
	}
}

func addTweak(t *testing.T, key []byte, tweak [32]byte) []byte {
	t.Helper()
	point, err := secp256k1.ParsePubKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var scalar secp256k1.ModNScalar
	scalar.SetBytes(&tweak)
	var from, by, sum secp256k1.JacobianPoint
	point.AsJacobian(&from)
	secp256k1.ScalarBaseMultNonConst(&scalar, &by)
	secp256k1.AddNonConst(&from, &by, &sum)
	sum.ToAffine()
	return secp256k1.NewPublicKey(&sum.X, &sum.Y).SerializeUncompressed()
}

func TestAPathHasOneSpellingAndNoHardenedLevel(t *testing.T) {
	wallet := Wallet{ID: "root", PublicKey: keyOf("root").PubKey().SerializeUncompressed(), ChainCode: NewChainCode([32]byte{1})}
	for _, path := range []string{
		"m", "/1", "1", "m/", "m//1", "m/1/", "M/1", "m/01", "m/+1", "m/-1", "m/1'", "m/1h", "m/2147483648", "m/99999999999999999999", "m/ 1",
		"m/1/2/3/4/5", "m/0x1", "m/1_0", strings.Repeat("m/1", 1000),
	} {
		if child, err := wallet.At(path); err == nil {
			t.Errorf("%.20q is the key %s", path, child.Address)
		}
	}
	if _, err := (Wallet{ID: "unique", PublicKey: wallet.PublicKey}).At("m/1"); err == nil {
		t.Error("a wallet without a chain code has a child")
	}
	child, err := wallet.At("m/1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.At("m/2"); err == nil {
		t.Error("a child has a child")
	}
}

func TestAnAgentsPathIsItsNamesAndNothingElse(t *testing.T) {
	seen := map[string]string{}
	for _, names := range [][2]string{{"default", "shopper"}, {"default", "buyer"}, {"defaults", "hopper"}, {"", "defaultshopper"}, {"defaultshopper", ""}} {
		path := AgentPath(names[0], names[1])
		if path != AgentPath(names[0], names[1]) {
			t.Error("the path changes")
		}
		if other, taken := seen[path]; taken {
			t.Errorf("%q and %q share %s", names, other, path)
		}
		seen[path] = strings.Join(names[:], " ")
		if _, err := parsePath(path); err != nil {
			t.Error(err)
		}
	}
}

// The chain code links every agent to its wallet and, with one child's secret, gives the root's.
func TestAChainCodeNeverPrints(t *testing.T) {
	var code [32]byte
	_, _ = rand.Read(code[:]) // never fails, see crypto/rand
	wallet := Wallet{ID: "root", PublicKey: keyOf("root").PubKey().SerializeUncompressed(), ChainCode: NewChainCode(code)}
	asJSON, err := json.Marshal(wallet)
	if err != nil {
		t.Fatal(err)
	}
	_, badPath := wallet.At("m/1'")
	session := Session{ID: [32]byte{1}, Wallet: wallet.ID, Self: RoleRuntime, Peer: RoleCoSigner}
	texts := []string{string(asJSON), badPath.Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, wallet), fmt.Sprintf(verb, &wallet), fmt.Sprintf(verb, wallet.ChainCode), fmt.Sprintf(verb, session), fmt.Sprintf(verb, badPath))
	}
	for _, text := range texts {
		for _, spelling := range []string{string(code[:]), fmt.Sprintf("%x", code), fmt.Sprintf("%X", code), strings.Trim(fmt.Sprint(code), "[]"), strings.Trim(fmt.Sprintf("%#v", code), "[32]uint8{}")} {
			if strings.Contains(text, spelling) {
				t.Errorf("the chain code is in %.100s", text)
			}
		}
	}
}
