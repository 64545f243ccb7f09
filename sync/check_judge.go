package sync

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"mailmove/imapx"
)

const (
	certificateWarning = 30 * 24 * time.Hour // before a certificate ends
	quotaWarning       = 0.8                 // share of the quota that is full after the first pass
	mostOfOneCheck     = 20                  // findings of one account; the rest is one more
)

// report judges the facts. It asks nobody: the same facts give the same report.
func (f *facts) report(o CheckOptions) CheckReport {
	r := CheckReport{Account: o.Account}
	r.add(f.logins(o.Now))
	if f.source.err != nil || f.target.err != nil {
		return r
	}
	if f.refused != nil {
		r.add([]Finding{refusal(f.refused)})
		return r
	}
	for _, folder := range f.folders {
		r.Messages += folder.messages
		r.Bytes += folder.bytes
	}
	r.ToCome = max(0, r.Bytes-f.carried)
	r.add([]Finding{f.twoMailboxes()})
	r.add(f.mapping())
	if f.mapped.err != nil { // nothing has a place, so nothing can be counted
		return r
	}
	r.add([]Finding{f.mail(r)})
	r.add(f.sizes())
	r.add(f.quotas(r, o))
	r.add(f.retention(o))
	r.add(f.keywords())
	r.add(f.lineOf(r))
	return r
}

// add takes the findings of one check. Folders and flags are as many as people like, so the list is cut.
func (r *CheckReport) add(found []Finding) {
	if more := len(found) - mostOfOneCheck; more > 0 {
		next := found[mostOfOneCheck]
		found = append(found[:mostOfOneCheck:mostOfOneCheck], Finding{Check: next.Check, Verdict: next.Verdict, Trouble: TroubleMore, Messages: int64(more)})
	}
	r.Findings = append(r.Findings, found...)
}

// refusal is what ended the look at both sides; the error names the side and what was asked.
func refusal(err error) Finding {
	return Finding{Check: CheckMail, Verdict: CheckFailed, Trouble: TroubleRefused, Err: err}
}

func (f *facts) logins(now time.Time) (found []Finding) {
	for _, s := range []struct {
		side               sideFacts
		login, certificate string
	}{{f.source, CheckSourceLogin, CheckSourceCertificate}, {f.target, CheckTargetLogin, CheckTargetCertificate}} {
		if s.side.err != nil {
			found = append(found, loginRefused(s.side.err, s.login, s.certificate))
			continue
		}
		found = append(found, Finding{Check: s.login, Text: strings.TrimSuffix(s.side.server+", "+s.side.kind, ", ")})
		c := Finding{Check: s.certificate, When: s.side.ends}
		if s.side.pinned {
			c.Text = CertificateIsPinned
		}
		if !c.When.IsZero() && c.When.Before(now.Add(certificateWarning)) {
			c.Verdict, c.Trouble = CheckWarning, TroubleEnds
		}
		found = append(found, c)
	}
	return found
}

// loginRefused says which of the two was wrong: without trust in the certificate no password is sent.
func loginRefused(err error, login, certificate string) Finding {
	check := login
	var ie *imapx.Error
	if errors.As(err, &ie) && ie.Kind == imapx.KindTLS {
		check = certificate
	}
	return Finding{Check: check, Verdict: CheckFailed, Trouble: TroubleRefused, Err: err}
}

func (f *facts) twoMailboxes() Finding {
	if f.same {
		return Finding{Check: CheckTwoMailboxes, Verdict: CheckFailed, Trouble: TroubleSame}
	}
	return Finding{Check: CheckTwoMailboxes}
}

// mapping tells names that are trouble, rules that make no sense here, and folders that cannot be read.
func (f *facts) mapping() (found []Finding) {
	if f.mapped.err != nil {
		return []Finding{{Check: CheckFolders, Verdict: CheckFailed, Trouble: TroubleRule, Err: f.mapped.err}}
	}
	for _, folder := range f.folders { // the worst first, for the list is cut
		if folder.err != nil {
			found = append(found, Finding{Check: CheckFolders, Verdict: CheckFailed, Trouble: TroubleUnreadable, Folder: folder.name, Err: folder.err})
		}
	}
	for _, p := range f.mapped.pairs {
		if p.trouble != "" {
			found = append(found, Finding{Check: CheckFolders, Verdict: CheckWarning, Trouble: TroubleName, Folder: p.source.Name, Text: p.trouble})
		}
	}
	for _, r := range f.mapped.idle {
		found = append(found, Finding{Check: CheckFolders, Verdict: CheckWarning, Trouble: TroubleRule, Text: r.rule + ": " + r.why})
	}
	if len(found) == 0 {
		found = []Finding{{Check: CheckFolders, Messages: int64(len(f.mapped.pairs)), Missing: int64(len(f.mapped.out))}}
	}
	return found
}

