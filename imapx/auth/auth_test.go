package auth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsCompare(t *testing.T) {
	one, other := NewSecret("a"), NewSecret("aa"[:1])
	if one != other || one == NewSecret("b") || NewSecret("") != (Secret{}) || !NewSecret("").Empty() {
		t.Error("two secrets are not told apart by what they hold")
	}
	if NewSecret(" a\n").Reveal() != " a\n" || (Secret{}).Reveal() != "" {
		t.Error("a secret is not kept as it is")
	}
}

func TestSecretNeverShows(t *testing.T) {
	s := NewSecret("hunter2")
	j, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s)
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q %s", s, s, s, s, s), string(j), log.String(), fmt.Sprintf("%+v", Credentials{Password: s}),
		// Package fmt asks no method of a field that is not exported.
		fmt.Sprintf("%v %+v %#v", &cram{password: s}, cram{password: s}, cram{password: s})} {
		if strings.Contains(out, "hunter2") {
			t.Errorf("it shows in %s", out)
		}
	}
}
