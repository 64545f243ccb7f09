package cmd

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
	mailsync "mailmove/sync"
)

// checkPrinter writes a report to standard output.
type checkPrinter func(*app, mailsync.CheckReport) error

// checkTable is for people: a line a finding, what to do next below it, and the verdict.
func checkTable(a *app, r mailsync.CheckReport) error {
	var b strings.Builder
	width := max(a.width, 60)
	b.WriteString("CHECK               VERDICT  WHAT\n")
	for _, f := range r.Findings {
		what, next := checkWords(f)
		prefix := fmt.Sprintf("%-18s  %-7s  ", strings.ReplaceAll(f.Check, "-", " "), f.Verdict)
		b.WriteString(hanging(prefix, what, width))
		if f.Verdict != mailsync.CheckOK && next != "" {
			b.WriteString(hanging(strings.Repeat(" ", len(prefix))+"next: ", next, width))
		}
	}
	b.WriteString(hanging("", checkSum(r), width))
	_, err := io.WriteString(a.out, b.String())
	return err
}

// checkSum is the last line of the table.
func checkSum(r mailsync.CheckReport) string {
	verdict := "the first pass can start"
	if r.Worst() == mailsync.CheckFailed {
		verdict = "not yet: set right what failed, and check again"
	}
	return fmt.Sprintf("%s: %d ok, %s, %d failed: %s", ui.Clean(r.Account), r.Count(mailsync.CheckOK),
		howMany(int64(r.Count(mailsync.CheckWarning)), "warning", "warnings"), r.Count(mailsync.CheckFailed), verdict)
}

// checkCSV is for a spreadsheet: a row a finding, under a header.
func checkCSV(a *app, r mailsync.CheckReport) error {
	return csv.NewWriter(a.out).WriteAll(append([][]string{checkHeads()}, checkRows(r)...))
}

func checkHeads() []string {
	return []string{"account", "check", "verdict", "trouble", "folder", "messages", "bytes", "used", "limit", "missing", "what", "next"}
}

func checkRows(r mailsync.CheckReport) (rows [][]string) {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, f := range r.Findings {
		what, next := checkWords(f)
		rows = append(rows, []string{cell(r.Account), f.Check, f.Verdict.String(), f.Trouble, cell(f.Folder), number(f.Messages),
			number(f.Bytes), number(f.Used), number(f.Limit), number(f.Missing), cell(what), cell(next)})
	}
	return rows
}

// cell is foreign text in a table: what begins like a formula would be one for a spreadsheet.
func cell(s string) string {
	if s = ui.Clean(s); s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// jsonFinding is one line of "check --json", described in docs/check.md.
type jsonFinding struct {
	Type     string     `json:"type"`
	Time     time.Time  `json:"time"`
	Account  string     `json:"account"`
	Check    string     `json:"check"`
	Verdict  string     `json:"verdict"`
	Trouble  string     `json:"trouble"`
	Folder   string     `json:"folder"`
	Messages int64      `json:"messages"`
	Bytes    int64      `json:"bytes"`
	Used     int64      `json:"used"`
	Limit    int64      `json:"limit"`
	Missing  int64      `json:"missing"`
	Until    *time.Time `json:"until"`
	Seconds  float64    `json:"seconds"`
	What     string     `json:"what"`
	Next     string     `json:"next"`
}

// jsonChecked is the last line of "check --json".
type jsonChecked struct {
	Type     string    `json:"type"`
	Time     time.Time `json:"time"`
	Account  string    `json:"account"`
	Verdict  string    `json:"verdict"`
	OK       int       `json:"ok"`
	Warnings int       `json:"warnings"`
	Failed   int       `json:"failed"`
	Messages int64     `json:"messages"`
	Bytes    int64     `json:"bytes"`
	ToCome   int64     `json:"to_come_bytes"`
}

func checkJSON(a *app, r mailsync.CheckReport) error {
	now := time.Now().UTC()
	lines := make([]any, 0, len(r.Findings)+1)
	for _, f := range r.Findings {
		what, next := checkWords(f)
		line := jsonFinding{"check", now, r.Account, f.Check, f.Verdict.String(), f.Trouble, f.Folder, f.Messages, f.Bytes, f.Used,
			f.Limit, f.Missing, nil, f.Took.Seconds(), what, next}
		if !f.When.IsZero() {
			when := f.When.UTC()
			line.Until = &when
		}
		lines = append(lines, line)
	}
	lines = append(lines, jsonChecked{"check-ended", now, r.Account, r.Worst().String(), r.Count(mailsync.CheckOK),
		r.Count(mailsync.CheckWarning), r.Count(mailsync.CheckFailed), r.Messages, r.Bytes, r.ToCome})
	for _, line := range lines {
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(a.out, ui.EscapeJSON(string(text))); err != nil {
			return err
		}
	}
	return nil
}