// mail is suspicious where there is none: a wrong login, or a mailbox that was moved already.
func (f *facts) mail(r CheckReport) Finding {
	out := Finding{Check: CheckMail, Messages: r.Messages, Bytes: r.Bytes}
	inbox := int64(-1)
	for _, folder := range f.folders {
		if inboxKey(folder.raw) == "INBOX" {
			inbox = folder.messages
		}
	}
	switch {
	case r.Messages == 0:
		out.Verdict, out.Trouble = CheckWarning, TroubleEmpty
	case inbox == 0:
		out.Verdict, out.Trouble = CheckWarning, TroubleEmptyInbox
	}
	return out
}

// sizes tells messages that the target does not take. A pass makes exceptions of them.
func (f *facts) sizes() (found []Finding) {
	limit := int64(min(f.limit, math.MaxInt64))
	var largest int64
	for _, folder := range f.folders {
		largest = max(largest, folder.largest)
		if folder.tooLarge > 0 {
			found = append(found, Finding{Check: CheckMessageSize, Verdict: CheckWarning, Trouble: TroubleTooLarge,
				Folder: folder.name, Messages: folder.tooLarge, Bytes: folder.largest, Limit: limit})
		}
		if folder.hollow > 0 {
			found = append(found, Finding{Check: CheckMessageSize, Verdict: CheckWarning, Trouble: TroubleNoBytes, Folder: folder.name, Messages: folder.hollow})
		}
	}
	if len(found) == 0 {
		found = []Finding{{Check: CheckMessageSize, Bytes: largest, Limit: limit}}
	}
	return found
}

// quotas holds what is still to come against each limit of the target.
func (f *facts) quotas(r CheckReport, o CheckOptions) (found []Finding) {
	toCome := max(0, r.Messages-f.carriedCount)
	for _, q := range f.quota {
		if q.Bytes.Limit > 0 {
			found = append(found, room(Finding{Check: CheckQuota, Bytes: r.ToCome}, q.Bytes, r.ToCome, o.Reserve))
		}
		if q.Messages.Limit > 0 {
			found = append(found, room(Finding{Check: CheckQuotaMessages, Messages: toCome}, q.Messages, toCome, o.Reserve))
		}
	}
	switch {
	case slices.ContainsFunc(found, func(f Finding) bool { return f.Check == CheckQuota }):
	case o.TargetQuota > 0:
		found = append(found, room(Finding{Check: CheckQuota, Bytes: r.ToCome},
			imapx.Amount{Used: f.targetBytes, Limit: o.TargetQuota}, r.ToCome, o.Reserve))
	default:
		found = append(found, Finding{Check: CheckQuota, Verdict: CheckWarning, Trouble: TroubleUnknown, Bytes: r.ToCome, Err: f.quotaErr})
	}
	return found
}

// room judges one limit. Sums are those of float64: a limit may have 63 bits.
func room(out Finding, a imapx.Amount, toCome int64, reserve float64) Finding {
	out.Used, out.Limit = a.Used, a.Limit
	after, limit := float64(a.Used)+float64(toCome), float64(a.Limit)
	switch {
	case toCome == 0: // nothing is added, however full it is
	case after > limit*(1-reserve):
		out.Verdict, out.Trouble = CheckFailed, TroubleFull
		out.Missing = int64(math.Ceil(after - limit*(1-reserve)))
	case after >= limit*quotaWarning:
		out.Verdict, out.Trouble = CheckWarning, TroubleNearlyFull
	}
	return out
}

// retention tells what the target would delete as soon as it has it.
func (f *facts) retention(o CheckOptions) []Finding {
	if o.Retention.IsZero() {
		return nil
	}
	out := Finding{Check: CheckRetention, When: o.Retention}
	for _, folder := range f.folders {
		out.Messages += folder.older
		out.Bytes += folder.olderBytes
	}
	if out.Messages > 0 {
		out.Verdict, out.Trouble = CheckFailed, TroubleOlder
	}
	return []Finding{out}
}

func (f *facts) keywords() (found []Finding) {
	for _, flag := range f.unkept {
		found = append(found, Finding{Check: CheckFlags, Verdict: CheckWarning, Trouble: TroubleNotKept, Text: flag.name, Messages: flag.messages})
	}
	if len(found) == 0 && len(f.permanent) > 0 {
		found = []Finding{{Check: CheckFlags}}
	}
	return found
}

// lineOf says how long a first pass reads at the speed that was tried, over one connection.
func (f *facts) lineOf(r CheckReport) []Finding {
	l := f.line
	out := Finding{Check: CheckLine, Bytes: l.bytes}
	switch {
	case l.err != nil:
		out.Verdict, out.Trouble, out.Err = CheckWarning, TroubleRefused, l.err
	case l.took == 0 || r.Messages == 0:
		return nil
	case l.bytes == 0:
		out.Verdict, out.Trouble = CheckWarning, TroubleNoMail
	default:
		rate := float64(l.bytes) / l.took.Seconds()
		out.Bytes = int64(rate)
		out.Took = time.Duration(min(float64(r.ToCome)/rate, 1e9)) * time.Second
	}
	return []Finding{out}
}
