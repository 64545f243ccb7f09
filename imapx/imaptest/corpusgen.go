package imaptest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

func expNormal(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) }

const vocabulary = "harbour lantern copper ticket orchard walnut bicycle ferry violin ledger pepper mountain saddle window " +
	"pencil river blanket engine morning paper button garden market signal kettle bridge winter ladder island candle " +
	"Grüße Straße façade naïve 東京 café señor"

// text fills about n bytes with lines of words.
func (g *generator) text(n int) []byte {
	words := strings.Fields(vocabulary)
	b := make([]byte, 0, n+80)
	for line := 0; len(b) < n; {
		w := words[g.IntN(len(words))]
		b = append(b, w...)
		if line += len(w) + 1; line > 66 {
			b, line = append(b, '\n'), 0
			if g.IntN(8) == 0 {
				b = append(b, '\n')
			}
			continue
		}
		b = append(b, ' ')
	}
	return append(bytes.TrimRight(b, " \n"), '\n')
}

// attachment is about n bytes of base64 lines.
func (g *generator) attachment(n int) []byte {
	raw := make([]byte, 57)
	line := make([]byte, 77)
	line[76] = '\n'
	out := make([]byte, 0, n+len(line))
	for len(out) < n {
		for i := range raw {
			raw[i] = byte(g.Uint32())
		}
		base64.StdEncoding.Encode(line, raw)
		out = append(out, line...)
	}
	return out
}

// date is between 1995 and 2026, in one of the world's odder zones.
func (g *generator) date() time.Time {
	zones := []int{0, 3600, 7200, -18000, 19800, 20700, 45900, -12600, -43200, 50400}
	from := time.Date(1995, 3, 1, 0, 0, 0, 0, time.UTC).Unix()
	to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Unix()
	return time.Unix(from+g.Int64N(to-from), 0).In(time.FixedZone("", zones[g.IntN(len(zones))]))
}

func (g *generator) flags() (flags, keywords []string) {
	for _, f := range []struct {
		name string
		in   int
	}{{`\Seen`, 75}, {`\Answered`, 15}, {`\Flagged`, 8}} {
		if g.IntN(100) < f.in {
			flags = append(flags, f.name)
		}
	}
	if all := CorpusKeywords(); g.IntN(100) < 12 {
		keywords = append(keywords, all[g.IntN(len(all))])
	}
	return flags, keywords
}

// message makes a mail of about size bytes. id is the whole Message-ID line or lines, extra more header lines.
func (g *generator) message(size int, date time.Time, id, subject, extra string) []byte {
	var b bytes.Buffer
	who := g.IntN(700)
	fmt.Fprintf(&b, "Received: from relay%d.example.org by mail.example.net with ESMTPS id %08x;\n\t%s\n",
		g.IntN(5), g.Uint32(), date.Format(time.RFC1123Z))
	fmt.Fprintf(&b, "Date: %s\nFrom: \"Sender %d\" <s%d@example.org>\nTo: me@example.net\nSubject: %s\n%s%s",
		date.Format("Mon, 02 Jan 2006 15:04:05 -0700"), who, who, subject, id, extra)
	b.WriteString("MIME-Version: 1.0\n")
	if size < 24<<10 {
		b.WriteString("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n")
		b.Write(g.text(max(size-b.Len(), 20)))
		return b.Bytes()
	}
	mark := fmt.Sprintf("part-%016x", g.Uint64())
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%q\n\n--%s\nContent-Type: text/plain; charset=utf-8\n\n", mark, mark)
	b.Write(g.text(1000))
	fmt.Fprintf(&b, "\n--%s\nContent-Type: application/octet-stream; name=a.bin\nContent-Transfer-Encoding: base64\n\n", mark)
	b.Write(g.attachment(size - b.Len()))
	fmt.Fprintf(&b, "\n--%s--\n", mark)
	return b.Bytes()
}
