package imapx

import (
	"context"
	"math"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// Quota is what a quota root lets a mailbox hold. A root may cover more than one mailbox.
type Quota struct {
	Root     string
	Bytes    Amount // resource STORAGE, which counts in units of 1024 octets (RFC 9208 section 5.1)
	Messages Amount // resource MESSAGE (RFC 9208 section 5.2)
}

// Amount is the use of one resource of a quota root. Limit 0: the server names none.
type Amount struct {
	Used  int64
	Limit int64
}

// storageUnit is what STORAGE counts in.
const storageUnit = 1024

// Quota asks what INBOX may hold (GETQUOTAROOT, RFC 9208 section 4.1.2, RFC 2087 section 4.3): an answer for each of
// its roots that names a limit. Nothing without an error: the server knows no quotas, or none for this mailbox.
func (t *Target) Quota(ctx context.Context) ([]Quota, error) {
	c := t.c
	if !c.has(imap.CapQuota) && !c.hasQuotaResource() {
		return nil, nil
	}
	q := &quotas{}
	h := &command{op: "GETQUOTAROOT", folder: "INBOX", kind: KindOther, scope: ScopeFolder, data: q.take}
	if err := c.call(ctx, c.command("GETQUOTAROOT").Mailbox("INBOX"), h); err != nil {
		return nil, err
	}
	return q.limited(), nil
}

// hasQuotaResource reports a capability such as QUOTA=RES-STORAGE, which a server may offer alone (RFC 9208 section 3.1.1).
func (c *conn) hasQuotaResource() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.caps {
		if strings.HasPrefix(string(k), "QUOTA=RES-") {
			return true
		}
	}
	return false
}

// quotas gathers the answers of one GETQUOTAROOT. The reader's own until the command has ended.
type quotas struct {
	roots map[string]bool // of INBOX; nil: the server did not name them (it may answer with QUOTA alone)
	all   []Quota
}

// maxRoots bounds what is kept of one answer.
const maxRoots = 64

func (q *quotas) take(r *wire.Response, _ bool) (bool, error) {
	switch r.Name {
	case "QUOTAROOT":
		return true, q.names(r)
	case "QUOTA":
		return true, q.quota(r)
	}
	return false, nil
}

// names reads `mailbox *(SP root)`.
func (q *quotas) names(r *wire.Response) error {
	if _, err := r.P.AString(); err != nil {
		return err
	}
	q.roots = make(map[string]bool)
	for !r.P.End() {
		root, err := r.P.AString()
		if err != nil {
			return err
		}
		if len(q.roots) < maxRoots {
			q.roots[string(root)] = true
		}
	}
	return nil
}

// quota reads `root (*(resource used limit))`. Resources that say nothing of mail are passed over.
func (q *quotas) quota(r *wire.Response) error {
	root, err := r.P.AString()
	if err != nil {
		return err
	}
	one := Quota{Root: string(root)}
	err = r.P.List(func() error {
		name, err := r.P.AString()
		if err != nil {
			return err
		}
		resource := string(name)
		used, err := r.P.Number64()
		if err != nil {
			return err
		}
		limit, err := r.P.Number64()
		if err != nil {
			return err
		}
		switch {
		case strings.EqualFold(resource, "STORAGE"):
			one.Bytes = Amount{scaled(used, storageUnit), scaled(limit, storageUnit)}
		case strings.EqualFold(resource, "MESSAGE"):
			one.Messages = Amount{scaled(used, 1), scaled(limit, 1)}
		}
		return nil
	})
	if err == nil && len(q.all) < maxRoots {
		q.all = append(q.all, one)
	}
	return err
}

// limited are the answers that bind INBOX. A limit of 63 bits is how some servers write none.
func (q *quotas) limited() (out []Quota) {
	for _, one := range q.all {
		for _, a := range []*Amount{&one.Bytes, &one.Messages} {
			if a.Limit == math.MaxInt64 {
				a.Limit = 0
			}
		}
		if (q.roots == nil || q.roots[one.Root]) && (one.Bytes.Limit > 0 || one.Messages.Limit > 0) {
			out = append(out, one)
		}
	}
	return out
}

// scaled is n units, at most what an int64 holds: numbers have 63 bits (RFC 9208 section 7).
func scaled(n, unit uint64) int64 {
	if n > math.MaxInt64/unit {
		return math.MaxInt64
	}
	return int64(n * unit)
}
