package sync

import (
	"context"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// CheckSource is the old side as Check needs it: it reads, and has no verb that changes anything.
type CheckSource interface {
	Source
	Sizes(ctx context.Context, folders []string) (map[string]int64, error)
	CertificateEnds() time.Time // zero in clear text, and where it is pinned
	CertificatePinned() bool
	Address() string          // host:port
	Provider() imapx.Provider // what the server was recognised as; waits for its answer to ID
}

// CheckTarget is the new side as Check needs it. It has no verb that changes anything either.
type CheckTarget interface {
	CheckSource
	Limits() imapx.Limits
	Quota(ctx context.Context) ([]imapx.Quota, error)
}

// CheckOptions are one look at both sides of an account, before anything is copied.
type CheckOptions struct {
	Account       string // id
	ConnectSource func(context.Context) (CheckSource, error)
	ConnectTarget func(context.Context) (CheckTarget, error)
	State         *state.File // for what earlier passes carried; may be fresh, and is only read
	Mapping       Mapping
	Reserve       float64       // share of the target's quota that stays free for new mail, 0 to below 1
	TargetQuota   int64         // bytes, where the server names no quota; 0: not known
	Retention     time.Time     // the target deletes what arrived before it; zero: nothing
	Try           time.Duration // how long bodies are read from the source to measure the line; 0: not at all
	Now           time.Time     // zero: now
	Stop          <-chan struct{}
}

// Verdict is what a finding means for the start of the migration.
type Verdict int

const (
	CheckOK      Verdict = iota
	CheckWarning         // can start; somebody should look at it
	CheckFailed          // cannot start: mail would be refused, deleted, or go to the wrong place
)

func (v Verdict) String() string { return [...]string{"ok", "warning", "failed"}[v] }

// CertificateIsPinned is the Text of a certificate that is trusted because it was pinned.
const CertificateIsPinned = "pinned"

// What is checked, in the order of the report.
const (
	CheckSourceLogin       = "source-login"
	CheckTargetLogin       = "target-login"
	CheckSourceCertificate = "source-certificate"
	CheckTargetCertificate = "target-certificate"
	CheckPassword          = "target-password" // the caller's: the engine knows no passwords
	CheckTwoMailboxes      = "two-mailboxes"
	CheckFolders           = "folders"
	CheckMail              = "source-mail"
	CheckMessageSize       = "message-size"
	CheckQuota             = "quota"
	CheckQuotaMessages     = "quota-messages"
	CheckRetention         = "retention"
	CheckFlags             = "flags"
	CheckLine              = "line"
)

// Trouble is what was found, one word. The words of a check are beside it.
const (
	TroubleRefused    = "refused"        // logins, and whatever a server refuses to tell: Err
	TroubleEnds       = "ends-soon"      // certificates: When
	TroubleSame       = "same"           // two-mailboxes
	TroubleName       = "name"           // folders: Folder, Text
	TroubleRule       = "rule"           // folders: Err, or Text where the rule only changes nothing
	TroubleUnreadable = "unreadable"     // folders: Folder, Err
	TroubleMore       = "more"           // of any: so many more findings, Messages
	TroubleEmpty      = "empty"          // source-mail
	TroubleEmptyInbox = "empty-inbox"    // source-mail
	TroubleTooLarge   = "too-large"      // message-size: Messages, Bytes of the largest, Limit
	TroubleNoBytes    = "no-bytes"       // message-size: Messages
	TroubleFull       = "full"           // quotas: Used, Bytes or Messages to come, Limit, Missing
	TroubleNearlyFull = "nearly-full"    // quotas: the same without Missing
	TroubleUnknown    = "unknown"        // quota: the server tells none, Bytes to come
	TroubleOlder      = "older"          // retention: Messages, Bytes
	TroubleNotKept    = "not-kept"       // flags: Text, Messages
	TroublePolicy     = "against-policy" // target-password: Text
	TroubleNoMail     = "nothing-came"   // line
)

// Finding is one line of the report. Which of the values mean something depends on Check and Trouble.
type Finding struct {
	Check    string
	Verdict  Verdict
	Trouble  string // "" with CheckOK
	Folder   string // on the source, decoded
	Text     string // a folder's trouble, the name of a flag, the address of a server and what it was recognised as, or CertificateIsPinned
	Messages int64
	Bytes    int64
	Used     int64 // with Limit and Missing: bytes, for quota-messages messages
	Limit    int64 // 0: the server names none
	Missing  int64
	When     time.Time
	Took     time.Duration // line: how long reading what is to come takes
	Err      error
}

// CheckReport is what was found of one account. Reports of many accounts can be summed up.
type CheckReport struct {
	Account  string
	Findings []Finding
	Messages int64 // on the source, in folders that are carried
	Bytes    int64 // their size, as the source tells it
	ToCome   int64 // of these bytes, what no earlier pass carried
}

// Worst is the verdict on the account.
func (r CheckReport) Worst() (worst Verdict) {
	for _, f := range r.Findings {
		worst = max(worst, f.Verdict)
	}
	return worst
}

// Count gives how many findings have a verdict.
func (r CheckReport) Count(v Verdict) (n int) {
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// Check looks at both sides and changes neither, nor the state. What servers refuse is among the findings; an error is
// one of the state, ErrInterrupted, or the context's.
func Check(ctx context.Context, o CheckOptions) (CheckReport, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	p, err := newPass(ctx, o.asDryRun())
	if err != nil {
		return CheckReport{}, err
	}
	defer p.stopIntake()
	within, cancel := both(ctx, p.intake)
	defer cancel()
	g := &gathering{CheckOptions: o, attempt: newAttempt(p)}
	defer g.close()
	err = g.gather(within)
	if p.stopped() && ctx.Err() == nil {
		return CheckReport{}, ErrInterrupted
	}
	if err == nil {
		err = ctx.Err()
	}
	return g.facts.report(o), err
}

// asDryRun are the options under which the folders are mapped as a pass would.
func (o CheckOptions) asDryRun() Options {
	return Options{Account: o.Account, State: o.State, Mapping: o.Mapping, DryRun: true, Stop: o.Stop, Memory: smallestMemory}
}
