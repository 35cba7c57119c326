package order

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const payee = "0x209693bc6afc0c5328ba36faf03c514ef312287c"

// keyOf is a fixed key for a name, so that a failure repeats.
func keyOf(name string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{name[0]}, ed25519.SeedSize))
}

func publicOf(name string) ed25519.PublicKey {
	public, _ := keyOf(name).Public().(ed25519.PublicKey)
	return public
}

// three operators, of whom two are the quorum.
func three() Operators {
	return Operators{Quorum: 2, Keys: map[string]ed25519.PublicKey{"ada": publicOf("ada"), "bea": publicOf("bea"), "cyd": publicOf("cyd")}}
}

func freeze(t testing.TB, scope string) *abi.Order {
	t.Helper()
	o, err := NewFreeze("default", scope, "invoice looks wrong", noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func thaw(t testing.TB, freezes ...string) *abi.Order {
	t.Helper()
	o, err := NewThaw("default", freezes, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func enrolment(t testing.TB, revoked bool) *abi.Order {
	t.Helper()
	o, err := NewEnrolment("default", abi.Enrolment{Agent: "shopper", Wallet: "main", Revoked: revoked}, 7, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func release(t testing.TB) *abi.Order {
	t.Helper()
	o, err := NewPolicyRelease("default", [32]byte{1}, 3, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sign(t testing.TB, o *abi.Order, operators ...string) *abi.Order {
	t.Helper()
	for _, name := range operators {
		if err := Sign(o, name, keyOf(name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestOnePersonTightensAndTheQuorumLoosens(t *testing.T) {
	frozen := freeze(t, "tenant").Subject
	for name, test := range map[string]struct {
		order   *abi.Order
		loosens bool
	}{
		"freeze":           {freeze(t, "tenant"), false},
		"revocation":       {enrolment(t, true), false},
		"enrolment":        {enrolment(t, false), true},
		"thaw":             {thaw(t, frozen), true},
		"release of rules": {release(t), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Loosens(test.order); got != test.loosens {
				t.Fatalf("loosens: %v", got)
			}
			verify := func(want string) {
				t.Helper()
				if got := abi.CodeOf(Verify(test.order, "default", three(), noon)); got != want {
					t.Fatalf("with %d endorsements: %q, want %q", len(test.order.Endorsements), got, want)
				}
			}
			verify("order_unendorsed")
			sign(t, test.order, "bea")
			if test.loosens {
				verify("order_unendorsed")
				sign(t, test.order, "ada")
			}
			verify("")
		})
	}
}

func TestSignaturesThatAreNotTheOperatorsCountForNothing(t *testing.T) {
	other := sign(t, thaw(t, freeze(t, "network/eip155:1").Subject), "bea")
	for name, change := range map[string]func(o *abi.Order){
		"one person twice": func(o *abi.Order) { o.Endorsements = append(o.Endorsements, o.Endorsements[0]) },
		"one person under another's name": func(o *abi.Order) {
			o.Endorsements = append(o.Endorsements, abi.Endorsement{Operator: "bea", Signature: o.Endorsements[0].Signature})
		},
		"an endorsement of another order": func(o *abi.Order) { o.Endorsements = append(o.Endorsements, other.Endorsements[0]) },
		"a name nobody pinned":            func(o *abi.Order) { sign(t, o, "mallory") },
		"a pinned name, another key": func(o *abi.Order) {
			if err := Sign(o, "bea", keyOf("mallory")); err != nil {
				t.Fatal(err)
			}
		},
		"the name in another case": func(o *abi.Order) {
			if err := Sign(o, "Bea", keyOf("bea")); err != nil {
				t.Fatal(err)
			}
		},
		"a flipped bit": func(o *abi.Order) { sign(t, o, "bea").Endorsements[1].Signature[9] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := sign(t, thaw(t, freeze(t, "tenant").Subject), "ada")
			change(o)
			if got := abi.CodeOf(Verify(o, "default", three(), noon)); got != "order_unendorsed" {
				t.Fatalf("got %q", got)
			}
			// A stranger's noise beside enough real signatures changes nothing: the carrier could add any.
			sign(t, o, "bea", "cyd")
			if err := Verify(o, "default", three(), noon); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestWhatIsChangedAfterItWasSignedIsRefused(t *testing.T) {
	for name, change := range map[string]func(o *abi.Order){
		"another tenant":    func(o *abi.Order) { o.Tenant = "elsewhere" },
		"another serial":    func(o *abi.Order) { o.Serial++ },
		"a later end":       func(o *abi.Order) { o.ExpiresUnixS++ },
		"another issue":     func(o *abi.Order) { o.IssuedUnixS-- },
		"another wallet":    func(o *abi.Order) { o.Enrolment.Wallet = "treasury" },
		"another agent":     func(o *abi.Order) { o.Enrolment.Agent, o.Subject = "buyer", "buyer" },
		"another key":       func(o *abi.Order) { o.Enrolment.PublicKey = publicOf("mallory") },
		"another path":      func(o *abi.Order) { o.Enrolment.Derived = true },
		"back from the end": func(o *abi.Order) { o.Enrolment.Revoked = !o.Enrolment.Revoked },
	} {
		t.Run(name, func(t *testing.T) {
			o := sign(t, enrolment(t, false), "ada", "bea")
			change(o)
			if err := Verify(o, "default", three(), noon); err == nil {
				t.Fatal("accepted")
			}
			if err := Verify(o, "elsewhere", three(), noon); err == nil {
				t.Fatal("accepted by the other tenant")
			}
		})
	}
}

func TestAnOrderHasOneReading(t *testing.T) {
	long := strings.Repeat("a", 64)
	for name, test := range map[string]struct {
		order  func(t testing.TB) *abi.Order
		change func(o *abi.Order)
	}{
		"another domain":           {release, func(o *abi.Order) { o.Domain = "purser.armed.v1" }},
		"no domain":                {release, func(o *abi.Order) { o.Domain = "" }},
		"no tenant":                {release, func(o *abi.Order) { o.Tenant = "" }},
		"a long tenant":            {release, func(o *abi.Order) { o.Tenant = long }},
		"serial zero":              {release, func(o *abi.Order) { o.Serial = 0 }},
		"a serial off the wire":    {release, func(o *abi.Order) { o.Serial = abi.WireIntegerMax + 1 }},
		"an end before its issue":  {release, func(o *abi.Order) { o.ExpiresUnixS = o.IssuedUnixS }},
		"an end out of reach":      {release, func(o *abi.Order) { o.ExpiresUnixS = o.IssuedUnixS + 31*24*3600 }},
		"no issue":                 {release, func(o *abi.Order) { o.IssuedUnixS = 0 }},
		"no kind":                  {release, func(o *abi.Order) { o.Kind = "" }},
		"an unknown kind":          {release, func(o *abi.Order) { o.Kind = "Policy" }},
		"another kind's name":      {release, func(o *abi.Order) { o.Kind = Freeze }},
		"no body":                  {release, func(o *abi.Order) { o.Policy = nil }},
		"two bodies":               {release, func(o *abi.Order) { o.Freeze = &abi.Freeze{Scope: "tenant"} }},
		"a body of another kind":   {release, func(o *abi.Order) { o.Policy, o.Thaw = nil, &abi.Thaw{Freezes: []string{"x"}} }},
		"another policy subject":   {release, func(o *abi.Order) { o.Subject = "policy2" }},
		"a short hash":             {release, func(o *abi.Order) { o.Policy.PolicySHA256 = o.Policy.PolicySHA256[:31] }},
		"a subject not its agent":  {enrolmentOf, func(o *abi.Order) { o.Subject = "buyer" }},
		"an agent with a path":     {enrolmentOf, func(o *abi.Order) { o.Enrolment.Agent, o.Subject = "a/b", "a/b" }},
		"an agent in upper case":   {enrolmentOf, func(o *abi.Order) { o.Enrolment.Agent, o.Subject = "Shopper", "Shopper" }},
		"a long agent":             {enrolmentOf, func(o *abi.Order) { o.Enrolment.Agent, o.Subject = long, long }},
		"the reserved agent":       {enrolmentOf, func(o *abi.Order) { o.Enrolment.Agent, o.Subject = "~orders", "~orders" }},
		"a short key":              {enrolmentOf, func(o *abi.Order) { o.Enrolment.PublicKey = make([]byte, 31) }},
		"no wallet":                {enrolmentOf, func(o *abi.Order) { o.Enrolment.Wallet = "" }},
		"a chosen freeze id":       {freezeOf, func(o *abi.Order) { o.Subject = "freeze-" + strings.Repeat("0", 32) }},
		"another scope, same id":   {freezeOf, func(o *abi.Order) { o.Freeze.Scope = "agent/shopper" }},
		"a scope that is none":     {freezeOf, func(o *abi.Order) { o.Freeze.Scope = "everything"; rename(o) }},
		"a long reason":            {freezeOf, func(o *abi.Order) { o.Freeze.Reason = strings.Repeat("x", 257); rename(o) }},
		"a reason with a line":     {freezeOf, func(o *abi.Order) { o.Freeze.Reason = "ok\nfrozen: no"; rename(o) }},
		"a reason that turns text": {freezeOf, func(o *abi.Order) { o.Freeze.Reason = "a\u202eb"; rename(o) }},
		"a thaw of nothing":        {thawOf, func(o *abi.Order) { o.Thaw.Freezes = nil; rename(o) }},
		"a thaw of too many": {thawOf, func(o *abi.Order) {
			o.Thaw.Freezes = nil
			for i := range FreezesMax + 1 {
				o.Thaw.Freezes = append(o.Thaw.Freezes, fmt.Sprintf("freeze-%032x", i))
			}
			rename(o)
		}},
		"a thaw of one twice":     {thawOf, func(o *abi.Order) { o.Thaw.Freezes = append(o.Thaw.Freezes, o.Thaw.Freezes[0]); rename(o) }},
		"a thaw of a pattern":     {thawOf, func(o *abi.Order) { o.Thaw.Freezes = []string{"freeze-*"}; rename(o) }},
		"more freezes, same id":   {thawOf, func(o *abi.Order) { o.Thaw.Freezes = append(o.Thaw.Freezes, "freeze-"+strings.Repeat("0", 32)) }},
		"too many endorsements":   {freezeOf, func(o *abi.Order) { o.Endorsements = make([]abi.Endorsement, operatorsMax+1) }},
		"a signature of 63 bytes": {freezeOf, func(o *abi.Order) { o.Endorsements = []abi.Endorsement{{Operator: "ada", Signature: make([]byte, 63)}} }},
		"an endorser's long name": {freezeOf, func(o *abi.Order) { o.Endorsements = []abi.Endorsement{{Operator: long, Signature: make([]byte, 64)}} }},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.order(t)
			test.change(o)
			if got := abi.CodeOf(Sign(o, "ada", keyOf("ada"))); got != "order_invalid" {
				t.Errorf("sign: %q", got)
			}
			// Signed by somebody whose tools do not check.
			if signed, err := message(o); err == nil && len(o.Endorsements) == 0 {
				for _, who := range []string{"ada", "bea"} {
					o.Endorsements = append(o.Endorsements, abi.Endorsement{Operator: who, Signature: ed25519.Sign(keyOf(who), signed)})
				}
			}
			if got := abi.CodeOf(Verify(o, "default", three(), noon)); got != "order_invalid" {
				t.Errorf("verify: %q", got)
			}
		})
	}
	if got := abi.CodeOf(Verify(nil, "default", three(), noon)); got != "order_invalid" {
		t.Errorf("no order: %q", got)
	}
}

func enrolmentOf(t testing.TB) *abi.Order { return enrolment(t, false) }
func freezeOf(t testing.TB) *abi.Order    { return freeze(t, "tenant") }
func thawOf(t testing.TB) *abi.Order      { return thaw(t, freeze(t, "tenant").Subject) }

// rename gives a changed order the id of its new content, so that only the change itself is at fault.
func rename(o *abi.Order) { o.Subject, _ = subjectOf(o) }

func TestTimeBindsWhatLoosens(t *testing.T) {
	for name, test := range map[string]struct {
		at   time.Time
		want string
	}{
		"at issue":                 {noon, ""},
		"a little before":          {noon.Add(-4 * time.Minute), ""},
		"long before":              {noon.Add(-6 * time.Minute), "order_expired"},
		"in its last second":       {noon.Add(time.Hour - time.Second), ""},
		"at its end":               {noon.Add(time.Hour), "order_expired"},
		"long after":               {noon.Add(24 * time.Hour), "order_expired"},
		"a clock before the epoch": {time.Unix(-5, 0), "order_expired"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := abi.CodeOf(Verify(sign(t, release(t), "ada", "bea"), "default", three(), test.at)); got != test.want {
				t.Errorf("release: %q, want %q", got, test.want)
			}
			if err := Verify(sign(t, freeze(t, "tenant"), "ada"), "default", three(), test.at); err != nil {
				t.Errorf("a freeze must reach a signer that was cut off: %v", err)
			}
		})
	}
}

func TestOperatorsAreCountedAsPeople(t *testing.T) {
	for name, operators := range map[string]Operators{
		"nobody":              {Quorum: 1},
		"no quorum":           {Keys: three().Keys},
		"a quorum of nobody":  {Quorum: -1, Keys: three().Keys},
		"a quorum too large":  {Quorum: 4, Keys: three().Keys},
		"one key, two names":  {Quorum: 2, Keys: map[string]ed25519.PublicKey{"ada": publicOf("ada"), "ann": publicOf("ann")}},
		"a key that is short": {Quorum: 1, Keys: map[string]ed25519.PublicKey{"ada": publicOf("ada")[:31]}},
		"a name with a line":  {Quorum: 1, Keys: map[string]ed25519.PublicKey{"ada\n": publicOf("ada")}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := abi.CodeOf(operators.Check()); got != "operators_invalid" {
				t.Errorf("check: %q", got)
			}
			if got := abi.CodeOf(Verify(sign(t, freeze(t, "tenant"), "ada"), "default", operators, noon)); got != "operators_invalid" {
				t.Errorf("verify: %q", got)
			}
		})
	}
}

func TestSigningAgainReplaces(t *testing.T) {
	o := sign(t, release(t), "ada", "bea", "ada")
	if len(o.Endorsements) != 2 {
		t.Fatalf("%d endorsements", len(o.Endorsements))
	}
	if err := Verify(o, "default", three(), noon); err != nil {
		t.Fatal(err)
	}
}

func TestTheHashIsTheOrderAndNotWhoSigned(t *testing.T) {
	before, err := Hash(release(t))
	if err != nil {
		t.Fatal(err)
	}
	after, err := Hash(sign(t, release(t), "ada"))
	if err != nil || before != after {
		t.Fatalf("%x, %x, %v", before, after, err)
	}
	if freeze(t, "tenant").Subject == freeze(t, "agent/shopper").Subject {
		t.Fatal("two freezes share an id")
	}
}

// Whatever bytes arrive, an order is accepted only when it says the same after another trip over the wire, and when
// real people signed it.
func FuzzVerify(f *testing.F) {
	for _, o := range []*abi.Order{
		sign(f, freeze(f, "payee/"+payee), "ada"), sign(f, thawOf(f), "ada", "bea"), sign(f, enrolmentOf(f), "ada", "cyd"), sign(f, release(f), "bea", "cyd"),
	} {
		encoded, err := o.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := new(abi.Order)
		if o.Unmarshal(data) != nil || Verify(o, "default", three(), noon) != nil {
			return
		}
		again, err := o.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back := new(abi.Order)
		if err := back.Unmarshal(again); err != nil {
			t.Fatal(err)
		}
		if err := Verify(back, "default", three(), noon); err != nil {
			t.Fatalf("accepted once, then %v", err)
		}
		before, errBefore := Hash(o)
		after, errAfter := Hash(back)
		if before != after || errBefore != nil || errAfter != nil {
			t.Fatal("the order changed its name on the wire")
		}
	})
}
