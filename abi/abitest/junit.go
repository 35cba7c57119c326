package abitest

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// JUnit is the report in the XML that continuous integration reads: a suite for each check. A warning is a passed case
// whose output says so.
func (r *Report) JUnit() ([]byte, error) {
	all := junitSuites{Name: valid(cmp.Or(r.Plugin, r.File)), Tests: len(r.Rows), Failures: r.Count(Fail), Skipped: r.Count(Skip)}
	at := map[string]int{}
	for _, row := range r.Rows {
		i, known := at[row.Check]
		if !known {
			i = len(all.Suites)
			at[row.Check] = i
			all.Suites = append(all.Suites, junitSuite{Name: row.Check, Properties: []junitProperty{
				{"sha256", r.SHA256}, {"version", r.Version}, {"seed", fmt.Sprint(r.Seed)},
			}})
		}
		suite := &all.Suites[i]
		c := junitCase{Class: "purser.plugin." + row.Check, Name: valid(row.Case)}
		suite.Tests++
		switch row.Status {
		case Fail:
			suite.Failures++
			c.Failure = &junitMessage{valid(row.Detail)}
			c.Output = valid(strings.Join(row.Log, "\n"))
		case Skip:
			suite.Skipped++
			c.Skipped = &junitMessage{valid(row.Detail)}
		case Warn:
			c.Output = "warning: " + valid(row.Detail)
		case Pass:
			c.Output = valid(row.Detail)
		}
		suite.Cases = append(suite.Cases, c)
	}
	encoded, err := xml.MarshalIndent(all, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return append([]byte(xml.Header), append(encoded, '\n')...), nil
}

// valid replaces what XML 1.0 cannot hold: a plugin's author chose some of these texts.
func valid(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}
