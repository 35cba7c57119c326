package abitest

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

// Status is how a case ended.
type Status string

// The statuses.
const (
	Pass Status = "pass"
	// Warn is worth a look and no failure.
	Warn Status = "warn"
	Fail Status = "fail"
	// Skip was not tried.
	Skip Status = "skip"
)

// Row is one case of a report.
type Row struct {
	Check  string `json:"check"`
	Case   string `json:"case"`
	Status Status `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Log is what a guest that failed said last.
	Log []string `json:"log,omitempty"`
	// Fuel and MemoryPages (of 64 KiB) are what the case used, where that was measured.
	Fuel        uint64 `json:"fuel,omitempty"`
	MemoryPages uint32 `json:"memory_pages,omitempty"`
}

// Report is what Check found. SHA256 and Bytes are of the module as it was handed in. Plugin, Version and Kind are
// empty when it does not install.
type Report struct {
	File    string   `json:"file,omitempty"`
	Plugin  string   `json:"plugin"`
	Version string   `json:"version"`
	Kind    abi.Kind `json:"kind"`
	SHA256  string   `json:"sha256"`
	Bytes   int      `json:"bytes"`
	Seed    uint64   `json:"seed"`
	Rows    []Row    `json:"-"`
}

func (r *Report) add(row Row) { r.Rows = append(r.Rows, row) }

func (r *Report) pass(check, name, detail string) {
	r.add(Row{Check: check, Case: name, Status: Pass, Detail: detail})
}

func (r *Report) warn(check, name, detail string) {
	r.add(Row{Check: check, Case: name, Status: Warn, Detail: detail})
}

func (r *Report) fail(check, name, detail string) {
	r.add(Row{Check: check, Case: name, Status: Fail, Detail: detail})
}

// failed is a failure with its error, and with what the guest said before it.
func (r *Report) failed(check, name string, err error) {
	r.add(Row{Check: check, Case: name, Status: Fail, Detail: describe(err), Log: sandbox.LastWordsOf(err)})
}

// Count is how many rows have a status.
func (r *Report) Count(status Status) int {
	n := 0
	for _, row := range r.Rows {
		if row.Status == status {
			n++
		}
	}
	return n
}

// Failed reports whether any case failed. A report without a single case is a failure too: nothing was shown.
func (r *Report) Failed() bool { return len(r.Rows) == 0 || r.Count(Fail) > 0 }

// Table is the report for a person, without colour.
func (r *Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range r.Rows {
		detail := row.Detail
		if row.Fuel > 0 && row.Check == "vectors" {
			detail = strings.TrimSpace(fmt.Sprintf("%s %d fuel, %d pages", detail, row.Fuel, row.MemoryPages))
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Status, row.Check, row.Case, strings.ReplaceAll(detail, "\t", " ")) // into memory
	}
	_ = w.Flush() // into memory
	_, _ = fmt.Fprintf(&b, "%s  %d passed, %d warnings, %d failed  seed %d\n", r.title(), r.Count(Pass), r.Count(Warn), r.Count(Fail), r.Seed)
	return Printable(b.String())
}

// title is the plugin's name, or the file's when there is no plugin.
func (r *Report) title() string {
	switch {
	case r.Plugin != "":
		return r.Plugin + " " + r.Version
	case r.File != "":
		return r.File
	}
	return "the module"
}

// Printable replaces what could drive a terminal: a module's author chose some of what is shown of it.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}
