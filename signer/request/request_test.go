package request_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer/request"
)

var now = time.Unix(1_800_000_000, 0)

func seeded(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("worthless: " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(name string) ed25519.PublicKey {
	public, _ := seeded(name).Public().(ed25519.PublicKey) // always of that type
	return public
}

func signed(t testing.TB) (*abi.AgentRequest, *abi.Intent) {
	t.Helper()
	r, err := request.New("POST", "https://API.example.com:443/report?x=1", []byte("body"), abi.NewAmount(50_000), "order-0001", now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Sign(r, seeded("shopper")); err != nil {
		t.Fatal(err)
	}
	body := sha256.Sum256([]byte("body"))
	return r, &abi.Intent{
		Key: "order-0001", Method: "POST", URL: "https://API.example.com:443/report?x=1", Origin: "https://api.example.com", BodySHA256: body[:],
		Amount: abi.NewAmount(50_000), AmountMax: abi.NewAmount(50_000),
	}
}

func TestASignedRequestHoldsForExactlyWhatItSays(t *testing.T) {
	r, intent := signed(t)
	if err := request.Verify(r, publicOf("shopper"), now); err != nil {
		t.Error(err)
	}
	if err := request.Matches(r, intent); err != nil {
		t.Error(err)
	}
	for field, edit := range map[string]func(*abi.Intent){
		"origin":      func(i *abi.Intent) { i.Origin = "https://evil.example.com" },
		"method":      func(i *abi.Intent) { i.Method = "GET" },
		"url":         func(i *abi.Intent) { i.URL += "2" },
		"body_sha256": func(i *abi.Intent) { i.BodySHA256 = nil },
		"amount_max":  func(i *abi.Intent) { i.AmountMax = abi.NewAmount(50_001) },
		"key":         func(i *abi.Intent) { i.Key = "order-0002" },
	} {
		other := *intent
		edit(&other)
		err := request.Matches(r, &other)
		var coded *abi.Error
		if !errors.As(err, &coded) || coded.Code != "request_forged" || coded.Where != field {
			t.Errorf("another %s: %v", field, err)
		}
	}
	more := *intent
	more.Amount = abi.NewAmount(50_001)
	if err := request.Matches(r, &more); abi.CodeOf(err) != "request_forged" {
		t.Errorf("more than the agent signed: %v", err)
	}
	r.AmountMax, more.AmountMax = abi.Amount{}, abi.Amount{}
	if err := request.Matches(r, &more); err != nil {
		t.Errorf("without a ceiling: %v", err)
	}
}

func TestEveryEditedFieldBreaksTheSignature(t *testing.T) {
	for name, edit := range map[string]func(*abi.AgentRequest){
		"origin":         func(r *abi.AgentRequest) { r.Origin = "https://evil.example.com" },
		"method":         func(r *abi.AgentRequest) { r.Method = "GET" },
		"url":            func(r *abi.AgentRequest) { r.URL += "2" },
		"body":           func(r *abi.AgentRequest) { r.BodySHA256 = make([]byte, 32) },
		"amount":         func(r *abi.AgentRequest) { r.AmountMax = abi.Amount{} },
		"key":            func(r *abi.AgentRequest) { r.Key += "2" },
		"expiry":         func(r *abi.AgentRequest) { r.ExpiresUnixS++ },
		"public key":     func(r *abi.AgentRequest) { r.PublicKey = publicOf("reader") },
		"signature":      func(r *abi.AgentRequest) { r.Signature = make([]byte, 64) },
		"another signer": func(r *abi.AgentRequest) { r.Signature = ed25519.Sign(seeded("reader"), []byte("anything")) },
	} {
		r, _ := signed(t)
		edit(r)
		if err := request.Verify(r, publicOf("shopper"), now); abi.CodeOf(err) != "request_forged" {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, _ := signed(t)
	for _, key := range []ed25519.PublicKey{publicOf("reader"), nil, make([]byte, 31)} {
		if err := request.Verify(r, key, now); abi.CodeOf(err) != "request_forged" {
			t.Errorf("by a key of %d bytes: %v", len(key), err)
		}
	}
}

func TestARequestHoldsUntilItsExpiryAndNotForEver(t *testing.T) {
	r, _ := signed(t) // for an hour
	for _, c := range []struct {
		at   time.Duration
		code string
	}{
		{0, ""},
		{time.Hour - time.Second, ""},
		{time.Hour, "request_expired"},
		{48 * time.Hour, "request_expired"},
		{-request.LifeMax + time.Hour, ""},
		{-request.LifeMax + time.Hour - time.Second, "request_expired"},
	} {
		if err := request.Verify(r, publicOf("shopper"), now.Add(c.at)); abi.CodeOf(err) != c.code {
			t.Errorf("at %s: %v", c.at, err)
		}
	}
	if err := request.Verify(r, publicOf("shopper"), time.Unix(-1, 0)); abi.CodeOf(err) != "request_expired" {
		t.Errorf("before 1970: %v", err)
	}
}

func TestAMalformedRequestIsNeitherSignedNorVerifiedNorEncoded(t *testing.T) {
	long := strings.Repeat("a", 5000)
	for name, edit := range map[string]func(*abi.AgentRequest){
		"another domain":  func(r *abi.AgentRequest) { r.Domain = "purser.approval.v1" },
		"no origin":       func(r *abi.AgentRequest) { r.Origin = "" },
		"no method":       func(r *abi.AgentRequest) { r.Method = "" },
		"no url":          func(r *abi.AgentRequest) { r.URL = "" },
		"no key":          func(r *abi.AgentRequest) { r.Key = "" },
		"a long origin":   func(r *abi.AgentRequest) { r.Origin = long },
		"a long method":   func(r *abi.AgentRequest) { r.Method = long },
		"a long url":      func(r *abi.AgentRequest) { r.URL = long },
		"a long key":      func(r *abi.AgentRequest) { r.Key = long },
		"half a hash":     func(r *abi.AgentRequest) { r.BodySHA256 = r.BodySHA256[:16] },
		"a far end":       func(r *abi.AgentRequest) { r.ExpiresUnixS = 1 << 53 },
		"bad UTF-8":       func(r *abi.AgentRequest) { r.Key = "order-\xff0001" },
		"no public key":   func(r *abi.AgentRequest) { r.PublicKey = nil },
		"no signature":    func(r *abi.AgentRequest) { r.Signature = nil },
		"half of the key": func(r *abi.AgentRequest) { r.PublicKey = r.PublicKey[:16] },
	} {
		r, _ := signed(t)
		edit(r)
		if err := request.Verify(r, publicOf("shopper"), now); abi.CodeOf(err) != "request_malformed" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := request.Encode(r); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	if err := request.Verify(nil, publicOf("shopper"), now); abi.CodeOf(err) != "request_malformed" {
		t.Errorf("nothing: %v", err)
	}
	r, _ := signed(t)
	if err := request.Sign(r, seeded("shopper")[:32]); abi.CodeOf(err) != "request_malformed" {
		t.Errorf("by half a key: %v", err)
	}
	for _, address := range []string{"", "ftp://example.com", "https://", "https://me@example.com/", "://", "https://exa mple.com/"} {
		if _, err := request.New("GET", address, nil, abi.Amount{}, "order-0001", now); abi.CodeOf(err) != "request_malformed" {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestARequestTravelsAsItIs(t *testing.T) {
	r, _ := signed(t)
	text, err := request.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := request.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again, cmpopts.EquateComparable(abi.Amount{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for name, bad := range map[string]string{
		"nothing": "", "not base64": "!", "another alphabet": strings.ReplaceAll(text, "/", "_") + "_", "line breaks": text[:8] + "\n" + text[8:],
		"half": text[:len(text)/2], "too much": strings.Repeat(text, 20), "no request": "AAAA",
	} {
		if r, err := request.Decode(bad); abi.CodeOf(err) != "request_malformed" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// FuzzVerify: whatever verifies is the request that was signed, bit for bit, and nothing panics.
func FuzzVerify(f *testing.F) {
	r, _ := signed(f)
	honest, err := r.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(honest)
	f.Add(honest[:len(honest)-1])
	f.Add([]byte{})
	for i := range 8 {
		bent := bytes.Clone(honest)
		bent[i*len(bent)/8] ^= 0x41
		f.Add(bent)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		r := new(abi.AgentRequest)
		if err := r.Unmarshal(encoded); err != nil {
			return
		}
		if err := request.Verify(r, publicOf("shopper"), now); err == nil && !bytes.Equal(encoded, honest) {
			t.Errorf("another request verifies: %x", encoded)
		}
		if text, err := request.Encode(r); err == nil {
			again, err := request.Decode(text)
			if err != nil || again.URL != r.URL {
				t.Errorf("does not come back: %v", err)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	r, _ := signed(f)
	text, err := request.Encode(r)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{text, text[1:], "", "AAAA", text + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := request.Decode(text)
		if err != nil {
			return
		}
		if again, err := request.Encode(r); err != nil || again != text {
			t.Errorf("%q has a second spelling %q, %v", text, again, err)
		}
	})
}
