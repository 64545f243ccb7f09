package auth

import (
	"log/slog"
	"unique"
)

// Secret is a password or token that cannot reach a log, a trace or a crash by accident: every way of printing
// it gives the same word. Two of them compare by what they hold.
type Secret struct {
	value unique.Handle[string] // a pointer: package fmt, which asks no method of an unexported field, prints its address
}

const hidden = "[hidden]"

// NewSecret keeps v unchanged: no trimming, no normalisation.
func NewSecret(v string) Secret {
	if v == "" {
		return Secret{}
	}
	return Secret{unique.Make(v)}
}

// Reveal gives the value to the one place that sends it.
func (s Secret) Reveal() string {
	if s.Empty() {
		return ""
	}
	return s.value.Value()
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s == Secret{} }

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
