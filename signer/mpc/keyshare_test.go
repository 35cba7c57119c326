package mpc

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"

	"github.com/purserhq/purser/abi"
)

func encodedShare(t testing.TB, role Role) []byte {
	t.Helper()
	data, err := demoShare(t, role).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAKeyshareHasOneEncoding(t *testing.T) {
	for _, role := range everyRole {
		file, err := os.ReadFile(fmt.Sprintf("demowallet/share%d.bin", role))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file, encodedShare(t, role)) || len(file) != KeyshareBytes {
			t.Errorf("the %s's keyshare does not encode to the bytes it was read from", role)
		}
	}
	if _, err := (Keyshare{}).MarshalBinary(); abi.CodeOf(err) != CodeInputInvalid {
		t.Errorf("the zero keyshare encoded: %v", err)
	}
}

func TestAKeyshareWhoseNumbersContradictEachOtherIsRefused(t *testing.T) {
	add := func(x *big.Int, n int64) { x.Add(x, big.NewInt(n)) }
	tests := map[string]func(*keyshareSecret){
		"another share":                func(s *keyshareSecret) { add(s.xi, 1) },
		"a zero share":                 func(s *keyshareSecret) { s.xi.SetInt64(0) },
		"a share above the order":      func(s *keyshareSecret) { s.xi.Set(curveOrder) },
		"another role's share":         func(s *keyshareSecret) { s.role = CoSigner },
		"a zero id":                    func(s *keyshareSecret) { s.parties[1].id.SetInt64(0) },
		"an id above the order":        func(s *keyshareSecret) { s.parties[1].id.Set(curveOrder) },
		"equal ids":                    func(s *keyshareSecret) { s.parties[1].id.Set(s.parties[2].id) },
		"another id":                   func(s *keyshareSecret) { add(s.parties[2].id, 1) },
		"a public share off the curve": func(s *keyshareSecret) { add(s.parties[2].share.y, 1) },
		"a public share at infinity":   func(s *keyshareSecret) { s.parties[2].share = curvePoint{new(big.Int), new(big.Int)} },
		"public shares swapped": func(s *keyshareSecret) {
			s.parties[1].share, s.parties[2].share = s.parties[2].share, s.parties[1].share
		},
		"a public key off the curve":    func(s *keyshareSecret) { add(s.key.x, 1) },
		"another public key":            func(s *keyshareSecret) { s.key = s.parties[1].share },
		"an even Paillier modulus":      func(s *keyshareSecret) { add(s.parties[1].paillier, 1) },
		"a short Paillier modulus":      func(s *keyshareSecret) { s.parties[1].paillier.Rsh(s.parties[1].paillier, 1) },
		"a shared Paillier modulus":     func(s *keyshareSecret) { s.parties[1].paillier.Set(s.parties[2].paillier) },
		"a ring that is a Paillier one": func(s *keyshareSecret) { s.parties[1].ring.Set(s.parties[1].paillier) },
		"a base of one":                 func(s *keyshareSecret) { s.parties[1].h1.SetInt64(1) },
		"a base of zero":                func(s *keyshareSecret) { s.parties[1].h2.SetInt64(0) },
		"equal bases":                   func(s *keyshareSecret) { s.parties[1].h2.Set(s.parties[1].h1) },
		"a base above its ring":         func(s *keyshareSecret) { s.parties[1].h1.Set(s.parties[1].ring) },
		"another Paillier factor":       func(s *keyshareSecret) { add(s.p, 2) },
		"one Paillier factor twice":     func(s *keyshareSecret) { s.q.Set(s.p) },
		"trivial Paillier factors":      func(s *keyshareSecret) { s.p.SetInt64(1); s.q.SetInt64(1) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			var share Keyshare
			if err := share.UnmarshalBinary(encodedShare(t, Runtime)); err != nil {
				t.Fatal(err)
			}
			change(share.secret)
			data, err := share.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var got Keyshare
			wantCode(t, got.UnmarshalBinary(data), CodeKeyshareInvalid)
			if got.secret != nil {
				t.Error("a refused keyshare was kept")
			}
		})
	}
}

