package imapx_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

// What servers answer to GETQUOTAROOT, and what is made of it.
func TestQuotaAnswers(t *testing.T) {
	const huge = math.MaxInt64
	for name, c := range map[string]struct {
		caps   string // after login; "": QUOTA
		answer string
		want   []imapx.Quota
	}{
		"plain": {"", "* QUOTAROOT INBOX \"\"\n* QUOTA \"\" (STORAGE 10 512)\n",
			[]imapx.Quota{{Bytes: imapx.Amount{Used: 10240, Limit: 524288}}}},
		"both resources": {"", "* QUOTAROOT INBOX \"User quota\"\n* QUOTA \"User quota\" (STORAGE 1 2 MESSAGE 3 4)\n",
			[]imapx.Quota{{Root: "User quota", Bytes: imapx.Amount{Used: 1024, Limit: 2048}, Messages: imapx.Amount{Used: 3, Limit: 4}}}},
		"RFC 9208 capability": {"QUOTA=RES-STORAGE QUOTASET", "* QUOTAROOT INBOX u\n* QUOTA u (STORAGE 0 1)\n",
			[]imapx.Quota{{Root: "u", Bytes: imapx.Amount{Limit: 1024}}}},
		"two roots, and one of another mailbox": {"", "* QUOTAROOT INBOX a b\n* QUOTA a (STORAGE 1 2)\n* QUOTA x (STORAGE 1 1)\n* QUOTA b (MESSAGE 5 6)\n",
			[]imapx.Quota{{Root: "a", Bytes: imapx.Amount{Used: 1024, Limit: 2048}}, {Root: "b", Messages: imapx.Amount{Used: 5, Limit: 6}}}},
		"roots left out":          {"", "* QUOTA a (STORAGE 1 2)\n", []imapx.Quota{{Root: "a", Bytes: imapx.Amount{Used: 1024, Limit: 2048}}}},
		"literal and lower case":  {"", "* QUOTAROOT INBOX {1}\na\n* quota {1}\na (storage 1 2)\n", []imapx.Quota{{Root: "a", Bytes: imapx.Amount{Used: 1024, Limit: 2048}}}},
		"other resources":         {"", "* QUOTAROOT INBOX a\n* QUOTA a (MAILBOX 3 4 ANNOTATION-STORAGE 1 2)\n", nil},
		"no limit":                {"", "* QUOTAROOT INBOX a\n* QUOTA a (STORAGE 10 0)\n", nil},
		"no root":                 {"", "* QUOTAROOT INBOX\n", nil},
		"empty list":              {"", "* QUOTAROOT INBOX a\n* QUOTA a ()\n", nil},
		"63 bits of units":        {"", fmt.Sprintf("* QUOTAROOT INBOX a\n* QUOTA a (STORAGE 10 %d)\n", int64(huge)), nil},
		"nearly 63 bits, of both": {"", fmt.Sprintf("* QUOTAROOT INBOX a\n* QUOTA a (STORAGE 0 %d MESSAGE 0 %d)\n", int64(huge/1024), int64(huge-1)), []imapx.Quota{{Root: "a", Bytes: imapx.Amount{Limit: huge / 1024 * 1024}, Messages: imapx.Amount{Limit: huge - 1}}}},
		"malformed":               {"", "* QUOTAROOT INBOX a\n* QUOTA a (STORAGE many 2)\n* QUOTA a (STORAGE 1\n", nil},
		"negative":                {"", "* QUOTAROOT INBOX a\n* QUOTA a (STORAGE 1 -1)\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			caps := c.caps
			if caps == "" {
				caps = "QUOTA"
			}
			dst := scriptedTarget(t, func(s *scripted) {
				s.hello(caps)
				tag := s.expect("GETQUOTAROOT \"?INBOX\"?")
				s.send("%s%s OK done\n", c.answer, tag)
				s.rest()
			})
			got, err := dst.Quota(within(t, 10*time.Second))
			if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// A server that cannot is not asked; one that will not says so.
func TestQuotaNotOffered(t *testing.T) {
	dst := scriptedTarget(t, func(s *scripted) { s.hello("UIDPLUS"); s.expect("LOGOUT") })
	if got, err := dst.Quota(within(t, 10*time.Second)); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	dst = scriptedTarget(t, func(s *scripted) {
		s.hello("QUOTA")
		s.send("%s NO [NOPERM] not for you\n", s.expect("GETQUOTAROOT .*"))
		s.rest()
	})
	_, err := dst.Quota(within(t, 10*time.Second))
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Scope == imapx.ScopeAccount || !strings.Contains(ie.Text, "not for you") {
		t.Errorf("got %v", err)
	}
}

// A real Dovecot's words, with limits on both resources and mail that counts; and one without a quota.
func TestQuotaOfDovecot(t *testing.T) {
	server := real.Dovecot(t, real.Options{Quota: "*:storage=50M:messages=100"})
	user, ctx := server.FreshUser(), within(t, 20*time.Second)
	dst := dialTarget(t, ctx, server, user)
	before, err := dst.Quota(ctx)
	want := []imapx.Quota{{Root: "User quota", Bytes: imapx.Amount{Limit: 50 << 20}, Messages: imapx.Amount{Limit: 100}}}
	if err != nil || fmt.Sprint(before) != fmt.Sprint(want) {
		t.Fatalf("got %v, %v; want %v", before, err, want)
	}
	letter := "Subject: x\r\n\r\n" + strings.Repeat("0123456789abcde\r\n", 600)
	store(t, ctx, dst, "INBOX", imapx.AppendMessage{Body: text(letter)})
	after, err := dst.Quota(ctx)
	if err != nil || len(after) != 1 || after[0].Messages.Used != 1 || after[0].Bytes.Used < int64(len(letter))/2 {
		t.Errorf("with a message: %v, %v", after, err)
	}
	sizes, err := dst.Sizes(ctx, []string{"INBOX"})
	if err != nil || sizes["INBOX"] != int64(len(letter)) {
		t.Errorf("sizes %v, %v; want %d", sizes, err, len(letter))
	}
	plain := real.Dovecot(t, real.Options{})
	if got, err := dialTarget(t, ctx, plain, plain.FreshUser()).Quota(ctx); err != nil || got != nil {
		t.Errorf("without a quota: %v, %v", got, err)
	}
}

// The end of a certificate is told of both sides, and there is none in clear text.
func TestCertificateEnds(t *testing.T) {
	server := real.Dovecot(t, real.Options{})
	e := endpoint(t, server.TLSAddr(), "u1")
	e.TLS, e.Roots = imapx.TLSImplicit, server.CertPool()
	src, _ := dialScripted(t, e, imapx.Options{})
	if left := time.Until(src.CertificateEnds()); left < 46*time.Hour || left > 48*time.Hour {
		t.Errorf("the certificate lasts another %v, want 47 h", left)
	}
	ctx := within(t, 20*time.Second)
	e.Side = "target"
	dst, err := imapx.DialTarget(ctx, e, imapx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dst.Close() })
	if !dst.CertificateEnds().Equal(src.CertificateEnds()) {
		t.Errorf("as target: %v", dst.CertificateEnds())
	}
	if ends := dialTarget(t, ctx, server, "u1").CertificateEnds(); !ends.IsZero() {
		t.Errorf("in clear text: %v", ends)
	}
}
