package mpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

func edEncodedShare(t testing.TB, role Role) []byte {
	t.Helper()
	data, err := edShares(t)[role.Index()].MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAnEd25519KeyshareHasOneEncoding(t *testing.T) {
	for _, role := range everyRole {
		data := edEncodedShare(t, role)
		var share EdKeyshare
		if err := share.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		again, err := share.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) || len(data) != EdKeyshareBytes || share.Role() != role {
			t.Errorf("the %s's keyshare does not encode to the bytes it was read from: %v", role, err)
		}
		if share.PublicKey() != edShares(t)[0].PublicKey() || share.PublicKey() == (EdPublicKey{}) {
			t.Errorf("the %s's keyshare is of another key", role)
		}
	}
	if _, err := (EdKeyshare{}).MarshalBinary(); abi.CodeOf(err) != CodeInputInvalid {
		t.Errorf("the zero keyshare encoded: %v", err)
	}
	if (EdKeyshare{}).Role() != 0 || (EdKeyshare{}).PublicKey() != (EdPublicKey{}) {
		t.Error("the zero keyshare has a role or key")
	}
}

func TestAnEd25519KeyshareWhoseNumbersContradictEachOtherIsRefused(t *testing.T) {
	add := func(x *big.Int, n int64) { x.Add(x, big.NewInt(n)) }
	tests := map[string]func(*sharing){
		"another share":                func(s *sharing) { add(s.xi, 1) },
		"a zero share":                 func(s *sharing) { s.xi.SetInt64(0) },
		"a share above the order":      func(s *sharing) { s.xi.Add(s.xi, edOrder) },
		"another role's share":         func(s *sharing) { s.role = CoSigner },
		"a zero id":                    func(s *sharing) { s.ids[1].SetInt64(0) },
		"an id above the order":        func(s *sharing) { s.ids[1].Add(s.ids[1], edOrder) },
		"equal ids":                    func(s *sharing) { s.ids[1].Set(s.ids[2]) },
		"another id":                   func(s *sharing) { add(s.ids[2], 1) },
		"a public share off the curve": func(s *sharing) { add(s.public[2].y, 1) },
		"a neutral public share":       func(s *sharing) { s.public[2] = curvePoint{new(big.Int), big.NewInt(1)} },
		"a coordinate above the field": func(s *sharing) { s.public[2].x.Add(s.public[2].x, edField) },
		"public shares swapped":        func(s *sharing) { s.public[1], s.public[2] = s.public[2], s.public[1] },
		"a key off the curve":          func(s *sharing) { add(s.key.x, 1) },
		"another key":                  func(s *sharing) { s.key = s.public[1] },
		"the negated key":              func(s *sharing) { s.key.x.Sub(edField, s.key.x) },
		"a public share plus a point of small order": func(s *sharing) {
			minusOne := curvePoint{new(big.Int), new(big.Int).Sub(edField, bigOne)}
			s.public[2] = edGroup{}.add(s.public[2], minusOne)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			var share EdKeyshare
			if err := share.UnmarshalBinary(edEncodedShare(t, Runtime)); err != nil {
				t.Fatal(err)
			}
			change(share.secret)
			data, err := share.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var got EdKeyshare
			wantCode(t, got.UnmarshalBinary(data), CodeKeyshareInvalid)
			if got.secret != nil {
				t.Error("a refused keyshare was kept")
			}
		})
	}
}

func TestAKeyshareOfOneSchemeIsNoneOfTheOther(t *testing.T) {
	var share Keyshare
	wantCode(t, share.UnmarshalBinary(edEncodedShare(t, Runtime)), CodeKeyshareInvalid)
	var ed EdKeyshare
	wantCode(t, ed.UnmarshalBinary(encodedShare(t, Runtime)), CodeKeyshareInvalid)
}

func FuzzEd25519KeyshareDecoder(f *testing.F) {
	for _, role := range everyRole {
		f.Add(edEncodedShare(f, role))
	}
	f.Add([]byte(edKeyshareMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		var share EdKeyshare
		if err := share.UnmarshalBinary(data); err != nil {
			wantCode(t, err, CodeKeyshareInvalid)
			return
		}
		again, err := share.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("the decoded keyshare encodes to something else: %v", err)
		}
	})
}

func TestAnEd25519KeyshareNeverPrints(t *testing.T) {
	share := edShares(t)[0]
	holder := struct {
		Public EdKeyshare
		hidden EdKeyshare
		point  *EdKeyshare
	}{share, share, &share}
	secrets := []string{share.secret.xi.String(), share.secret.xi.Text(16), fmt.Sprintf("%d", share.secret.xi.Bytes())}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b"} {
		for _, value := range []any{share, &share, holder, []EdKeyshare{share}, map[string]EdKeyshare{"k": share}} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	data, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(data)
	for _, hidden := range secrets {
		if strings.Contains(strings.ToLower(printed.String()), hidden) {
			t.Error("the share was printed")
		}
	}
}
