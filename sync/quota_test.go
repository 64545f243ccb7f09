package sync

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
)

// quotaConn is a fake target that tells a quota.
type quotaConn struct {
	*fakeConn
	free int64 // bytes
}

func (c quotaConn) Quota(context.Context) ([]imapx.Quota, error) {
	return []imapx.Quota{{Bytes: imapx.Amount{Used: 1000, Limit: 1000 + c.free}}}, nil
}

// What is still to come is what this pass would carry: a filter leaves mail out, and brings it back when it goes.
func TestFullTargetAndFilter(t *testing.T) {
	b := newBench(t)
	for i := range 10 {
		b.src.add("INBOX", day.Add(time.Duration(i)*time.Hour), letterOf(i, strings.Repeat("x", 1000)))
	}
	b.src.add("INBOX", day.AddDate(1, 0, 0), letterOf(10, strings.Repeat("x", 1000)))
	full := func(data []byte) *imapx.Error {
		return &imapx.Error{Op: "APPEND", Side: "target", Code: "OVERQUOTA", Text: "full", Kind: imapx.KindQuota, Scope: imapx.ScopeAccount}
	}
	quota := func(o *Options) {
		o.ConnectTarget = func(context.Context) (Target, error) {
			return quotaConn{&fakeConn{fakeServer: b.dst, side: "target"}, 3000}, nil
		}
	}
	recent := func(o *Options) { o.Filter.NewerThan = day.AddDate(0, 6, 0) }
	isFull := func(err error) bool {
		var ie *imapx.Error
		return errors.As(err, &ie) && ie.Kind == imapx.KindQuota
	}

	b.dst.refuse = full
	if _, err := b.run(quota, recent); !isFull(err) {
		t.Fatalf("%v", err)
	}
	b.dst.refuse = nil
	if _, err := b.run(quota); !isFull(err) || b.dst.count("APPEND") != 0 {
		t.Errorf("without the filter: %v after %v", err, b.dst.commands)
	}
	if r, err := b.run(quota, recent); err != nil || r.Copied != 1 {
		t.Errorf("what passes the filter fits: %+v, %v", r, err)
	}

	b = newBench(t)
	for i := range 10 {
		b.src.add("INBOX", day, letterOf(i, strings.Repeat("x", 1000)))
	}
	b.src.add("INBOX", day.AddDate(1, 0, 0), letterOf(10, strings.Repeat("x", 1000)))
	b.dst.refuse = full
	if _, err := b.run(quota); !isFull(err) {
		t.Fatalf("%v", err)
	}
	b.dst.refuse = nil
	if r, err := b.run(quota, recent); err != nil || r.Copied != 1 {
		t.Errorf("full without the filter, and with it room: %+v, %v", r, err)
	}
}
