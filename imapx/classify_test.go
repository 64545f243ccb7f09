package imapx

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/provider"
)

// TestVerdicts has a line for each line of the tables in classify.go.
func TestVerdicts(t *testing.T) {
	seenCodes, seenTexts := map[imap.ResponseCode]bool{}, map[int]bool{}
	for _, c := range []struct {
		code  imap.ResponseCode
		text  string
		kind  Kind
		scope Scope
		retry Retry
	}{ // all as an answer to APPEND: KindAppend, ScopeMessage where nothing else is said
		{"", "no", KindAppend, ScopeMessage, RetryNever},
		{"X-UNKNOWN", "no", KindAppend, ScopeMessage, RetryNever},
		{"UNAVAILABLE", "", KindUnavailable, ScopeAccount, RetryLater},
		{"AUTHENTICATIONFAILED", "", KindAuth, ScopeAccount, RetryNever},
		{"AUTHORIZATIONFAILED", "", KindAuth, ScopeAccount, RetryNever},
		{"EXPIRED", "", KindAuth, ScopeAccount, RetryNever},
		{"PRIVACYREQUIRED", "", KindAuth, ScopeAccount, RetryNever},
		{"CONTACTADMIN", "", KindAppend, ScopeAccount, RetryNever},
		{"NOPERM", "", KindAppend, ScopeFolder, RetryNever},
		{"INUSE", "", KindUnavailable, ScopeFolder, RetryLater},
		{"EXPUNGEISSUED", "", KindAppend, ScopeMessage, RetryReconnect},
		{"CORRUPTION", "", KindAppend, ScopeFolder, RetryNever},
		{"SERVERBUG", "", KindAppend, ScopeMessage, RetryLater},
		{"CLIENTBUG", "", KindAppend, ScopeMessage, RetryNever},
		{"CANNOT", "", KindAppend, ScopeMessage, RetryNever},
		{"LIMIT", "", KindUnavailable, ScopeAccount, RetryLater},
		{"OVERQUOTA", "Quota exceeded", KindQuota, ScopeAccount, RetryNever},
		{"ALREADYEXISTS", "", KindFolder, ScopeFolder, RetryNever},
		{"NONEXISTENT", "", KindAppend, ScopeFolder, RetryNever},
		{"TRYCREATE", "", KindAppend, ScopeFolder, RetryNever},
		{"HASCHILDREN", "", KindFolder, ScopeFolder, RetryNever},
		{"UNKNOWN-CTE", "", KindAppend, ScopeMessage, RetryNever},
		{"PARSE", "", KindAppend, ScopeMessage, RetryNever},
		{"READ-ONLY", "", KindAppend, ScopeFolder, RetryNever},
		{"TOOBIG", "", KindAppend, ScopeMessage, RetryNever},
		{"USEATTR", "", KindFolder, ScopeFolder, RetryNever},
		{"MODIFIED", "", KindStore, ScopeMessage, RetryNever},
		{"MESSAGELIMIT", "", KindAppend, ScopeFolder, RetryReconnect},
		{"THROTTLED", "", KindUnavailable, ScopeAccount, RetryLater},
		{"INPROGRESS", "", KindUnavailable, ScopeFolder, RetryLater},
		{"LIMIT", "At most 32 flags in one mailbox supported", KindAppend, ScopeMessage, RetryNever},
		{"LIMIT", "Mail size is larger than the maximum size allowed by server configuration", KindAppend, ScopeMessage, RetryNever},
		{"LIMIT", "Too many keywords", KindAppend, ScopeMessage, RetryNever},
		{"OVERQUOTA", "Account exceeded command or bandwidth limits.", KindUnavailable, ScopeAccount, RetryLater},
		{"ALERT", "Too many simultaneous connections. (Failure)", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Too many simultaneous connections", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Request is throttled. Suggested Backoff Time: 299 milliseconds", KindUnavailable, ScopeAccount, RetryLater},
		{"", "User is authenticated but not connected.", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Request is throttled", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Connection closed. 14", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Server Unavailable. 15", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Maximum number of connections from user+IP exceeded", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Too many connections from this user", KindUnavailable, ScopeAccount, RetryLater},
		{"", "Maximum size of appendable message has been exceeded", KindAppend, ScopeMessage, RetryNever},
		{"", "Message contains NUL characters", KindAppend, ScopeMessage, RetryNever},
		{"", "Message contains bare newlines", KindAppend, ScopeMessage, RetryNever},
		{"", "Message contains invalid header", KindAppend, ScopeMessage, RetryNever},
		{"", "Can't save a zero byte message", KindAppend, ScopeMessage, RetryNever},
		{"", "Over quota", KindQuota, ScopeAccount, RetryNever},
		{"", "Quota exceeded (mailbox for user is full)", KindQuota, ScopeAccount, RetryNever},
		{"", "Basic authentication is disabled.", KindAuth, ScopeAccount, RetryNever},
	} {
		got := judge(c.code, c.text, KindAppend, ScopeMessage)
		if want := (verdict{c.kind, c.scope, c.retry}); got != want {
			t.Errorf("[%s] %s: %+v, want %+v", c.code, c.text, got, want)
		}
		seenCodes[c.code] = true
		for i, w := range provider.Words() {
			if w.Code == string(c.code) && c.text != "" && strings.Contains(strings.ToLower(c.text), w.Text) {
				seenTexts[i] = true
			}
		}
	}
	for i, w := range provider.Words() {
		if !seenTexts[i] {
			t.Errorf("no test for the text %q", w.Text)
		}
	}
	for code := range codeVerdicts() {
		if !seenCodes[code] {
			t.Errorf("no test for the code %s", code)
		}
	}
	if v := judge("NOPERM", "", KindAuth, ScopeAccount); v.scope != ScopeAccount {
		t.Errorf("a login is refused for a folder: %+v", v)
	}
}

func TestSuggestedDelay(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"Request is throttled. Suggested Backoff Time: 299 milliseconds": 299 * time.Millisecond,
		"suggested backoff time: 300000 ms":                              5 * time.Minute,
		"Suggested Backoff Time: 999999999 milliseconds":                 time.Hour,
		"Suggested Backoff Time: x":                                      0,
		"Request is throttled.":                                          5 * time.Minute,
		"":                                                               0,
	} {
		if got := suggestedDelay("", text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestAppendUIDs(t *testing.T) {
	for _, c := range []struct {
		args string
		n    int
		v    uint32
		uids int
	}{
		{"7 5", 1, 7, 1}, {"7 5:7", 3, 7, 3}, {"7 5,7:8", 3, 7, 3}, {"7 5:7", 2, 7, 0}, {"7 5:7", 4, 7, 0},
		{"7 7,5", 2, 7, 0}, {"7 5,5", 2, 7, 0}, {"7 0", 1, 7, 0}, {"7 1:4294967295", 2, 7, 0}, {"7", 1, 7, 0}, {"0 5", 1, 0, 0}, {"x 5", 1, 0, 0}, {"", 1, 0, 0},
		{"7 8:5", 4, 7, 0},
	} {
		v, uids := appendUIDs(status{name: "OK", code: "APPENDUID", args: c.args}, c.n)
		if v != c.v || len(uids) != c.uids {
			t.Errorf("%q for %d: %d %v", c.args, c.n, v, uids)
		}
	}
}

func TestUIDSets(t *testing.T) {
	set := func(s string) imap.UIDSet {
		if s == "" {
			return nil
		}
		out, err := parseSet(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct{ a, b, minus, both string }{
		{"1:10", "3,5:6", "1:2,4,7:10", "3,5:6"},
		{"1:10", "", "1:10", ""},
		{"1:3,7", "1:10", "", "1:3,7"},
		{"5:6,1:2", "2,6", "1,5", "2,6"},
		{"1:4294967295", "4294967295", "1:4294967294", "4294967295"},
		{"1,3,5", "2,4", "1,3,5", ""},
	} {
		if got := subtract(set(c.a), set(c.b)).String(); got != c.minus {
			t.Errorf("%s minus %s is %s", c.a, c.b, got)
		}
		if got := intersect(set(c.a), set(c.b)).String(); got != c.both {
			t.Errorf("%s and %s is %s", c.a, c.b, got)
		}
	}
	head, rest := cutSet(set("1:3,10:20"), 5)
	if head.String() != "1:3,10:11" || rest.String() != "12:20" {
		t.Errorf("%s %s", head, rest)
	}
	var odd imap.UIDSet
	for i := imap.UID(1); i < 4000; i += 2 {
		odd.AddNum(i)
	}
	head, rest = cutSet(odd, 4000)
	if len(head.String()) > maxSetText+40 || size(head)+size(rest) != 2000 {
		t.Errorf("%d bytes, %d and %d", len(head.String()), size(head), size(rest))
	}
	if b := brief(odd).String(); b != "1:3999" {
		t.Error(b)
	}
	for _, s := range []string{"", "0", "1:", "*", "1:*", "a", "4294967296"} {
		if got, err := parseSet(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
	open := imap.UIDSet{{Start: 5, Stop: 0}}
	if got := subtract(open, set("7")).String(); got != "5:6,8:*" {
		t.Error(got)
	}
}
