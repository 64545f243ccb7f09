package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// asCommand stands for what the command itself says.
const asCommand = -1

type meaning struct {
	kind  imapx.Kind
	scope imapx.Scope
	retry imapx.Retry
}

// refusals are the response codes that a pass has to live with (RFC 5530, 7889, 9051), as NO and as BYE.
var refusals = map[imap.ResponseCode]struct{ no, bye meaning }{
	"UNAVAILABLE":          {meaning{imapx.KindUnavailable, imapx.ScopeAccount, imapx.RetryLater}, meaning{imapx.KindUnavailable, 0, imapx.RetryLater}},
	"THROTTLED":            {meaning{imapx.KindUnavailable, imapx.ScopeAccount, imapx.RetryLater}, meaning{imapx.KindUnavailable, 0, imapx.RetryLater}},
	"LIMIT":                {meaning{imapx.KindUnavailable, imapx.ScopeAccount, imapx.RetryLater}, meaning{imapx.KindUnavailable, 0, imapx.RetryLater}},
	"INUSE":                {meaning{imapx.KindUnavailable, imapx.ScopeFolder, imapx.RetryLater}, meaning{imapx.KindUnavailable, 0, imapx.RetryLater}},
	"SERVERBUG":            {meaning{asCommand, asCommand, imapx.RetryLater}, meaning{imapx.KindLost, 0, imapx.RetryLater}},
	"OVERQUOTA":            {meaning{imapx.KindQuota, imapx.ScopeAccount, imapx.RetryNever}, meaning{imapx.KindQuota, 0, imapx.RetryNever}},
	"EXPIRED":              {meaning{imapx.KindAuth, imapx.ScopeAccount, imapx.RetryNever}, meaning{imapx.KindAuth, 0, imapx.RetryNever}},
	"AUTHENTICATIONFAILED": {meaning{imapx.KindAuth, imapx.ScopeAccount, imapx.RetryNever}, meaning{imapx.KindAuth, 0, imapx.RetryNever}},
	"TRYCREATE":            {meaning{asCommand, imapx.ScopeFolder, imapx.RetryNever}, meaning{imapx.KindLost, 0, imapx.RetryReconnect}},
	"TOOBIG":               {meaning{asCommand, imapx.ScopeMessage, imapx.RetryNever}, meaning{imapx.KindLost, 0, imapx.RetryReconnect}},
	"":                     {meaning{asCommand, asCommand, imapx.RetryNever}, meaning{imapx.KindLost, 0, imapx.RetryReconnect}},
}

// refusable is a command in the session that it belongs to.
type refusable struct {
	kind  imapx.Kind
	scope imapx.Scope
	nth   int  // of its verb
	times int  // of the fault
	multi bool // on a server with MULTIAPPEND
	run   func(ctx context.Context, tgt *imapx.Target, validity uint32) error
}

func visitError(ctx context.Context, tgt *imapx.Target, r imapx.Read) error {
	var c collector
	r.UIDs = imap.UIDSetNum(1)
	res, err := tgt.Visit(ctx, imapx.Visit{Folder: "INBOX", Reads: []imapx.Read{r}}, c.handler())
	if err == nil {
		err = res.Failed[1]
	}
	return err
}

func prepareError(ctx context.Context, tgt *imapx.Target, p imapx.Prepare) error {
	out, err := tgt.Prepare(ctx, []imapx.Prepare{p})
	if err == nil {
		err = out[0].Err
	}
	return err
}

func appendError(ctx context.Context, tgt *imapx.Target, _ uint32) error {
	p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "INBOX", Messages: messages(3)})
	if err != nil {
		return err
	}
	a, err := p.Wait(ctx)
	if err == nil {
		err = a.Errs[0]
	}
	return err
}

func statusError(ctx context.Context, tgt *imapx.Target, _ uint32) error {
	l, err := tgt.List(ctx)
	for _, f := range l.Folders {
		if err == nil && f.Err != nil && !l.Complete {
			err = f.Err
		}
	}
	return err
}

var refusables = map[string]refusable{
	"LIST":   {imapx.KindFolder, imapx.ScopeAccount, 1, 1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error { _, err := t.List(ctx); return err }},
	"STATUS": {imapx.KindFolder, imapx.ScopeFolder, 1, 1, false, statusError},
	"EXAMINE": {imapx.KindFolder, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error {
		return visitError(ctx, t, imapx.Read{Want: imapx.WantFlags})
	}},
	"UID SEARCH": {imapx.KindFetch, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error {
		return visitError(ctx, t, imapx.Read{})
	}},
	"UID FETCH": {imapx.KindFetch, imapx.ScopeMessage, 1, -1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error {
		return visitError(ctx, t, imapx.Read{Want: imapx.WantBody})
	}},
	"SELECT": {imapx.KindFolder, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, v uint32) error {
		return t.Store(ctx, "INBOX", v, []imapx.FlagChange{{UIDs: imap.UIDSetNum(1), Add: []imap.Flag{"$x"}}})
	}},
	"UID STORE": {imapx.KindStore, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, v uint32) error {
		return t.Store(ctx, "INBOX", v, []imapx.FlagChange{{UIDs: imap.UIDSetNum(1), Add: []imap.Flag{"$x"}}})
	}},
	"UID EXPUNGE": {imapx.KindStore, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, v uint32) error {
		return t.Remove(ctx, "INBOX", v, imap.UIDSetNum(1))
	}},
	"UID MOVE": {imapx.KindStore, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, v uint32) error {
		_, err := t.Move(ctx, "INBOX", v, imap.UIDSetNum(1), "to")
		return err
	}},
	"CREATE": {imapx.KindFolder, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error {
		return prepareError(ctx, t, imapx.Prepare{Folder: "new", Create: true, Open: true})
	}},
	"SUBSCRIBE": {imapx.KindFolder, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error {
		return prepareError(ctx, t, imapx.Prepare{Folder: "to", Subscribe: true})
	}},
	"RENAME": {imapx.KindFolder, imapx.ScopeFolder, 1, 1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error {
		return t.Rename(ctx, "to", "elsewhere")
	}},
	"APPEND":                   {imapx.KindAppend, imapx.ScopeMessage, 1, 1, false, appendError},
	"APPEND, behind the probe": {imapx.KindAppend, imapx.ScopeMessage, 2, 1, true, appendError},
	"NOOP":                     {imapx.KindOther, imapx.ScopeAccount, 1, 1, false, func(ctx context.Context, t *imapx.Target, _ uint32) error { return t.Noop(ctx) }},
}

