package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
)

func TestWhoMayBePaid(t *testing.T) {
	const (
		notAllowed = "payee_not_allowed p.allowed_recipients"
		weakList   = "evidence_too_weak p.allowed_recipients"
		weak       = "evidence_too_weak p.evidence_min"
		waiting    = "approval_required p.approvals"
		changed    = "payee_changed p.merchants"
	)
	list := func(recipients ...string) func(*rules.Spec) {
		return func(s *rules.Spec) { s.Policies[0].AnyPayee, s.Policies[0].Recipients = false, recipients }
	}
	pin := func(accounts ...string) func(*rules.Spec) {
		return func(s *rules.Spec) { s.Merchants = []rules.Merchant{{Origin: origin, PayTo: accounts}} }
	}
	evidence := func(e abi.Evidence) func(*abi.DecideRequest) {
		return func(r *abi.DecideRequest) { r.Quote.Evidence = e }
	}
	from := func(o string, e abi.Evidence) func(*abi.DecideRequest) {
		return func(r *abi.DecideRequest) { r.Intent.Origin, r.Quote.Evidence = o, e }
	}
	asserted, fetched := abi.EvidenceAsserted, abi.EvidenceFetched
	tests := []struct {
		name    string
		spec    func(*rules.Spec)
		request func(*abi.DecideRequest)
		want    abi.Outcome
		reasons []string
	}{
		{name: "without a list any fetched payee", want: abi.Allow},
		{name: "without a list an asserted payee waits for a person", request: evidence(asserted), want: abi.Hold, reasons: []string{weak, waiting}},
		{name: "evidence of an unknown rank is no evidence", request: evidence(77), want: abi.Hold, reasons: []string{weak, waiting}},
		{name: "fetched over plain http is asserted", request: from("http://api.example.com", fetched), want: abi.Hold, reasons: []string{weak, waiting}},
		{name: "fetched over http on this machine is fetched", request: from("http://127.0.0.1:4021", fetched), want: abi.Allow},
		{name: "an empty list pays nobody", spec: list(), reasons: []string{notAllowed}},
		{name: "a listed address, whoever names it", spec: list(merchant), request: evidence(asserted), want: abi.Allow},
		{name: "a listed address on its network", spec: list("eip155:8453:" + merchant), want: abi.Allow},
		{name: "a listed address on another network", spec: list("eip155:1:" + merchant), reasons: []string{notAllowed}},
		{name: "an address cut short matches nobody", spec: list(merchant[:10] + "..."), reasons: []string{notAllowed}},
		{name: "a listed domain with a fetched payee", spec: list(origin), want: abi.Allow},
		{
			name: "a listed domain proves no asserted payee", spec: list(origin), request: evidence(asserted), want: abi.Hold,
			reasons: []string{weakList, weak, waiting},
		},
		{
			name: "not even where asserted payees are paid", spec: func(s *rules.Spec) { list(origin)(s); s.Policies[0].Evidence = asserted },
			request: evidence(asserted), want: abi.Hold, reasons: []string{weakList, waiting},
		},
		{name: "another port of a listed domain", spec: list(origin), request: from(origin+":8443", fetched), reasons: []string{notAllowed}},
		{name: "the usual port written out", spec: list(origin), request: from(origin+":443", fetched), want: abi.Allow},
		{
			name: "plain http of a listed domain", spec: list(origin), request: from("http://api.example.com", fetched),
			reasons: []string{notAllowed, weak},
		},
		{name: "a subdomain of a listed domain", spec: list(origin), request: from("https://x.api.example.com", fetched), reasons: []string{notAllowed}},
		{name: "a domain that ends like a listed one", spec: list(origin), request: from("https://evilapi.example.com", fetched), reasons: []string{notAllowed}},
		{name: "a listed domain as user info", spec: list(origin), request: from("https://api.example.com@evil.com", fetched), reasons: []string{notAllowed, weak}},
		{name: "a listed domain as fragment", spec: list(origin), request: from("https://evil.com#api.example.com", fetched), reasons: []string{notAllowed, weak}},
		{name: "the resource's URL counts for nothing", spec: list(origin), request: func(r *abi.DecideRequest) {
			r.Intent.Origin, r.Quote.ResourceURL, r.Intent.URL = "https://evil.com", origin+"/paid", origin+"/paid"
		}, reasons: []string{notAllowed}},
		{name: "no origin matches no domain", spec: list(origin), request: from("", fetched), reasons: []string{notAllowed, weak}},
		{name: "a pinned payee is known whoever names it", spec: pin(merchant), request: evidence(asserted), want: abi.Allow},
		{name: "another payee than the pinned one", spec: pin(stranger), reasons: []string{changed}},
		{name: "even with a signed offer", spec: pin(stranger), request: evidence(abi.EvidenceSignedOffer), reasons: []string{changed}},
		{name: "even when its address is listed", spec: func(s *rules.Spec) { pin(stranger)(s); list(merchant)(s) }, reasons: []string{changed}},
		{name: "a pin for another network does not vouch", spec: pin("eip155:1:" + merchant), reasons: []string{changed}},
		{name: "a pin binds its own origin only", spec: pin(stranger), request: from("https://other.example.com", fetched), want: abi.Allow},
		{name: "signed offers wanted", spec: func(s *rules.Spec) { s.Policies[0].Evidence = abi.EvidenceSignedOffer }, want: abi.Hold, reasons: []string{weak, waiting}},
		{
			name: "signed offers given", spec: func(s *rules.Spec) { s.Policies[0].Evidence = abi.EvidenceSignedOffer },
			request: evidence(abi.EvidenceSignedOffer), want: abi.Allow,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := baseSpec()
			if tt.spec != nil {
				tt.spec(&s)
			}
			p, request := newRequest(t, newBundle(t, s))
			if tt.request != nil {
				tt.request(request)
			}
			got := p.Evaluate(request)
			if tt.want == abi.Allow {
				tt.reasons = []string{"allowed p"}
			}
			if got.Outcome != tt.want {
				t.Errorf("outcome %s, want %s", got.Outcome, tt.want)
			}
			if diff := cmp.Diff(tt.reasons, codes(got.Reasons)); diff != "" {
				t.Errorf("reasons: -want +got\n%s", diff)
			}
		})
	}
}

