package sync

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// BenchmarkMatch pairs two folders that hold the same messages, as a takeover does; one in a hundred has no name of
// its own, and goes to the bodies' digests.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1000, 40_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			source, target := make([]known, n), make([]known, n)
			for i := range source {
				m := known{uid: uint32(i + 1), named: i%100 != 0, size: int64(600 + i%50), date: int64(1_300_000_000 + i)}
				if m.named {
					binary.BigEndian.PutUint64(m.fp[:], uint64(i)*0x9e3779b97f4a7c15)
				}
				binary.BigEndian.PutUint64(m.digest[:], uint64(i)+1)
				source[i], target[n-1-i] = m, m
			}
			b.ReportAllocs()
			for b.Loop() {
				sure, da, db := matchSure(source, target)
				rest := matchDigests(source, target, da, db)
				if len(sure)+len(rest) != n {
					b.Fatalf("%d and %d of %d", len(sure), len(rest), n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
		})
	}
}

// BenchmarkFingerprint reads a header as it is asked for in a takeover.
func BenchmarkFingerprint(b *testing.B) {
	header := []byte("Message-ID: <20110405060708.4711@mail.example.org>\r\nDate: Tue, 05 Apr 2011 06:07:08 +0200\r\n" +
		"From: \"Alice Example\" <alice@example.org>\r\nTo: bob@example.net,\r\n\tcarol@example.net\r\nSubject: about next week\r\n\r\n")
	b.SetBytes(int64(len(header)))
	b.ReportAllocs()
	for b.Loop() {
		if _, named := fingerprintOf(header); !named {
			b.Fatal("it has a Message-ID")
		}
	}
}
