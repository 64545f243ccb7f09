package imapx_test

import (
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

// An examination sees a server, stores mail and leaves nothing behind.
func TestExamine(t *testing.T) {
	dovecot, courier, cyrus := real.Dovecot(t, real.Options{}), real.Courier(t), real.Cyrus(t, real.CyrusOptions{})
	for name, e := range map[string]imapx.Endpoint{
		"Dovecot": endpoint(t, dovecot.Addr(), dovecot.FreshUser()),
		"Courier": endpoint(t, courier.Addr(), courier.FreshUser()),
		"Cyrus":   endpoint(t, cyrus.Addr(), cyrus.FreshUser()),
	} {
		p, err := imapx.Examine(within(t, 30*time.Second), e, imapx.ExamineOptions{LogIn: true, Write: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if h := p.Write; len(p.Problems) > 0 || h == nil || h.Stored != 3 || !h.Dates || !h.Bytes || !h.Removed {
			t.Errorf("%s: %v %+v", name, p.Problems, h)
		}
		if p.RTT <= 0 || len(p.Before) == 0 || len(p.After) == 0 || !p.Provider.Known() || p.Greeting == "" {
			t.Errorf("%s: %+v", name, p)
		}
		src := opens(t, e)
		l, err := src.List(within(t, 10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range l.Folders {
			if len(f.Name) > 20 {
				t.Errorf("%s: %s is left", name, f.Name)
			}
		}
	}
}