func TestOriginsHaveOneSpelling(t *testing.T) {
	for in, want := range map[string]rules.Origin{
		"https://api.example.com": "https://api.example.com", "HTTPS://API.Example.COM:443": "https://api.example.com",
		"http://localhost:80": "http://localhost", "https://a.b:8443": "https://a.b:8443", "http://127.0.0.1:4021": "http://127.0.0.1:4021",
		"http://[0:0::1]:80": "http://[::1]", "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
	} {
		if got, err := rules.ParseOrigin(in); err != nil || got != want {
			t.Errorf("%s: %q %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "api.example.com", "https://", "https://a", "https://a.b.", "https://.a.b", "https://a..b", "https://a.b:", "https://a.b:0",
		"https://a.b:080", "https://a.b:65536", "https://a.b/", "https://a.b?x", "https://a.b#x", "https://u@a.b", "https://a_b.c", "https://-a.b", "https://a.b-",
		"https://1.2.3", "https://0x7f.1", "https://127.0.0.1.", "https://2130706433", "https://[::1", "https://[::1%25lo]", "https://::1", "https://[127.0.0.1]",
		"https://bücher.example", "https://a.b\\@c.d", "wss://a.b", "https://a.b:443:443", "https://a b.c",
	} {
		if got, err := rules.ParseOrigin(in); abi.CodeOf(err) != "origin_invalid" || got != "" {
			t.Errorf("%s: %q %v", in, got, err)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://api.example.com:443", "http://[::1]:80", "https://a.b@c", "http://127.0.0.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		origin, err := rules.ParseOrigin(s)
		if err != nil {
			return
		}
		if again, err := rules.ParseOrigin(string(origin)); err != nil || again != origin {
			t.Errorf("%q reads as %q and then as %q, %v", s, origin, again, err)
		}
	})
}

func FuzzRecipient(f *testing.F) {
	for _, s := range []string{merchant, "0x1234...", "0x12…", "eip155:8453:" + merchant, "solana:abc:DEF", "api.example.com", origin, "0x...…"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := rules.ParseRecipient(s)
		if err != nil {
			return
		}
		if again, err := rules.ParseRecipient(r.String()); err != nil || again != r {
			t.Errorf("%q reads as %+v and then as %+v, %v", s, r, again, err)
		}
	})
}
