package sync

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func printOf(message string, step int) (key, bool) {
	h := newHeaderScanner()
	for b := []byte(message); len(b) > 0; b = b[min(step, len(b)):] {
		h.Write(b[:min(step, len(b))])
	}
	return h.fingerprint()
}

func TestFingerprintIgnoresWhatServersDo(t *testing.T) {
	const whole = "Return-Path: <x@example.org>\r\nReceived: from a\r\n\tby b; date\r\nDate: Mon, 3 Apr 2006 10:11:12 +0200\r\n" +
		"From: A <a@example.org>\r\nTo: b@example.org\r\nMessage-ID:\r\n\t<id@example.org>\r\nSubject: hello\r\n\r\nMessage-ID: <body@example.org>\r\n"
	same := []string{
		"Date: Mon, 3 Apr 2006 10:11:12 +0200\r\nMessage-ID: <id@example.org>\r\n\r\n", // HEADER.FIELDS, unfolded
		strings.ReplaceAll(whole, "\r\n", "\n"),
		"From someone Mon Jan 1 00:00:00 2001\n" + whole,
		strings.Replace(whole, "Date: Mon", "DATE:   Mon", 1),
		strings.Replace(whole, "Subject: hello", "Subject: another", 1), // Message-ID and Date are enough
	}
	want, named := printOf(whole, 1<<20)
	if !named {
		t.Fatal("a message with a Message-ID has nothing to go by")
	}
	for _, m := range same {
		for _, step := range []int{1, 3, 7, 1 << 20} {
			if got, _ := printOf(m, step); got != want {
				t.Errorf("in steps of %d: another fingerprint for\n%s", step, m)
			}
		}
	}
	other := []string{
		strings.Replace(whole, "10:11:12", "10:11:13", 1),
		strings.Replace(whole, "<id@", "<ID@", 1),
		strings.Replace(whole, "Message-ID:\r\n\t<id@example.org>\r\n", "", 1),
		strings.Replace(whole, "Subject: hello\r\n", "Subject: hello\r\nMessage-ID: <second@example.org>\r\n", 1),
	}
	seen := map[key]string{want: whole}
	for _, m := range other {
		got, _ := printOf(m, 1<<20)
		if prev, ok := seen[got]; ok {
			t.Errorf("one fingerprint for\n%s\nand\n%s", prev, m)
		}
		seen[got] = m
	}
}

func TestFingerprintWithoutMessageID(t *testing.T) {
	a, named := printOf("Date: x\nFrom: a\nTo: b\nSubject: one\n\n", 9)
	b, _ := printOf("Date: x\nFrom: a\nTo: b\nSubject: two\n\n", 9)
	if a == b || !named {
		t.Error("the subject does not tell messages without a Message-ID apart")
	}
	if _, named := printOf("\nno header\n", 9); named {
		t.Error("a message without a header has nothing to go by")
	}
	if _, named := printOf("garbage", 9); named {
		t.Error("garbage has nothing to go by")
	}
}

func TestHeaderScannerIsBounded(t *testing.T) {
	h := newHeaderScanner()
	line := "Subject: " + strings.Repeat("x", 1<<20) + "\n"
	h.Write([]byte(strings.Repeat("A", 1<<20) + ": y\n" + line + line + "Date: d\n\n"))
	for i, f := range h.fields {
		if len(f) > maxField {
			t.Errorf("%s: %d bytes kept", identified[i], len(f))
		}
	}
	if cap(h.name) > 4*maxName {
		t.Errorf("%d bytes kept of a name", cap(h.name))
	}
	if string(h.field(fieldDate)) != "d" {
		t.Error("the field after a long one is lost")
	}
}

func digestIn(b []byte, cut func() int) key {
	d := newDigester()
	for len(b) > 0 {
		n := min(cut(), len(b))
		d.Write(b[:n])
		b = b[n:]
	}
	return d.digest()
}

func TestDigestNormalForm(t *testing.T) {
	base := []byte("Subject: x\r\n\r\none\rtwo\r\n\x00three\r\n\r\nend\r\n")
	whole := func() int { return 1 << 20 }
	want := digestIn(base, whole)
	same := map[string][]byte{
		"LF":               bytes.ReplaceAll(base, []byte("\r\n"), []byte("\n")),
		"NUL as 0x80":      bytes.ReplaceAll(base, []byte{0}, []byte{0x80}),
		"no final newline": bytes.TrimRight(base, "\r\n"),
		"more at the end":  append(bytes.Clone(base), "\r\n\r\n"...),
	}
	for name, b := range same {
		if digestIn(b, whole) != want {
			t.Errorf("%s: another digest", name)
		}
	}
	other := map[string][]byte{
		"bare CR lost":  bytes.Replace(base, []byte("one\rtwo"), []byte("onetwo"), 1),
		"bare CR as LF": bytes.Replace(base, []byte("one\rtwo"), []byte("one\ntwo"), 1),
		"a line more":   bytes.Replace(base, []byte("\r\n\r\nend"), []byte("\r\n\r\n\r\nend"), 1),
		"cut":           base[:len(base)-4],
	}
	for name, b := range other {
		if digestIn(b, whole) == want {
			t.Errorf("%s: the same digest", name)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		if digestIn(base, func() int { return 1 + rng.IntN(5) }) != want {
			t.Fatal("the digest depends on how the bytes come")
		}
	}
	big := bytes.Repeat([]byte("0123456789\r\n\r"), 40000)
	if digestIn(big, whole) != digestIn(big, func() int { return 1 + rng.IntN(9000) }) {
		t.Fatal("the digest of a large message depends on how the bytes come")
	}
}

func BenchmarkDigest(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 76), '\r', '\n')
	m := bytes.Repeat(line, 1000)
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		d := newDigester()
		d.Write(m)
		d.digest()
	}
}

func FuzzHeaderScanner(f *testing.F) {
	f.Add([]byte("Message-ID: <a@b>\r\nDate: x\r\n\r\n"), 1)
	f.Add([]byte("\r\r\n \tSubject:\x00\n"), 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		if step < 1 {
			step = 1
		}
		a, _ := printOf(string(b), step)
		if c, _ := printOf(string(b), len(b)+1); a != c {
			t.Error("the fingerprint depends on how the bytes come")
		}
	})
}
