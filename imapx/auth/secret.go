package auth

import "log/slog"

// Secret is a password or token that cannot reach a log, a trace or a crash by accident: every way of printing
// it gives the same word.
type Secret struct{ value string }

const hidden = "[hidden]"

// NewSecret keeps v unchanged: no trimming, no normalisation.
func NewSecret(v string) Secret { return Secret{v} }

// Reveal gives the value to the one place that sends it.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.value == "" }

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
