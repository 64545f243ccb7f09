package imapx_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
)

// transcript is one server that does something odd. Its file begins with what it is, for people and for the test:
//
//	# what the server does
//	# do: list            what is asked of it: dial, list, visit, known (which UIDs), append
//	# ends: …             what comes of it, as outcome words it
type transcript struct {
	name, what, do, ends, text string
}

const hostileFolder = "testdata/hostile"

func transcripts(t *testing.T) (all []transcript) {
	t.Helper()
	files, err := filepath.Glob(hostileFolder + "/*.imap")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		x := transcript{name: strings.TrimSuffix(filepath.Base(name), ".imap"), text: string(b)}
		for line := range strings.Lines(x.text) {
			line, comment := strings.CutPrefix(strings.TrimSpace(line), "# ")
			switch {
			case !comment:
			case strings.HasPrefix(line, "do: "):
				x.do = line[4:]
			case strings.HasPrefix(line, "ends: "):
				x.ends = line[6:]
			default:
				x.what = strings.TrimSpace(x.what + " " + line)
			}
		}
		all = append(all, x)
	}
	return all
}

// memoryOfOne is what one odd server may cost at most, in bytes. It is far below the default of --memory, which several
// connections share.
const memoryOfOne = 48 << 20

// TestHostileServers plays every transcript: each ends in what its file says, in time, and in bounded memory.
func TestHostileServers(t *testing.T) {
	for _, x := range transcripts(t) {
		t.Run(x.name, func(t *testing.T) {
			s := imaptest.PlayFile(t, filepath.Join(hostileFolder, x.name+".imap"), imaptest.ScriptOptions{Timeout: time.Minute})
			peak := watchMemory(t)
			started := time.Now()
			got := outcome(t, x.do, endpoint(t, s.Addr(), "u"))
			if *update {
				rewrite(t, x, got)
			} else if got != x.ends {
				t.Errorf("%s\n got: %s\nwant: %s", x.what, got, x.ends)
			}
			if took := time.Since(started); took > 90*time.Second {
				t.Errorf("it took %v", took)
			}
			if grown := peak(); grown > memoryOfOne {
				t.Errorf("it took %d MiB", grown>>20)
			}
		})
	}
}

// watchMemory gives how far the heap has grown since, at its highest.
func watchMemory(t *testing.T) func() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak.Store(max(peak.Load(), m.HeapAlloc))
	}
	go func() {
		defer close(stopped)
		for {
			look()
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		look()
		close(stop)
		<-stopped
		return max(peak.Load(), before) - before
	}
}

// outcome asks the server and words what comes of it.
func outcome(t *testing.T, do string, e imapx.Endpoint) string {
	t.Helper()
	ctx := within(t, 60*time.Second)
	o := imapx.Options{Timeout: 2 * time.Second, DialTimeout: 20 * time.Second} // race checks take their time over a greeting without an end
	if do == "append" {
		return outcomeOfAppend(t, e, o)
	}
	src, err := imapx.DialSource(ctx, e, o)
	if err != nil {
		return worded(err)
	}
	defer src.Close()
	switch do {
	case "dial":
		return "logged in"
	case "list":
		l, err := src.List(ctx)
		if err != nil {
			return worded(err)
		}
		return listed(l)
	case "known":
		var got collector
		h := got.handler()
		_, err := src.Visit(ctx, imapx.Visit{Folder: "F", Reads: []imapx.Read{{UIDs: everything()}}}, h)
		if err != nil {
			return worded(err)
		}
		if text := got.uids.String(); len(text) <= 60 {
			return strings.TrimSpace("uids " + text)
		}
		return fmt.Sprintf("%d ranges of uids", len(got.uids))
	case "visit":
		return visited(t, src)
	}
	t.Fatalf("%q is nothing to do", do)
	return ""
}

func visited(t *testing.T, src *imapx.Source) string {
	t.Helper()
	var got collector
	res, err := src.Visit(within(t, 60*time.Second), bodies(everything()), got.handler())
	if got.alive-got.freed != len(got.messages) || len(got.twice) > 0 {
		t.Errorf("%d bodies made, %d released, %d given away, twice %v", got.alive, got.freed, len(got.messages), got.twice)
	}
	var words []string
	for _, uid := range slices.Sorted(keys(got.messages)) {
		words = append(words, fmt.Sprintf("%d=%q %v", uid, got.body(t, uid), got.messages[uid].Flags))
	}
	for _, uid := range slices.Sorted(keys(res.Failed)) {
		words = append(words, fmt.Sprintf("exception %d: %s", uid, worded(res.Failed[uid])))
	}
	if err != nil {
		words = append(words, worded(err))
	}
	if len(words) == 0 {
		return "nothing to carry"
	}
	return strings.Join(words, "; ")
}

func keys[V any](m map[imap.UID]V) func(func(imap.UID) bool) {
	return func(yield func(imap.UID) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func listed(l imapx.Listing) string {
	var words []string
	for _, f := range l.Folders {
		w := fmt.Sprintf("%q", f.Name)
		switch {
		case !f.Selectable:
			w += " (no mail)"
		case f.Err != nil:
			w += " (" + worded(f.Err) + ")"
		case f.Mark != nil:
			w += fmt.Sprintf(" (%d)", f.Mark.Messages)
		}
		words = append(words, w)
	}
	if !l.Complete {
		words = append(words, "incomplete")
	}
	return strings.Join(words, ", ")
}

func outcomeOfAppend(t *testing.T, e imapx.Endpoint, o imapx.Options) string {
	t.Helper()
	ctx := within(t, 60*time.Second)
	tgt, err := imapx.DialTarget(ctx, e, o)
	if err != nil {
		return worded(err)
	}
	defer tgt.Close()
	p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "F", Messages: messages(1)})
	if err != nil {
		return worded(err)
	}
	a, err := p.Wait(ctx)
	if err != nil {
		return worded(err)
	}
	if a.Errs[0] != nil {
		return worded(a.Errs[0])
	}
	return "stored as " + strings.Join(strings.Fields(sprint(a.UIDs)), " ")
}

// worded is an error as callers see it: what it kills and when to try again come before the words.
func worded(err error) string {
	var x *imapx.Error
	if !errors.As(err, &x) {
		return "error: " + err.Error()
	}
	scopes := map[imapx.Scope]string{imapx.ScopeAccount: "account", imapx.ScopeFolder: "folder", imapx.ScopeMessage: "message"}
	retries := map[imapx.Retry]string{imapx.RetryNever: "in the next pass", imapx.RetryReconnect: "again on a new connection", imapx.RetryLater: "again later"}
	kinds := map[imapx.Kind]string{imapx.KindConnect: "connect", imapx.KindTLS: "TLS", imapx.KindAuth: "login", imapx.KindLost: "lost", imapx.KindQuota: "quota",
		imapx.KindUnavailable: "unavailable", imapx.KindFolder: "folder", imapx.KindAppend: "append", imapx.KindFetch: "fetch", imapx.KindProtocol: "protocol"}
	return fmt.Sprintf("%s error of the %s, to be tried %s: %s", kinds[x.Kind], scopes[x.Scope], retries[x.Retry], x.Text)
}

var update = flag.Bool("update", false, "write the endings of transcripts and docs/hostile-servers.md anew")

// rewrite puts what came of it into the transcript's head. Whoever runs it reads the difference.
func rewrite(t *testing.T, x transcript, got string) {
	t.Helper()
	text := strings.Replace(x.text, "# ends: "+x.ends+"\n", "# ends: "+got+"\n", 1)
	if err := os.WriteFile(filepath.Join(hostileFolder, x.name+".imap"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
