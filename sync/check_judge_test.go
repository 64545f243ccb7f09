package sync

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// sound is an account in which there is nothing to find: 1000 bytes in 10 messages, and a quota of 10,000.
func sound() *facts {
	ends := checkNow().Add(certificateWarning + time.Minute)
	inbox := &imapx.Folder{Name: "INBOX", Raw: "INBOX"}
	return &facts{
		source: sideFacts{server: "old:993", ends: ends}, target: sideFacts{server: "new:993", ends: ends},
		mapped:  mapped{pairs: []folderPair{{source: inbox, raw: "INBOX", name: "INBOX"}}},
		folders: []folderFacts{{name: "INBOX", raw: "INBOX", messages: 10, bytes: 1000, largest: 300}},
		quota:   []imapx.Quota{{Bytes: imapx.Amount{Limit: 10_000}, Messages: imapx.Amount{Limit: 100}}},
	}
}

func checkNow() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// Each fact alone, and what is found for it. Nothing else may be.
func TestCheckJudges(t *testing.T) {
	refused := &imapx.Error{Kind: imapx.KindAuth, Side: "target"}
	untrusted := &imapx.Error{Kind: imapx.KindTLS, Side: "source"}
	quota := func(f *facts, used, limit int64) { f.quota[0].Bytes = imapx.Amount{Used: used, Limit: limit} }
	for name, c := range map[string]struct {
		change  func(*facts, *CheckOptions)
		want    string // "verdict check trouble", comma-separated
		missing int64
	}{
		"sound":               {func(*facts, *CheckOptions) {}, "", 0},
		"login refused":       {func(f *facts, _ *CheckOptions) { f.target.err = refused }, "failed target-login refused", 0},
		"no trust":            {func(f *facts, _ *CheckOptions) { f.source.err = untrusted }, "failed source-certificate refused", 0},
		"both":                {func(f *facts, _ *CheckOptions) { f.source.err, f.target.err = untrusted, refused }, "failed source-certificate refused,failed target-login refused", 0},
		"30 days":             {func(f *facts, _ *CheckOptions) { f.target.ends = checkNow().Add(certificateWarning - time.Minute) }, "warning target-certificate ends-soon", 0},
		"clear text":          {func(f *facts, _ *CheckOptions) { f.source.ends = time.Time{} }, "", 0},
		"list refused":        {func(f *facts, _ *CheckOptions) { f.refused = errors.New("no list") }, "failed source-mail refused", 0},
		"one mailbox":         {func(f *facts, _ *CheckOptions) { f.same = true }, "failed two-mailboxes same", 0},
		"rule":                {func(f *facts, _ *CheckOptions) { f.mapped.err = &MappingError{} }, "failed folders rule", 0},
		"rule without effect": {func(f *facts, _ *CheckOptions) { f.mapped.idle = []idleRule{{rule: "--map"}} }, "warning folders rule", 0},
		"name":                {func(f *facts, _ *CheckOptions) { f.mapped.pairs[0].trouble = "number added" }, "warning folders name", 0},
		"folder refused":      {func(f *facts, _ *CheckOptions) { f.folders[0].err = refused }, "failed folders unreadable", 0},
		"no mail":             {func(f *facts, _ *CheckOptions) { f.folders[0] = folderFacts{raw: "INBOX"} }, "warning source-mail empty", 0},
		"no folder":           {func(f *facts, _ *CheckOptions) { f.folders = nil }, "warning source-mail empty", 0},
		"INBOX empty": {func(f *facts, _ *CheckOptions) {
			f.folders = append(f.folders, folderFacts{raw: "inbox"})
			f.folders[0].raw = "A"
		}, "warning source-mail empty-inbox", 0},
		"INBOX left out":             {func(f *facts, _ *CheckOptions) { f.folders[0].raw = "A" }, "", 0},
		"a message too large":        {func(f *facts, _ *CheckOptions) { f.limit, f.folders[0].tooLarge = 200, 1 }, "warning message-size too-large", 0},
		"a message without a byte":   {func(f *facts, _ *CheckOptions) { f.folders[0].hollow = 1 }, "warning message-size no-bytes", 0},
		"limit of 64 bits":           {func(f *facts, _ *CheckOptions) { f.limit = math.MaxUint64 }, "", 0},
		"79 %":                       {func(f *facts, _ *CheckOptions) { quota(f, 6990, 10_000) }, "", 0},
		"80 %":                       {func(f *facts, _ *CheckOptions) { quota(f, 7000, 10_000) }, "warning quota nearly-full", 0},
		"94 %":                       {func(f *facts, _ *CheckOptions) { quota(f, 8400, 10_000) }, "warning quota nearly-full", 0},
		"95 %, and 5 are kept free":  {func(f *facts, _ *CheckOptions) { quota(f, 8500, 10_000) }, "warning quota nearly-full", 0},
		"over it":                    {func(f *facts, _ *CheckOptions) { quota(f, 8501, 10_000) }, "failed quota full", 1},
		"over it, nothing kept free": {func(f *facts, o *CheckOptions) { quota(f, 8501, 10_000); o.Reserve = 0 }, "warning quota nearly-full", 0},
		"over all":                   {func(f *facts, _ *CheckOptions) { quota(f, 8000, 500) }, "failed quota full", 8525},
		"full, but all is there":     {func(f *facts, _ *CheckOptions) { quota(f, 10_000, 10_000); f.carried = 1000 }, "", 0},
		"half of it is there":        {func(f *facts, _ *CheckOptions) { quota(f, 9000, 10_000); f.carried = 500 }, "warning quota nearly-full", 0},
		"more is there than was":     {func(f *facts, _ *CheckOptions) { quota(f, 9900, 10_000); f.carried = 5000 }, "", 0},
		"too many messages":          {func(f *facts, _ *CheckOptions) { f.quota[0].Messages = imapx.Amount{Used: 90, Limit: 100} }, "failed quota-messages full", 5},
		"many messages, carried before": {func(f *facts, _ *CheckOptions) {
			f.quota[0].Messages = imapx.Amount{Used: 90, Limit: 100}
			f.carriedCount = 10
		}, "", 0},
		"messages alone are limited": {func(f *facts, _ *CheckOptions) { f.quota[0].Bytes = imapx.Amount{} }, "warning quota unknown", 0},
		"no quota":                   {func(f *facts, _ *CheckOptions) { f.quota = nil }, "warning quota unknown", 0},
		"quota refused":              {func(f *facts, _ *CheckOptions) { f.quota, f.quotaErr = nil, refused }, "warning quota unknown", 0},
		"quota of the plan":          {func(f *facts, o *CheckOptions) { f.quota, f.targetBytes, o.TargetQuota = nil, 100, 900 }, "failed quota full", 245},
		"the server's quota wins":    {func(f *facts, o *CheckOptions) { o.TargetQuota = 1 }, "", 0},
		"two roots": {func(f *facts, _ *CheckOptions) {
			f.quota = append(f.quota, imapx.Quota{Bytes: imapx.Amount{Used: 1, Limit: 1000}})
		}, "failed quota full", 51},
		"a quota of 63 bits": {func(f *facts, _ *CheckOptions) { quota(f, math.MaxInt64, math.MaxInt64-1) }, "failed quota full", -1},
		"retention":          {func(f *facts, o *CheckOptions) { o.Retention = checkNow(); f.folders[0].older = 1 }, "failed retention older", 0},
		"nothing is old":     {func(_ *facts, o *CheckOptions) { o.Retention = checkNow() }, "", 0},
		"flags": {func(f *facts, _ *CheckOptions) {
			f.permanent, f.unkept = []imap.Flag{imap.FlagSeen}, []countedFlag{{"a", 1}, {"b", 2}}
		}, "warning flags not-kept,warning flags not-kept", 0},
		"line":            {func(f *facts, _ *CheckOptions) { f.line = lineFacts{bytes: 10, took: time.Second} }, "", 0},
		"line dead":       {func(f *facts, _ *CheckOptions) { f.line = lineFacts{took: time.Second} }, "warning line nothing-came", 0},
		"line refused":    {func(f *facts, _ *CheckOptions) { f.line = lineFacts{err: refused} }, "warning line refused", 0},
		"line of nothing": {func(f *facts, _ *CheckOptions) { f.line, f.folders = lineFacts{took: time.Second}, nil }, "warning source-mail empty", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, o := sound(), CheckOptions{Account: "a", Reserve: 0.05, Now: checkNow()}
			c.change(f, &o)
			r := f.report(o)
			var got []string
			var missing int64
			for _, one := range r.Findings {
				if one.Verdict != CheckOK {
					got = append(got, fmt.Sprint(one.Verdict, " ", one.Check, " ", one.Trouble))
					missing += one.Missing
				} else if one.Trouble != "" {
					t.Errorf("%s is ok with %s", one.Check, one.Trouble)
				}
			}
			if text := strings.Join(got, ","); text != c.want || c.missing >= 0 && missing != c.missing {
				t.Errorf("found %q with %d missing, want %q and %d", text, missing, c.want, c.missing)
			}
			if worst := r.Worst(); (worst == CheckFailed) != strings.Contains(c.want, "failed") || (worst == CheckOK) != (c.want == "") {
				t.Errorf("verdict %v", worst)
			}
		})
	}
}

