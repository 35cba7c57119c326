package abi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestTheStrictestVerdictWins(t *testing.T) {
	allow, hold, deny := Verdict{Outcome: Allow}, Verdict{Outcome: Hold}, Verdict{Outcome: Deny}
	obliged := func(kind, value string) Verdict {
		return Verdict{Outcome: Allow, Obligations: []Obligation{{kind, value}}}
	}
	for _, c := range []struct {
		name     string
		verdicts []Verdict
		want     Outcome
	}{
		{"no verdicts", nil, Deny},
		{"an empty verdict", []Verdict{{}}, Deny},
		{"one allow", []Verdict{allow}, Allow},
		{"one hold among allows", []Verdict{allow, hold, allow}, Hold},
		{"a deny after a hold", []Verdict{hold, deny}, Deny},
		{"a deny before allows", []Verdict{deny, allow, allow}, Deny},
		{"an outcome outside the three", []Verdict{allow, {Outcome: Allow + 1}}, Deny},
		{"a validity of a minute", []Verdict{obliged(ObligationValidityMaxS, "60")}, Allow},
		{"a validity of nothing", []Verdict{obliged(ObligationValidityMaxS, "0")}, Deny},
		{"a validity with leading zero", []Verdict{obliged(ObligationValidityMaxS, "060")}, Deny},
		{"a validity of two days", []Verdict{obliged(ObligationValidityMaxS, "172800")}, Deny},
		{"evidence by name", []Verdict{obliged(ObligationEvidenceMin, "signed_offer")}, Allow},
		{"evidence unknown", []Verdict{obliged(ObligationEvidenceMin, "notarised")}, Deny},
		{"two approvals", []Verdict{obliged(ObligationApprovalsMin, "2")}, Allow},
		{"approvals not a number", []Verdict{obliged(ObligationApprovalsMin, "two")}, Deny},
		{"an unknown obligation", []Verdict{allow, obliged("escrow", "1")}, Deny},
		{"an unknown obligation on a hold", []Verdict{{Outcome: Hold, Obligations: []Obligation{{"escrow", ""}}}}, Deny},
	} {
		if got := Combine(c.verdicts); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestEveryReasonCodeIsInTheTableOnce(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if declared[code] {
			t.Errorf("%s is declared twice", code)
		}
		declared[code] = true
		return true
	})
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, row := range Reasons() {
		if !declared[row.Code] || !snake.MatchString(row.Code) || row.Meaning == "" || strings.HasSuffix(row.Meaning, ".") {
			t.Errorf("row %+v has no constant, stands twice or breaks the form", row)
		}
		delete(declared, row.Code)
	}
	for code := range declared {
		t.Errorf("%s is not in the table", code)
	}
}
