package cmd

import (
	"errors"
	"testing"

	"mailmove/imapx"
)

func TestSameUser(t *testing.T) {
	for _, c := range []struct {
		x, y string
		want bool
	}{
		{"alice", "alice", true},
		{"Alice@Old.example", "alice@old.example", true},
		{"alice", "alice@old.example", true},
		{"alice@old.example", "alice@old.example*master", true},
		{"alice*master", "alice@old.example", true},
		{"alice%admin", "alice", true},
		{`DOMAIN\admin\alice`, "alice@old.example", true},
		{"alice@a.example", "alice@b.example", false},
		{"alice", "alicia", false},
		{"alice*master", "bob*master", false},
		{`DOMAIN\admin\alice`, `DOMAIN\admin\bob`, false},
		{"*master", "bob", false},
		{"", "bob", false},
	} {
		if got := sameUser(c.x, c.y); got != c.want {
			t.Errorf("%q, %q: %v", c.x, c.y, got)
		}
		if got := sameUser(c.y, c.x); got != c.want {
			t.Errorf("%q, %q: %v", c.y, c.x, got)
		}
	}
}

func TestWhoseState(t *testing.T) {
	ep := func(user, authz, host string) imapx.Endpoint {
		return imapx.Endpoint{User: user, AuthzID: authz, Host: host, Port: 993}
	}
	oldSource, oldTarget := endpointText(ep("alice@old.example", "", "h")), endpointText(ep("alice@new.example", "", "::1"))
	for _, c := range []struct {
		source, target imapx.Endpoint
		refused        bool
	}{
		{ep("alice@old.example", "", "h"), ep("alice@new.example", "", "i"), false},
		{ep("alice@old.example", "", "other"), ep("alice@new.example", "", "other"), false},
		{ep("admin", "alice@old.example", "h"), ep("admin", "alice@new.example", "i"), false},
		{ep("alice@old.example*master", "", "h"), ep("alice*master", "", "i"), false},
		{ep("alice@old.example", "", "h"), ep("a.smith@new.example", "", "i"), false},
		{ep("a.smith@old.example", "", "h"), ep("alice@new.example", "", "i"), false},
		{ep("bob@old.example", "", "h"), ep("bob@new.example", "", "i"), true},
	} {
		err := whoseState("alice", c.source, c.target)(oldSource, oldTarget)
		var own *failure
		if got := errors.As(err, &own); got != c.refused || got && (own.code != exitStateDamaged || own.hint == "") {
			t.Errorf("%s to %s: %v", endpointText(c.source), endpointText(c.target), err)
		}
	}
	if err := whoseState("alice", ep("x", "", "h"), ep("y", "", "i"))("", ""); err != nil {
		t.Error(err)
	}
}