// What people have in thousands is told in a few lines, the rest is counted.
func TestCheckIsCut(t *testing.T) {
	f := sound()
	for i := range 1000 {
		f.mapped.pairs = append(f.mapped.pairs, folderPair{source: &imapx.Folder{Name: fmt.Sprint(i)}, trouble: "x"})
		f.unkept = append(f.unkept, countedFlag{fmt.Sprint(i), 1})
	}
	r := f.report(CheckOptions{Now: checkNow()})
	more := func(check string) int64 {
		i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Check == check && f.Trouble == TroubleMore })
		return r.Findings[max(i, 0)].Messages
	}
	if more(CheckFolders) != 1000-mostOfOneCheck || more(CheckFlags) != 1000-mostOfOneCheck || len(r.Findings) > 2*mostOfOneCheck+20 {
		t.Errorf("%d findings, %d and %d more", len(r.Findings), more(CheckFolders), more(CheckFlags))
	}
}

// The line's estimate is of what is still to come, and bounded.
func TestCheckEstimates(t *testing.T) {
	f := sound()
	f.folders[0].bytes, f.carried = 7_200_000, 3_600_000
	f.line = lineFacts{bytes: 3000, took: 3 * time.Second}
	r := f.report(CheckOptions{Now: checkNow()})
	line := r.Findings[len(r.Findings)-1]
	if line.Check != CheckLine || line.Bytes != 1000 || line.Took != time.Hour {
		t.Errorf("got %+v", line)
	}
	f.folders[0].bytes, f.line.bytes = math.MaxInt64, 1
	if r = f.report(CheckOptions{Now: checkNow()}); r.Findings[len(r.Findings)-1].Took <= 0 {
		t.Errorf("got %+v", r.Findings[len(r.Findings)-1])
	}
}
