package sync_test

import (
	"testing"

	"mailmove/imapx/imaptest"
)

// TestOtherServers carries a small mailbox from each server to Dovecot and back to a fresh mailbox of it, twice. What
// differs has to have a name (matrix_test.go). TestE2EMatrix does all pairs.
func TestOtherServers(t *testing.T) {
	c, err := imaptest.NewCorpus(imaptest.Small, 1)
	must(t, err)
	for name, other := range map[string]func(*testing.T) *party{"Cyrus": cyrusParty, "Courier": courierParty, "Mailutils": mailutilsParty} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dovecot, o := dovecotParty(t), other(t)
			user, _ := dovecot.loaded(t, c)
			carriedPair(t, dovecot, user, o, c)
			user, _ = o.loaded(t, c)
			carriedPair(t, o, user, dovecot, c)
		})
	}
}
