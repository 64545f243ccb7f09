package verify

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// receiptFormat is raised when a receipt can no longer be read by what came before.
const receiptFormat = 1

// Receipt is what an admin keeps of a comparison. docs/verify.md has its fields.
type Receipt struct {
	Format      int                `json:"format"`
	Version     string             `json:"version"` // of the program; the caller's to fill in
	Account     string             `json:"account"`
	Time        time.Time          `json:"time"`
	Level       string             `json:"level"`
	Sample      float64            `json:"sample"`
	Verified    bool               `json:"verified"`
	Differences map[Word]int64     `json:"differences"`
	Source      SideReceipt        `json:"source"`
	Target      SideReceipt        `json:"target"`
	Exceptions  []ExceptionReceipt `json:"exceptions"`
}

// SideReceipt is one side of it.
type SideReceipt struct {
	Endpoint string          `json:"endpoint"` // user@host:port; the caller's to fill in
	Messages int64           `json:"messages"`
	Bytes    int64           `json:"bytes"`
	Folders  []FolderReceipt `json:"folders"`
}

// FolderReceipt is one folder of a side.
type FolderReceipt struct {
	Folder      string `json:"folder"`
	Raw         string `json:"raw"` // on the wire
	UIDValidity uint32 `json:"uidvalidity"`
	UIDNext     uint32 `json:"uidnext"`
	Messages    int64  `json:"messages"`
	Bytes       int64  `json:"bytes"`
	Digest      string `json:"digest"` // SHA-256 over the sorted digests of its messages; "" with counts
}

// ExceptionReceipt is one of the state's exceptions.
type ExceptionReceipt struct {
	Folder   string `json:"folder"`
	UID      uint32 `json:"uid"`
	Reason   string `json:"reason"`
	Detail   string `json:"detail"`
	Accepted bool   `json:"accepted"`
}

func (r *reader) receipt(name, raw string, o imapx.Opened, list []rec) FolderReceipt {
	t, sum := totalOf(list), r.foldDigest(list)
	return FolderReceipt{Folder: name, Raw: raw, UIDValidity: o.UIDValidity, UIDNext: uint32(o.UIDNext),
		Messages: t.Messages, Bytes: t.Bytes, Digest: hex.EncodeToString(sum[:])}
}

// receipt is made of what the run has found.
func (r *run) receipt() *Receipt {
	p := &r.report
	out := &Receipt{Format: receiptFormat, Account: p.Account, Time: p.Started.UTC().Truncate(time.Second), Level: p.Level.String(),
		Sample: p.Sample, Verified: p.Verified(), Differences: p.Words, Source: sideReceipt(r.sourceFolders), Target: sideReceipt(r.targetFolders),
		Exceptions: []ExceptionReceipt{}}
	for _, list := range r.exceptions {
		for _, e := range list {
			out.Exceptions = append(out.Exceptions, exceptionReceipt(e))
		}
	}
	slices.SortFunc(out.Exceptions, func(a, b ExceptionReceipt) int {
		if n := strings.Compare(a.Folder, b.Folder); n != 0 {
			return n
		}
		return int(int64(a.UID) - int64(b.UID))
	})
	return out
}

func exceptionReceipt(e state.Exception) ExceptionReceipt {
	return ExceptionReceipt{Folder: e.Folder, UID: e.UID, Reason: e.Reason, Detail: e.Detail, Accepted: e.Accepted}
}

func sideReceipt(folders []FolderReceipt) (s SideReceipt) {
	s.Folders = append([]FolderReceipt{}, folders...)
	for _, f := range folders {
		s.Messages += f.Messages
		s.Bytes += f.Bytes
	}
	slices.SortFunc(s.Folders, func(a, b FolderReceipt) int { return strings.Compare(a.Raw, b.Raw) })
	return s
}

// Write writes it as indented JSON.
func (c *Receipt) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// maxReceipt bounds a receipt in bytes.
const maxReceipt = 256 << 20

// ReadReceipt reads what Write wrote, and checks that it is one that this program understands.
func ReadReceipt(from io.Reader) (*Receipt, error) {
	c := new(Receipt)
	if err := json.NewDecoder(io.LimitReader(from, maxReceipt)).Decode(c); err != nil {
		return nil, fmt.Errorf("it is no receipt: %w", err)
	}
	if c.Format != receiptFormat {
		return nil, fmt.Errorf("it is no receipt of a format that is known here (%d, not %d)", c.Format, receiptFormat)
	}
	if _, err := ParseLevel(c.Level); err != nil {
		return nil, err
	}
	if c.Sample < 0 || c.Sample > 1 {
		return nil, fmt.Errorf("a sample of %v", c.Sample)
	}
	return c, nil
}
