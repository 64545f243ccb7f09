package imaptest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// WriteMaildir writes the corpus as a Maildir++ tree that Dovecot serves as it is: flags in the file names,
// INTERNALDATE as modification time, keywords in dovecot-keywords. dir is made, and must not hold mail yet.
func (c *Corpus) WriteMaildir(dir string) (Manifest, error) {
	man := Manifest{Folders: len(c.Folders)}
	dirs := make([]string, len(c.Folders))
	subs := "V\t2\n\n"
	var letters strings.Builder
	for i, k := range CorpusKeywords() {
		fmt.Fprintf(&letters, "%d %s\n", i, k)
	}
	for i, f := range c.Folders {
		encoded := make([]string, len(f.Path))
		for j, p := range f.Path {
			encoded[j] = encodeUTF7(p)
		}
		dirs[i] = filepath.Join(dir, "."+strings.Join(encoded, "."))
		files := map[string]string{"dovecot-keywords": letters.String(), "maildirfolder": ""}
		if f.Name() == "INBOX" {
			dirs[i] = dir
			delete(files, "maildirfolder")
		}
		if f.Subscribed {
			subs += strings.Join(encoded, "\t") + "\n"
		}
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(dirs[i], sub), 0o755); err != nil {
				return man, err
			}
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dirs[i], name), []byte(text), 0o644); err != nil {
				return man, err
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "subscriptions"), []byte(subs), 0o644); err != nil {
		return man, err
	}
	for m := range c.Messages() {
		wire := len(m.CRLF())
		path := filepath.Join(dirs[m.Folder], maildirName(m, man.Messages, wire))
		if err := os.WriteFile(path, m.Stored, 0o644); err != nil {
			return man, err
		}
		if err := os.Chtimes(path, m.Date, m.Date); err != nil {
			return man, err
		}
		man.add(m, wire)
	}
	return man, nil
}

// maildirName has the flag letters in ASCII order, as the Maildir description demands, and Dovecot's sizes.
func maildirName(m CorpusMessage, n, wire int) string {
	base := fmt.Sprintf("%d.M%06dP1.corpus,S=%d,W=%d", m.Date.Unix(), n, len(m.Stored), wire)
	if m.Recent {
		return "new/" + base
	}
	letters := ""
	for _, f := range []struct{ flag, letter string }{
		{`\Draft`, "D"}, {`\Flagged`, "F"}, {`\Answered`, "R"}, {`\Seen`, "S"}, {`\Deleted`, "T"},
	} {
		if slices.Contains(m.Flags, f.flag) {
			letters += f.letter
		}
	}
	for i, k := range CorpusKeywords() {
		if slices.Contains(m.Keywords, k) {
			letters += string(rune('a' + i))
		}
	}
	return "cur/" + base + ":2," + letters
}

// encodeUTF7 is the modified UTF-7 of RFC 3501 section 5.1.3.
func encodeUTF7(s string) string {
	var out strings.Builder
	for rest := s; rest != ""; {
		n := strings.IndexFunc(rest, func(r rune) bool { return r < ' ' || r > '~' })
		if n < 0 {
			n = len(rest)
		}
		out.WriteString(strings.ReplaceAll(rest[:n], "&", "&-"))
		rest = rest[n:]
		n = strings.IndexFunc(rest, func(r rune) bool { return r >= ' ' && r <= '~' })
		if n < 0 {
			n = len(rest)
		}
		if n == 0 {
			continue
		}
		var raw []byte
		for _, u := range utf16.Encode([]rune(rest[:n])) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		out.WriteString("&" + strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(raw), "/", ",") + "-")
		rest = rest[n:]
	}
	return out.String()
}

// SnapshotFile is a file of a Maildir at one moment.
type SnapshotFile struct {
	Size    int64
	SHA256  [sha256.Size]byte
	ModTime time.Time
}

// Snapshot is what a Maildir++ tree holds that is its owner's: message files by their path (so with flags in the name,
// and new/ for \Recent) and the subscriptions. Indexes and caches of the server are left out.
type Snapshot map[string]SnapshotFile

// TakeSnapshot reads a tree that no server is writing to.
func TakeSnapshot(dir string) (Snapshot, error) {
	s := Snapshot{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		parent := filepath.Base(filepath.Dir(path))
		if parent != "cur" && parent != "new" && d.Name() != "subscriptions" {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		s[rel], err = snapshotFile(path)
		return err
	})
	return s, err
}

func snapshotFile(path string) (sf SnapshotFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sf, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return sf, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sf, err
	}
	sf = SnapshotFile{Size: st.Size(), ModTime: st.ModTime()}
	copy(sf.SHA256[:], h.Sum(nil))
	return sf, nil
}

// Changes lists what differs in a later snapshot, a line each, sorted; none: nothing.
func (s Snapshot) Changes(later Snapshot) []string {
	var out []string
	for path, was := range s {
		is, ok := later[path]
		switch {
		case !ok:
			out = append(out, "gone: "+path)
		case is.Size != was.Size || is.SHA256 != was.SHA256:
			out = append(out, "other bytes: "+path)
		case !is.ModTime.Equal(was.ModTime):
			out = append(out, "other time: "+path)
		}
	}
	for path := range maps.Keys(later) {
		if _, ok := s[path]; !ok {
			out = append(out, "new: "+path)
		}
	}
	slices.Sort(out)
	return out
}
