package cmd

import (
	"fmt"
	"strings"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
)

// whoseState refuses a state file that was made for other mailboxes: its ledger would be believed for mail that it never
// saw. Hosts and ports may change, and so may the user of one side, who was renamed; where both sides have another one,
// the id was given to another pair of mailboxes by mistake.
func whoseState(account string, source, target imapx.Endpoint) func(source, target string) error {
	return func(oldSource, oldTarget string) error {
		if oldSource == "" || oldTarget == "" ||
			sameUser(userOfText(oldSource), mailboxName(source)) || sameUser(userOfText(oldTarget), mailboxName(target)) {
			return nil
		}
		id := ui.Clean(account)
		return &failure{code: exitStateDamaged,
			what: fmt.Sprintf("the state of account %s is that of %s to %s", shown(account), oldSource, oldTarget),
			hint: "give another --id for these mailboxes; or, if those will not be moved any more, mailmove forget --id " + id}
	}
}

// userOfText is the user of what endpointText made; a user may hold an "@".
func userOfText(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return text[:at]
	}
	return text
}

// sameUser tells whether two logins may be for one mailbox: with or without the domain, by its user or an admin.
func sameUser(x, y string) bool {
	x, y = strings.ToLower(x), strings.ToLower(y)
	if x == y {
		return true
	}
	for _, a := range loginForms(x) {
		for _, b := range loginForms(y) {
			if a == b || a != "" && (strings.HasPrefix(b, a+"@") || strings.HasPrefix(a, b+"@")) && b != "" {
				return true
			}
		}
	}
	return false
}

// loginForms are the mailboxes that a login may mean: alice*master and alice%admin (Dovecot, Stalwart) are alice's,
// DOMAIN\admin\alias (Exchange) is the last one's. A name may hold these characters itself, so it stands for itself too.
func loginForms(login string) []string {
	forms := []string{login}
	for _, separator := range []string{"*", "%"} {
		if user, _, ok := strings.Cut(login, separator); ok {
			forms = append(forms, user)
		}
	}
	if i := strings.LastIndexByte(login, '\\'); i >= 0 {
		forms = append(forms, login[i+1:])
	}
	return forms
}