func TestBytesThatAreNoKeyshareAreRefused(t *testing.T) {
	good := encodedShare(t, Runtime)
	change := func(at int, to byte) []byte {
		data := bytes.Clone(good)
		data[at] = to
		return data
	}
	tests := map[string][]byte{
		"nothing":             nil,
		"one byte less":       good[:len(good)-1],
		"one byte more":       append(bytes.Clone(good), 0),
		"another magic":       change(0, 'P'),
		"another version":     change(16, 2),
		"role 0":              change(17, 0),
		"role 4":              change(17, 4),
		"another threshold":   change(18, 2),
		"another party count": change(19, 2),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			share := demoShare(t, CoSigner)
			wantCode(t, share.UnmarshalBinary(data), CodeKeyshareInvalid)
			if share.Role() != CoSigner {
				t.Error("a failed decode changed the keyshare")
			}
		})
	}
}

func FuzzKeyshareDecoder(f *testing.F) {
	for _, role := range everyRole {
		f.Add(encodedShare(f, role))
	}
	f.Add([]byte(keyshareMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		var share Keyshare
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

func TestSigningLeavesTheKeyshareUntouched(t *testing.T) {
	before := encodedShare(t, Runtime)
	honestSession(t)
	if !bytes.Equal(before, encodedShare(t, Runtime)) {
		t.Error("a session changed the keyshare")
	}
	data := demoShare(t, Runtime).secret.forLibrary()
	data.Xi.SetInt64(0)
	data.Ks[0].SetInt64(0)
	data.PaillierSK.P.SetInt64(0)
	if !bytes.Equal(before, encodedShare(t, Runtime)) {
		t.Error("the library's copy shares memory with the keyshare")
	}
}

// spellings are the forms in which a secret number could show up in text.
func spellings(x *big.Int) []string {
	raw := x.Bytes()
	return []string{
		x.String(), x.Text(16), strings.ToUpper(x.Text(16)), string(raw), hex.EncodeToString(raw),
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		fmt.Sprintf("%v", raw), fmt.Sprintf("%#v", raw), fmt.Sprintf("%v", x.Bits()), fmt.Sprintf("%#v", x.Bits()),
	}
}

func wantNoSecret(t *testing.T, what, text string) {
	t.Helper()
	s := demoShare(t, Runtime).secret
	for name, secret := range map[string]*big.Int{"share": s.xi, "p": s.p, "q": s.q} {
		for _, spelling := range spellings(secret) {
			if strings.Contains(text, spelling) {
				t.Errorf("%s shows the %s", what, name)
			}
		}
	}
}

func TestAKeyshareNeverPrints(t *testing.T) {
	share := demoShare(t, Runtime)
	holder := struct {
		Public Keyshare
		hidden Keyshare
		point  *Keyshare
	}{share, share, &share}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%U", "%T", "%p", "%08.3f"} {
		for what, value := range map[string]any{
			"the keyshare": share, "a pointer": &share, "a struct": holder, "a slice": []Keyshare{share},
			"a map": map[string]Keyshare{"k": share}, "an error": fmt.Errorf("bad %v: %w", share, errors.New("x")),
		} {
			wantNoSecret(t, what+" with "+verb, fmt.Sprintf(verb, value))
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s", share, share, share, share); got != "[redacted] [redacted] [redacted] [redacted]" {
		t.Errorf("got %s", got)
	}
	data, err := json.Marshal(map[string]any{"value": share, "pointer": &share, "struct": holder})
	if err != nil {
		t.Fatal(err)
	}
	wantNoSecret(t, "JSON", string(data))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(t.Context(), "x", "share", share, "in", holder)
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "x", "share", share, "in", holder)
	wantNoSecret(t, "a log", log.String())
	text, err := share.MarshalText()
	if err != nil || string(text) != "[redacted]" || share.String() != "[redacted]" || share.GoString() != "[redacted]" {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestPreParamsNeverPrint(t *testing.T) {
	s := demoShare(t, Runtime).secret
	pre := PreParams{secret: &preParamsSecret{numbers: keygen.LocalPreParams{P: s.p, Q: s.q, Alpha: s.xi}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		wantNoSecret(t, verb, fmt.Sprintf(verb, pre)+fmt.Sprintf(verb, struct{ p PreParams }{pre}))
	}
	data, err := json.Marshal(pre)
	if err != nil || string(data) != `"[redacted]"` {
		t.Errorf("got %s, %v", data, err)
	}
}
