package imapx

// What an answer means, and when to try again. NO and BAD kill the scope in the table or the command's own, whichever
// is wider: nothing that concerns the account is ever blamed on a message.
//
//	code                                        kind         scope    retry      why
//	UNAVAILABLE THROTTLED LIMIT                 Unavailable  account  later      the server is down or has enough of us
//	LIMIT, words of flags or keywords           command's    command  never      RFC 5530's own example
//	INUSE INPROGRESS                            Unavailable  folder   later      somebody holds the lock
//	SERVERBUG                                   command's    command  later      may pass
//	OVERQUOTA                                   Quota        account  never      no pause makes room
//	AUTHENTICATIONFAILED AUTHORIZATIONFAILED
//	EXPIRED PRIVACYREQUIRED                     Auth         account  never      trying on gets us locked out
//	TRYCREATE NONEXISTENT NOPERM CORRUPTION …   command's    folder   never
//	TOOBIG PARSE UNKNOWN-CTE                    command's    message  never
//	another, or none                            command's    command  never
//
// A connection that ends is lost, and retried on a new one. A BYE with a reason decides better: where the table says
// later, or calls it Auth or Quota, that holds; a folder or a message cannot be the reason of a BYE.

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// asOp stands for "what the command itself says" in the tables below.
const asOp = -1

// verdict is what a refusal means.
type verdict struct {
	kind  Kind
	scope Scope
	retry Retry
}

// codeVerdicts judge by response code alone.
func codeVerdicts() map[imap.ResponseCode]verdict {
	return map[imap.ResponseCode]verdict{
		// RFC 5530 section 3
		"UNAVAILABLE":          {KindUnavailable, ScopeAccount, RetryLater},
		"AUTHENTICATIONFAILED": {KindAuth, ScopeAccount, RetryNever},
		"AUTHORIZATIONFAILED":  {KindAuth, ScopeAccount, RetryNever},
		"EXPIRED":              {KindAuth, ScopeAccount, RetryNever},
		"PRIVACYREQUIRED":      {KindAuth, ScopeAccount, RetryNever},
		"CONTACTADMIN":         {asOp, ScopeAccount, RetryNever},
		"NOPERM":               {asOp, ScopeFolder, RetryNever},
		"INUSE":                {KindUnavailable, ScopeFolder, RetryLater},
		"EXPUNGEISSUED":        {asOp, asOp, RetryReconnect},
		"CORRUPTION":           {asOp, ScopeFolder, RetryNever},
		"SERVERBUG":            {asOp, asOp, RetryLater},
		"CLIENTBUG":            {asOp, asOp, RetryNever},
		"CANNOT":               {asOp, asOp, RetryNever},
		"LIMIT":                {KindUnavailable, ScopeAccount, RetryLater},
		"OVERQUOTA":            {KindQuota, ScopeAccount, RetryNever},
		"ALREADYEXISTS":        {KindFolder, ScopeFolder, RetryNever},
		"NONEXISTENT":          {asOp, ScopeFolder, RetryNever},
		// RFC 9051 section 7.1
		"TRYCREATE":   {asOp, ScopeFolder, RetryNever},
		"HASCHILDREN": {KindFolder, ScopeFolder, RetryNever},
		"UNKNOWN-CTE": {asOp, ScopeMessage, RetryNever},
		"PARSE":       {asOp, ScopeMessage, RetryNever},
		"READ-ONLY":   {asOp, ScopeFolder, RetryNever},
		// RFC 7889 section 4
		"TOOBIG": {asOp, ScopeMessage, RetryNever},
		// RFC 6154 section 6
		"USEATTR": {KindFolder, ScopeFolder, RetryNever},
		// RFC 7162 section 3.1
		"MODIFIED": {KindStore, ScopeMessage, RetryNever},
		// RFC 9738: cut answers; SAVELIMIT bounds COPY and APPEND
		"MESSAGELIMIT": {asOp, ScopeFolder, RetryReconnect},
		// Gmail, not in an RFC
		"THROTTLED": {KindUnavailable, ScopeAccount, RetryLater},
		// Dovecot, not in an RFC
		"INPROGRESS": {KindUnavailable, ScopeFolder, RetryLater},
	}
}

// textRule judges by words: only for servers that give no code, or the wrong one.
type textRule struct {
	code imap.ResponseCode // must be this; "": none given
	text string            // part of the text, lower case
	v    verdict
}

func textRules() []textRule {
	later := verdict{KindUnavailable, ScopeAccount, RetryLater}
	message := verdict{asOp, ScopeMessage, RetryNever}
	quota := verdict{KindQuota, ScopeAccount, RetryNever}
	return []textRule{
		{"OVERQUOTA", "command or bandwidth limits", later},    // Gmail: a daily limit, the mailbox is not full
		{"LIMIT", "flags", verdict{asOp, asOp, RetryNever}},    // RFC 5530 section 3: "At most 32 flags in one mailbox supported"
		{"LIMIT", "keywords", verdict{asOp, asOp, RetryNever}}, // the same, in newer words
		{"LIMIT", "mail size is larger", message},              // Dovecot: quota_max_mail_size
		{"ALERT", "too many simultaneous connections", later},
		{"", "too many simultaneous connections", later},        // Gmail
		{"", "suggested backoff time", later},                   // Microsoft 365
		{"", "authenticated but not connected", later},          // Microsoft 365: throttled or no permission
		{"", "server unavailable", later},                       // Exchange
		{"", "maximum number of connections", later},            // Dovecot before response codes
		{"", "too many connections", later},                     // Cyrus
		{"", "maximum size of appendable message", message},     // Exchange
		{"", "message contains nul", message},                   // Cyrus
		{"", "message contains bare newlines", message},         // Cyrus
		{"", "message contains invalid header", message},        // Cyrus
		{"", "can't save a zero byte message", message},         // Dovecot
		{"", "over quota", quota},                               // Cyrus
		{"", "quota exceeded", quota},                           // Dovecot before response codes, Courier
		{"", "basic authentication is disabled", authVerdict()}, // Microsoft 365
	}
}

func authVerdict() verdict { return verdict{KindAuth, ScopeAccount, RetryNever} }

// judge decides what a refusal means: the text rules are exceptions to the codes, and few.
func judge(code imap.ResponseCode, text string, kind Kind, scope Scope) verdict {
	v, known := codeVerdicts()[code]
	low := strings.ToLower(text)
	for _, r := range textRules() {
		if (r.code == code || r.code == "" && !known) && strings.Contains(low, r.text) {
			v, known = r.v, true
			break
		}
	}
	if !known {
		return verdict{kind, scope, RetryNever}
	}
	if v.kind == asOp {
		v.kind = kind
	}
	if v.scope == asOp {
		v.scope = scope
	}
	v.scope = min(v.scope, scope) // the wider one: what is asked of the account has neither folder nor message
	return v
}

// suggestedDelay reads Microsoft 365's "Suggested Backoff Time: 299 milliseconds", at most an hour; 0 without.
func suggestedDelay(text string) time.Duration {
	m := regexp.MustCompile(`(?i)suggested backoff time: (\d{1,9}) ?(milliseconds|ms)\b`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Millisecond, time.Hour)
}