// TestEveryRefusalAtEveryCommand: what the error says is right, nothing hangs, and a connection whose command was
// refused is as good as before.
func TestEveryRefusalAtEveryCommand(t *testing.T) {
	plain := real.Dovecot(t, real.Options{Without: []string{"MULTIAPPEND", "LIST-STATUS"}})
	multi := real.Dovecot(t, real.Options{})
	for verb, c := range refusables {
		s := plain
		if c.multi {
			s = multi
		}
		user := s.FreshUser()
		ctx := within(t, time.Minute)
		tgt := dialTarget(t, ctx, s, user)
		if err := prepareError(ctx, tgt, imapx.Prepare{Folder: "to", Create: true}); err != nil {
			t.Fatal(err)
		}
		validity := store(t, ctx, tgt, "INBOX", messages(1)...).UIDValidity
		for code, want := range refusals {
			for _, how := range []imaptest.Meddling{imaptest.AnswerNo, imaptest.AnswerBye} {
				t.Run(fmt.Sprintf("%s/%s/%d", verb, code, how), func(t *testing.T) {
					name := verb
					if c.nth > 1 {
						name = "APPEND"
					}
					m := meddler(t, s, imaptest.Meddle{Verb: name, Nth: c.nth, Times: c.times, How: how, Code: string(code), Text: words(code)})
					refuseOne(t, m, user, c, validity, how, code, want.no, want.bye)
				})
			}
		}
	}
}

// words are the server's; without a code they must say nothing, for words alone are a throttling too.
func words(code imap.ResponseCode) string {
	if code == "" {
		return "no"
	}
	return "Suggested Backoff Time: 299 ms"
}

func meddler(t testing.TB, s *real.Server, faults ...imaptest.Meddle) *imaptest.Meddler {
	t.Helper()
	m, err := imaptest.NewMeddler(s.Addr(), faults...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func refuseOne(t *testing.T, m *imaptest.Meddler, user string, c refusable, validity uint32, how imaptest.Meddling, code imap.ResponseCode, no, bye meaning) {
	ctx := within(t, 10*time.Second)
	e := endpoint(t, m.Addr(), user)
	tgt, err := imapx.DialTarget(ctx, e, imapx.Options{Trace: traceTo(t), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer tgt.Close()
	err = c.run(ctx, tgt, validity)
	want := bye
	if how == imaptest.AnswerNo {
		want = no
		if want.kind == asCommand {
			want.kind = c.kind
		}
		if want.scope == asCommand || want.scope > c.scope {
			want.scope = c.scope
		}
		if c.times < 0 && want.scope == imapx.ScopeFolder && want.retry == imapx.RetryNever {
			want.scope = imapx.ScopeMessage // asked for singly, it is this message that does not come
		}
	}
	checkMeaning(t, err, code, want)
	if m.Hits() == 0 {
		t.Error("nothing was refused")
	}
	m.SetFaults()
	if _, err := tgt.List(ctx); (err == nil) != (how == imaptest.AnswerNo) {
		t.Errorf("afterwards: %v", err)
	}
}

func checkMeaning(t *testing.T, err error, code imap.ResponseCode, want meaning) {
	t.Helper()
	var x *imapx.Error
	if !errors.As(err, &x) {
		t.Fatalf("the error is %#v", err)
	}
	delay := time.Duration(0)
	if want.retry == imapx.RetryLater {
		delay = 299 * time.Millisecond
	}
	if got := (meaning{x.Kind, x.Scope, x.Retry}); got != want || x.Delay != delay || x.Code != code {
		t.Errorf("%v\ngot  %+v, delay %v, code %s\nwant %+v, delay %v, code %s", err, got, x.Delay, x.Code, want, delay, code)
	}
}

// TestRefusedLogins: no login that the server refused for good is tried again.
func TestRefusedLogins(t *testing.T) {
	s := real.Dovecot(t, real.Options{})
	for code, want := range refusals {
		for _, how := range []imaptest.Meddling{imaptest.AnswerNo, imaptest.AnswerBye} {
			t.Run(fmt.Sprintf("%s/%d", code, how), func(t *testing.T) {
				m := meddler(t, s, imaptest.Meddle{Verb: "LOGIN", How: how, Code: string(code), Text: words(code)})
				mean := want.bye
				if how == imaptest.AnswerNo {
					mean = want.no
					mean.scope = imapx.ScopeAccount
					if mean.kind == asCommand {
						mean.kind = imapx.KindAuth
					}
				}
				tgt, err := imapx.DialTarget(within(t, 10*time.Second), endpoint(t, m.Addr(), "u1"), imapx.Options{Timeout: 5 * time.Second})
				if err == nil {
					tgt.Close()
				}
				checkMeaning(t, err, code, mean)
			})
		}
	}
}
