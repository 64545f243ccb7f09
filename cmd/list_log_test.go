package cmd

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A pause is in seconds in a log of JSON, and what a server says stays one line in both.
func TestLogFormats(t *testing.T) {
	for format, want := range map[logFormat]string{
		"":     `msg=pause delay=1.5s why="a\nb"` + "\n",
		"text": `msg=pause delay=1.5s why="a\nb"` + "\n",
		"json": `"msg":"pause","delay":1.5,"why":"a\nb"}` + "\n",
	} {
		var b bytes.Buffer
		slog.New(format.handler(&b)).Warn("pause", "delay", 1500*time.Millisecond, "why", "a\nb")
		if got := b.String(); !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%q: %q", format, got)
		}
	}
}
