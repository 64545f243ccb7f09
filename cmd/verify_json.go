package cmd

import "mailmove/sync/verify"

// The lines of "verify --json", described in docs/verify.md.

type jsonDifference struct {
	Type      string `json:"type"`
	Time      string `json:"time"`
	Account   string `json:"account"`
	Word      string `json:"word"`
	Explained bool   `json:"explained"`
	Source    string `json:"source"`
	Target    string `json:"target"`
	SourceUID uint32 `json:"source_uid"`
	TargetUID uint32 `json:"target_uid"`
	Messages  int64  `json:"messages"`
	Detail    string `json:"detail"`
}

type jsonFolderVerified struct {
	Type           string                `json:"type"`
	Time           string                `json:"time"`
	Account        string                `json:"account"`
	Sources        []string              `json:"sources"`
	Target         string                `json:"target"`
	SourceMessages int64                 `json:"source_messages"`
	SourceBytes    int64                 `json:"source_bytes"`
	TargetMessages int64                 `json:"target_messages"`
	TargetBytes    int64                 `json:"target_bytes"`
	Equal          *int64                `json:"equal"`
	Differences    map[verify.Word]int64 `json:"differences"`
	Unexplained    int64                 `json:"unexplained"`
}

type jsonVerifyEnded struct {
	Type           string                `json:"type"`
	Time           string                `json:"time"`
	Account        string                `json:"account"`
	Level          string                `json:"level"`
	Sample         float64               `json:"sample"`
	State          bool                  `json:"state"`
	Seconds        float64               `json:"seconds"`
	Folders        int64                 `json:"folders"`
	FoldersLeftOut int64                 `json:"folders_left_out"`
	SourceMessages int64                 `json:"source_messages"`
	SourceBytes    int64                 `json:"source_bytes"`
	TargetMessages int64                 `json:"target_messages"`
	TargetBytes    int64                 `json:"target_bytes"`
	Equal          *int64                `json:"equal"`
	BytesRead      int64                 `json:"bytes_read"`
	Differences    map[verify.Word]int64 `json:"differences"`
	Unexplained    int64                 `json:"unexplained"`
	TooManyGone    bool                  `json:"too_many_gone"`
	Verified       bool                  `json:"verified"`
}

type jsonFolderHeld struct {
	Type        string `json:"type"`
	Time        string `json:"time"`
	Account     string `json:"account"`
	Folder      string `json:"folder"`
	MessagesWas int64  `json:"messages_then"`
	BytesWas    int64  `json:"bytes_then"`
	Messages    int64  `json:"messages"`
	Bytes       int64  `json:"bytes"`
	Arrived     int64  `json:"arrived"`
	Difference  string `json:"difference"`
}

type jsonReceiptHeld struct {
	Type    string  `json:"type"`
	Time    string  `json:"time"`
	Account string  `json:"account"`
	Against string  `json:"against"`
	Level   string  `json:"level"`
	Sample  float64 `json:"sample"`
	Receipt string  `json:"receipt_time"`
	Folders int64   `json:"folders"`
	Differ  int64   `json:"differ"`
}

// told is null in JSON for what is not known.
func told(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
