package imaptest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"
)

// Preset names a corpus.
type Preset string

const (
	Small Preset = "small" // 75 messages in 8 folders, every quirk: for quick tests
	S     Preset = "S"     // 2,000 messages, about 42 MB, 20 folders, every quirk
	M     Preset = "M"     // 20,000 messages, about 500 MB, 60 folders, every quirk
	T     Preset = "T"     // 20,000 messages of 2 KB in one folder
	N     Preset = "N"     // 200,000 messages of 600 bytes in 5 folders
)

// CorpusFolder is a folder with messages. Parents that hold none are not folders: servers list them as \Noselect.
type CorpusFolder struct {
	Path       []string // UTF-8, from the top; INBOX is the inbox
	Subscribed bool
	SpecialUse string // RFC 6154 attribute as `\Sent`, "" without
	filler     bool   // takes messages beside the quirks
}

// Name is the path joined with "/".
func (f CorpusFolder) Name() string { return strings.Join(f.Path, "/") }

// CorpusMessage is one message.
type CorpusMessage struct {
	Folder   int       // index into Corpus.Folders
	Label    string    // the quirk, "" for an ordinary message
	Stored   []byte    // as it lies in a Maildir: lines end in LF; only valid until the next message
	Date     time.Time // INTERNALDATE, whole seconds
	Flags    []string  // system flags, as `\Seen`
	Keywords []string
	Recent   bool // lies in new/
}

// CRLF is the message as IMAP shows it.
func (m CorpusMessage) CRLF() []byte {
	out := make([]byte, 0, len(m.Stored)+len(m.Stored)/40+1)
	for i, c := range m.Stored {
		if c == '\n' && (i == 0 || m.Stored[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

// CorpusKeywords are all keywords that corpora use, in the order of their Maildir letters.
func CorpusKeywords() []string {
	return []string{"$Forwarded", "NonJunk", "$MDNSent", "$label1", "Custom-Tag"}
}

// Corpus is a mailbox that is made up on the fly: the same preset and seed give the same bytes on every machine.
type Corpus struct {
	Folders  []CorpusFolder
	messages int // at least
	size     int // of each filler message; 0: as mail is
	biggest  int // attachment
	seed     uint64
}

// NewCorpus knows the presets of this package.
func NewCorpus(p Preset, seed uint64) (*Corpus, error) {
	mixed := mixedFolders()
	switch p {
	case Small:
		var few []CorpusFolder
		for _, f := range mixed {
			switch f.Name() {
			case "INBOX", "Sent", "R&D", "日本語/受信箱", "Feier 🎉", "Archive/2019/Q1", "Leer", "Quirks":
				few = append(few, f)
			}
		}
		return &Corpus{Folders: few, messages: 75, size: 1200, seed: seed}, nil
	case S:
		return &Corpus{Folders: mixed, messages: 2000, biggest: 8 << 20, seed: seed}, nil
	case M:
		for i := len(mixed); i < 60; i++ {
			mixed = append(mixed, plainFolder(fmt.Sprintf("Listen/liste-%02d", i)))
		}
		return &Corpus{Folders: mixed, messages: 20000, biggest: 25 << 20, seed: seed}, nil
	case T:
		return NewFlatCorpus(20000, 2048, seed), nil
	case N:
		c := &Corpus{messages: 200000, size: 600, seed: seed}
		for _, name := range []string{"INBOX", "2022", "2023", "2024", "2025"} {
			c.Folders = append(c.Folders, plainFolder(name))
		}
		return c, nil
	}
	return nil, fmt.Errorf("no corpus preset %q", p)
}

// NewFlatCorpus has so many ordinary messages of about size bytes each in INBOX, and nothing else.
func NewFlatCorpus(messages, size int, seed uint64) *Corpus {
	return &Corpus{Folders: []CorpusFolder{plainFolder("INBOX")}, messages: messages, size: size, seed: seed}
}

func plainFolder(name string) CorpusFolder {
	return CorpusFolder{Path: strings.Split(name, "/"), Subscribed: true, filler: true}
}

// mixedFolders has what folder names and trees bring in real life. Archive/2019, Projekte, 日本語, Zwei Wörter and Lone
// are parents without mail of their own (Archive is one with).
func mixedFolders() []CorpusFolder {
	var fs []CorpusFolder
	for i, name := range []string{
		"INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive",
		"Müller & Söhne", "R&D", "Feier 🎉", "日本語/受信箱", "Projekte/Über/Größe", "Zwei Wörter/und mehr",
		"Archive/2019/Q1", "Lone/Child", "INBOX/Unter", "Listen/go", "Listen/imap & smtp", "&", "Leer", "Quirks",
	} {
		f := plainFolder(name)
		if i >= 1 && i <= 5 {
			f.SpecialUse = `\` + name
		}
		f.Subscribed = i%4 != 3 // some people never subscribed
		f.filler = name != "Leer" && name != "Quirks"
		fs = append(fs, f)
	}
	return fs
}

// Messages yields every message once, always in the same order, holding one in memory.
func (c *Corpus) Messages() iter.Seq[CorpusMessage] {
	return func(yield func(CorpusMessage) bool) {
		n := 0
		var fill []int
		for i, f := range c.Folders {
			if f.filler {
				fill = append(fill, i)
			}
			if f.Name() != "Quirks" {
				continue
			}
			for q := range quirks(newGenerator(c.seed, 1<<40)) {
				q.Folder = i
				n++
				if !yield(q) {
					return
				}
			}
		}
		for ; n < c.messages; n++ {
			if !yield(c.ordinary(n, fill)) {
				return
			}
		}
	}
}

func (c *Corpus) ordinary(n int, fill []int) CorpusMessage {
	g := newGenerator(c.seed, uint64(n))
	m := CorpusMessage{Folder: fill[0], Date: g.date()}
	switch {
	case c.biggest == 0:
		m.Folder = fill[n%len(fill)]
	case g.IntN(10) >= 3: // three in ten are in the inbox
		m.Folder = fill[g.IntN(len(fill))]
	}
	m.Flags, m.Keywords = g.flags()
	if c.Folders[m.Folder].SpecialUse == `\Drafts` {
		m.Flags = append(m.Flags, `\Draft`)
	}
	m.Recent = len(m.Flags)+len(m.Keywords) == 0 && n%3 == 0
	id := fmt.Sprintf("Message-ID: <%d.%016x@example.org>\n", n, g.Uint64())
	if c.biggest > 0 && n%100 == 7 {
		id = ""
	}
	m.Stored = g.message(c.sizeOf(g), m.Date, id, fmt.Sprintf("ordinary %d", n), "")
	return m
}

// sizeOf follows what mailboxes hold: a log-normal body of text mail and a thin tail of large attachments.
func (c *Corpus) sizeOf(g *generator) int {
	if c.size > 0 {
		return c.size
	}
	if g.IntN(1000) < 1 {
		return 1<<20 + g.IntN(c.biggest-1<<20)
	}
	return min(max(int(12500*expNormal(g.Rand)), 400), 900_000)
}

// Manifest says what a corpus came to.
type Manifest struct {
	Folders  int
	Messages int
	Bytes    int64          // with CRLF line ends
	Labels   map[string]int // messages of each quirk
}

func (m *Manifest) add(msg CorpusMessage, size int) {
	m.Messages++
	m.Bytes += int64(size)
	if msg.Label != "" {
		if m.Labels == nil {
			m.Labels = map[string]int{}
		}
		m.Labels[msg.Label]++
	}
}

// generator makes the parts of one message.
type generator struct{ *rand.Rand }

func newGenerator(seed, n uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed^0x9e3779b97f4a7c15, n))}
}
