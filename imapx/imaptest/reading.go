package imaptest

import (
	"context"
	"fmt"
)

// Reading is what one account held when it was read, to be compared with many others.
type Reading struct {
	acc account
}

// Read reads an account whole, as Compare does.
func Read(ctx context.Context, l Login) (Reading, error) {
	acc, err := readAccount(ctx, l)
	if err != nil {
		return Reading{}, fmt.Errorf("account %s at %s: %w", l.User, l.Addr, err)
	}
	return Reading{acc: acc}, nil
}

// Diff tells what differs in b.
func (r Reading) Diff(b Reading, o CompareOptions) (Diff, error) {
	acc, err := r.acc.renamed(o.Map)
	if err != nil {
		return Diff{}, err
	}
	return diffAccounts(acc, b.acc, o), nil
}

// Messages counts the messages of all folders.
func (r Reading) Messages() int {
	n := 0
	for _, mails := range r.acc.folders {
		n += len(mails)
	}
	return n
}

// Bytes adds up their sizes as IMAP shows them.
func (r Reading) Bytes() int64 {
	var n int64
	for _, mails := range r.acc.folders {
		for _, m := range mails {
			n += m.size
		}
	}
	return n
}
