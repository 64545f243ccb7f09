package state

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBytesPerMessage holds the file to 150 bytes a message, index, marks and history included.
func TestBytesPerMessage(t *testing.T) {
	const messages, window = 200_000, 200
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	start, cpu := time.Now(), cpuTime(t)
	for from := uint32(1); from < messages; from += window {
		rows := testRows(from, from+window-1)
		w := Window{Pair: pair, Pass: 1, UIDValidity: 1, Floor: from, Rows: maybe(rows)}
		must(t, f.Intend(ctx, &w))
		must(t, f.Record(ctx, w.ID, rows, true))
	}
	t.Logf("%d messages: %v, CPU %v", messages, time.Since(start), cpuTime(t)-cpu)
	must(t, f.Close())
	start = time.Now()
	g, err := Open(ctx, testOptions(dirOf(f)))
	must(t, err)
	t.Logf("open %v", time.Since(start))
	start = time.Now()
	n := 0
	must(t, g.Rows(ctx, pair, 0, func(Row) error { n++; return nil }))
	t.Logf("%d rows read in %v", n, time.Since(start))
	must(t, g.Close())
	info, err := os.Stat(f.Path())
	must(t, err)
	each := float64(info.Size()) / messages
	t.Logf("%d bytes, %.1f a message", info.Size(), each)
	if each > 150 {
		t.Errorf("%.1f bytes a message", each)
	}
}

func BenchmarkWindow(b *testing.B) {
	for _, size := range []uint32{50, 200, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ctx := context.Background()
			f, err := Open(ctx, testOptions(b.TempDir()))
			if err != nil {
				b.Fatal(err)
			}
			p := Pair{Source: "INBOX", Target: "INBOX"}
			if err := f.PutPair(ctx, &p); err != nil {
				b.Fatal(err)
			}
			cpu, from, last := cpuTime(b), uint32(1), Window{}
			for b.Loop() { // one window: record the last and intend the next, one fsync
				rows := testRows(from, from+size-1)
				next := Window{Pair: p.ID, Floor: from, Rows: maybe(rows)}
				if err := f.Advance(ctx, last.ID, last.Rows, true, &next); err != nil {
					b.Fatal(err)
				}
				next.Rows, last = rows, next
				from += size
			}
			b.ReportMetric(float64(cpuTime(b)-cpu)/1e6/float64(from-1)*20_000, "cpu-ms/20000-rows")
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
