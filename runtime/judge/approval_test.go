package judge

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

// keyPair is an approver of the tests, the same in every run.
type keyPair struct{ private ed25519.PrivateKey }

func approverOf(name string) keyPair {
	seed := sha256.Sum256([]byte("test approver " + name))
	return keyPair{ed25519.NewKeyFromSeed(seed[:])}
}

func (k keyPair) Public() ed25519.PublicKey {
	public, _ := k.private.Public().(ed25519.PublicKey)
	return public
}

// signed is a yes of an approver to a case, edited before it is signed.
func signed(t testing.TB, name string, c Case, edit func(*abi.ApprovalStatement)) abi.ApprovalStatement {
	t.Helper()
	statement := NewStatement(c.Intent, name, true, testNow.Add(time.Minute), nil)
	if edit != nil {
		edit(&statement)
	}
	if err := SignStatement(&statement, approverOf(name).private); err != nil {
		t.Fatal(err)
	}
	return statement
}

func TestAStatementIsTakenForExactlyThePaymentItNames(t *testing.T) {
	j := mustJudge(t, priceSanity(t))
	c := caseOf(8)
	if err := j.CheckStatement(signed(t, "ada", c, nil), c.Intent, nil, testNow); err != nil {
		t.Fatal(err)
	}
	for where, edit := range map[string]func(*abi.ApprovalStatement){
		"domain":         func(s *abi.ApprovalStatement) { s.Domain = "purser.armed.v1" },
		"payment":        func(s *abi.ApprovalStatement) { s.Payment = PaymentID("default", "shopper", "key-00000002") },
		"agent":          func(s *abi.ApprovalStatement) { s.Agent = "another" },
		"payee":          func(s *abi.ApprovalStatement) { s.Payee = "0x2222222222222222222222222222222222222222" },
		"asset":          func(s *abi.ApprovalStatement) { s.Asset = "eip155:1/erc20:0x2222222222222222222222222222222222222222" },
		"network":        func(s *abi.ApprovalStatement) { s.Network = "eip155:1" },
		"resource_url":   func(s *abi.ApprovalStatement) { s.ResourceURL += "?other" },
		"expires_unix_s": func(s *abi.ApprovalStatement) { s.ExpiresUnixS = unixOf(testNow) },
	} {
		err := j.CheckStatement(signed(t, "ada", c, edit), c.Intent, nil, testNow)
		if coded, ok := err.(*abi.Error); !ok || coded.Code != "approval_invalid" || coded.Where != where { //nolint:errorlint // the error itself
			t.Errorf("%s: %v", where, err)
		}
	}
}

func TestAForgedStatementIsRefused(t *testing.T) {
	j := mustJudge(t, priceSanity(t))
	c := caseOf(8)
	good := signed(t, "ada", c, nil)
	for name, edit := range map[string]func(*abi.ApprovalStatement){
		"a no turned into a yes": func(s *abi.ApprovalStatement) {
			*s = NewStatement(c.Intent, "ada", false, testNow.Add(time.Minute), nil)
			if err := SignStatement(s, approverOf("ada").private); err != nil {
				t.Fatal(err)
			}
			s.Approve = true
		},
		"a raised ceiling":  func(s *abi.ApprovalStatement) { s.AmountMax = abi.NewAmount(99_000_000) },
		"a later end":       func(s *abi.ApprovalStatement) { s.ExpiresUnixS++ },
		"another's name":    func(s *abi.ApprovalStatement) { s.Approver = "bea" },
		"nobody's name":     func(s *abi.ApprovalStatement) { s.Approver = "mallory" },
		"no signature":      func(s *abi.ApprovalStatement) { s.Signature = nil },
		"a short signature": func(s *abi.ApprovalStatement) { s.Signature = s.Signature[:63] },
		"somebody else's key": func(s *abi.ApprovalStatement) {
			s.Signature = ed25519.Sign(approverOf("mallory").private, mustMessage(t, *s))
		},
		"another policy's hash": func(s *abi.ApprovalStatement) { s.PolicySHA256 = []byte{1} },
	} {
		forged := good
		forged.Signature = slices.Clone(good.Signature)
		edit(&forged)
		if err := j.CheckStatement(forged, c.Intent, nil, testNow); abi.CodeOf(err) != "approval_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustMessage(t testing.TB, s abi.ApprovalStatement) []byte {
	t.Helper()
	message, err := statementMessage(s)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestAQuorumIsOfPeopleAndNotOfStatements(t *testing.T) {
	j, ledger := mustJudge(t, writePolicy(t, nil, "")), openLedger(t)
	c := caseOf(25)
	outcome := func(approvals ...abi.ApprovalStatement) abi.Outcome {
		c.Approvals = approvals
		return rule(t, j, ledger, c).Decision.Outcome
	}
	ada, bea := signed(t, "ada", c, nil), signed(t, "bea", c, nil)
	smaller := signed(t, "bea", c, func(s *abi.ApprovalStatement) { s.AmountMax = abi.NewAmount(24_999_999) })
	no := signed(t, "bea", c, func(s *abi.ApprovalStatement) { s.Approve = false })
	forged := bea
	forged.Signature = slices.Clone(bea.Signature)
	forged.Signature[0] ^= 1
	elsewhere := signed(t, "bea", c, func(s *abi.ApprovalStatement) { s.Payment = PaymentID("default", "shopper", "key-00000002") })
	for name, test := range map[string]struct {
		approvals []abi.ApprovalStatement
		want      abi.Outcome
	}{
		"nobody":                   {nil, abi.Hold},
		"one":                      {[]abi.ApprovalStatement{ada}, abi.Hold},
		"one twice":                {[]abi.ApprovalStatement{ada, ada}, abi.Hold},
		"one and a smaller":        {[]abi.ApprovalStatement{ada, smaller}, abi.Hold},
		"one and a no":             {[]abi.ApprovalStatement{ada, no}, abi.Hold},
		"one and a forgery":        {[]abi.ApprovalStatement{ada, forged}, abi.Hold},
		"one and one from another": {[]abi.ApprovalStatement{ada, elsewhere}, abi.Hold},
		"two":                      {[]abi.ApprovalStatement{ada, bea}, abi.Allow},
	} {
		if got := outcome(test.approvals...); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Sixteen statements are read; a flood of bad ones in front must not hide good ones for ever, but it cannot allow
// anything either.
func TestAFloodOfStatementsAllowsNothing(t *testing.T) {
	j, ledger := mustJudge(t, writePolicy(t, nil, "")), openLedger(t)
	c := caseOf(25)
	for range 200 {
		c.Approvals = append(c.Approvals, signed(t, "ada", c, nil))
	}
	if got := rule(t, j, ledger, c).Decision.Outcome; got != abi.Hold {
		t.Errorf("%s", got)
	}
}

func TestPaymentIDsDoNotCollideWhereTheirPartsMove(t *testing.T) {
	seen := map[string]bool{}
	for _, parts := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"a", "b", "c0"}} {
		id := PaymentID(parts[0], parts[1], parts[2])
		if raw, err := hex.DecodeString(id[len("pay_"):]); err != nil || len(raw) != 16 || seen[id] {
			t.Errorf("%v: %s", parts, id)
		}
		seen[id] = true
	}
}
