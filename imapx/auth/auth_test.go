package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretNeverShows(t *testing.T) {
	s := NewSecret("hunter2")
	j, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s)
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q %s", s, s, s, s, s), string(j), log.String(), fmt.Sprintf("%+v", Credentials{Password: s})} {
		if strings.Contains(out, "hunter2") {
			t.Errorf("it shows in %s", out)
		}
	}
}

func TestChoose(t *testing.T) {
	c := Credentials{User: "u", Password: NewSecret("p")}
	admin := c
	admin.AuthzID = "a"
	plain := Offer{Mechanisms: []string{"SCRAM-SHA-256", "plain"}}
	for name, x := range map[string]struct {
		o    Offer
		c    Credentials
		want string // mechanism and initial response
		err  error
	}{
		"plain":          {plain, c, "PLAIN \x00u\x00p", nil},
		"authorization":  {plain, admin, "PLAIN a\x00u\x00p", nil},
		"plain disabled": {Offer{Mechanisms: []string{"PLAIN"}, LoginDisabled: true}, c, "PLAIN \x00u\x00p", nil},
		"login":          {Offer{}, c, " ", nil},
		"disabled":       {Offer{LoginDisabled: true}, c, "", ErrDisabled},
		"no identity":    {Offer{}, admin, "", ErrNoAuthzID},
		"empty":          {plain, Credentials{User: "u"}, "", ErrNoPassword},
		"NUL":            {plain, Credentials{User: "u\x00v", Password: NewSecret("p")}, "", ErrNUL},
	} {
		l, err := Choose(x.o, x.c)
		initial, _ := base64.StdEncoding.DecodeString(l.Initial.Reveal())
		if got := l.Mechanism + " " + string(initial); !errors.Is(err, x.err) || err == nil && got != x.want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}
