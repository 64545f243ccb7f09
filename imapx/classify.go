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
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/provider"
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

// meant is the verdict of a text: the words are the rows' of imapx/provider.
func meant(m provider.Meaning) verdict {
	switch m {
	case provider.Later:
		return verdict{KindUnavailable, ScopeAccount, RetryLater}
	case provider.Full:
		return verdict{KindQuota, ScopeAccount, RetryNever}
	case provider.NoLogin:
		return verdict{KindAuth, ScopeAccount, RetryNever}
	case provider.BadMail:
		return verdict{asOp, ScopeMessage, RetryNever}
	}
	return verdict{asOp, asOp, RetryNever}
}

// judge decides what a refusal means: the words are exceptions to the codes, and few.
func judge(code imap.ResponseCode, text string, kind Kind, scope Scope) verdict {
	v, known := codeVerdicts()[code]
	if w, is := provider.Match(string(code), known, text); is {
		v, known = meant(w.Means), true
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

// suggestedDelay is how long the server asks to be left alone, or is known to want it when it says that: at most an hour.
func suggestedDelay(code imap.ResponseCode, text string) time.Duration {
	if d := provider.Delay(text); d > 0 {
		return d
	}
	_, known := codeVerdicts()[code]
	w, _ := provider.Match(string(code), known, text)
	return w.Pause
}
