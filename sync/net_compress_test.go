package sync_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// TestCompressedPass: with both sides compressed a pass is as exact as ever, and the lines carry less than the mail has.
func TestCompressedPass(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]struct{ source, target real.Options }{
		"as it is":            {},
		"without MULTIAPPEND": {target: real.Options{Without: []string{"MULTIAPPEND"}}},
		"without LITERAL+":    {target: real.Options{Without: []string{"MULTIAPPEND", "LITERAL+"}}},
		"without ESEARCH":     {source: real.Options{Without: []string{"ESEARCH"}}},
		"source cannot":       {source: real.Options{Without: []string{"COMPRESS=DEFLATE"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			preset := imaptest.Small
			if name == "as it is" && !raced {
				preset = imaptest.S
			}
			s := newServers(t, preset, o.source, o.target)
			x := s.account(t)
			direct := x
			var lines [2]*imaptest.Proxy
			for i, addr := range []*string{&x.Source, &x.Target} {
				p, err := imaptest.NewProxy(*addr, imaptest.Faults{})
				must(t, err)
				defer p.Close()
				*addr, lines[i] = p.Addr(), p
			}
			x.Compress, x.Trace = imapx.CompressOn, filepath.Join(t.TempDir(), "trace")
			r := x.pass(t)
			s.equal(t, direct, "first pass")
			source, target := verbs(t, x.Trace)
			down, up := lines[0].Stats().Down, lines[1].Stats().Up
			t.Logf("%d bytes of mail: %d from the source, %d to the target", r.CopiedBytes, down, up)
			if slices.Contains(source, "COMPRESS") != (name != "source cannot") || !slices.Contains(target, "COMPRESS") {
				t.Error("COMPRESS was not sent, or where it is not offered")
			}
			if up >= r.CopiedBytes || down >= r.CopiedBytes && name != "source cannot" {
				t.Error("that is not compressed")
			}
			quiet(t, x, "second pass")
			s.deltas(t, x)
		})
	}
}

// deltas lets the source change a little and carries it.
func (s *servers) deltas(t *testing.T, x transfer) {
	t.Helper()
	login := x
	login.TargetUser = x.SourceUser
	c := client(t, s.src.Addr(), login)
	appendTo(t, c, "INBOX", message("one"))
	selected(t, c, "INBOX")
	must(t, c.Logout().Wait())
	r := x.pass(t)
	direct := x
	s.equal(t, direct, "delta")
	if r.Copied != 1 {
		t.Errorf("one new message: %+v", r)
	}
}

// TestCutCompressed cuts the compressed connections of a small session all along the streams: whatever part of a block
// came, nothing is lost, nothing is there twice.
func TestCutCompressed(t *testing.T) {
	t.Parallel()
	s := tinyServers(t, real.Options{})
	account := func(t *testing.T) transfer {
		x := s.tinyAccount(t)
		x.Compress = imapx.CompressOn
		return x
	}
	source, target := s.shortest(t, account)
	step := 29 // bytes from one cut to the next
	if os.Getenv("MAILMOVE_E2E_MINUTES") != "" {
		step = 3
	}
	var all []strike
	for _, k := range []struct {
		side  string
		up    bool
		bytes []byte
		from  string // what is said last in clear
	}{
		{"source", true, source.up, "COMPRESS DEFLATE"}, {"source", false, source.down, "Begin compression"},
		{"target", true, target.up, "COMPRESS DEFLATE"}, {"target", false, target.down, "Begin compression"},
	} {
		from := bytes.Index(k.bytes, []byte(k.from))
		if from < 0 {
			t.Fatalf("%s: nobody said %q", k.side, k.from)
		}
		// The goodbye is not waited for, and how long an answer is differs from pass to pass: the last bytes may not come.
		for i, at := 0, from-2; at < len(k.bytes)-40; i, at = i+1, at+step {
			how := []imaptest.Break{imaptest.BreakFIN, imaptest.BreakRST}[i%2]
			all = append(all, strike{k.side, "compressed", k.up, int64(at), how})
		}
	}
	t.Logf("%d cuts: %d + %d bytes to and from the source, %d + %d the target", len(all), len(source.up), len(source.down), len(target.up), len(target.down))
	var unstruck atomic.Int64
	ran := atOnce(t, all, func(t *testing.T, k strike) {
		if _, struck := s.survives(t, account(t), k); !struck {
			unstruck.Add(1)
		}
	})
	if unstruck.Load() > int64(ran/20) {
		t.Errorf("%d of %d were not cut", unstruck.Load(), ran)
	}
}
