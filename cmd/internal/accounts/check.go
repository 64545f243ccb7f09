package accounts

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

// Check adds the problems between rows: the same account twice, two rows into one target, a source that is its target, an
// id that two rows have; and those that resolve finds in a row. resolve is given rows without problems and names the
// mailboxes of both sides, equal for equal mailboxes; "" for one that is not known yet. Its error may be a Problem, or
// have a Hint.
func (l *List) Check(resolve func(Row) (sourceKey, targetKey string, err error)) {
	var (
		pairs   = make(map[key]int) // both mailboxes to the row that has them
		targets = make(map[key]int)
		ids     = make(map[string]int)
	)
	for i := range l.Rows {
		row := &l.Rows[i]
		if len(row.Problems) > 0 {
			continue
		}
		source, target, err := resolve(*row)
		switch {
		case err != nil:
			row.Problems = append(row.Problems, problemOf(row.Line, err))
			continue
		case source != "" && source == target:
			row.add(Problem{Text: "source and target are the same mailbox", Hint: "where one host name is two machines, say source_address"})
			continue
		}
		if first, twice := seenBefore(pairs, keyOf(source+"\x00"+target), i); twice && source != "" && target != "" {
			row.add(Problem{Text: "the same account as in line " + itoa(l.Rows[first].Line), Hint: "take one of the lines out"})
			continue
		}
		if first, twice := seenBefore(targets, keyOf(target), i); twice && target != "" {
			l.both(first, i, "target_user", "goes into the same mailbox as line %d", "two mailboxes would be mixed in one; give each its own target")
		}
		if first, twice := seenBefore(ids, row.ID, i); twice && row.ID != "" {
			l.both(first, i, "id", "has the same id as line %d", "an id is the name of one account in the state")
		}
	}
}

// key stands for a text: what is remembered of a million mailboxes is short.
type key [16]byte

func keyOf(text string) key {
	sum := sha256.Sum256([]byte(text))
	return key(sum[:16])
}

// seenBefore tells which row was the first with a key.
func seenBefore[K comparable](seen map[K]int, key K, row int) (first int, twice bool) {
	if first, twice = seen[key]; !twice {
		seen[key] = row
	}
	return first, twice
}

// both gives two rows that exclude each other a problem each. Which of them is right nobody can tell.
func (l *List) both(first, second int, column, text, hint string) {
	a, b := &l.Rows[first], &l.Rows[second]
	if len(a.Problems) == 0 {
		a.add(Problem{Column: column, Text: fmt.Sprintf(text, b.Line), Hint: hint})
	}
	b.add(Problem{Column: column, Text: fmt.Sprintf(text, a.Line), Hint: hint})
}

func (r *Row) add(p Problem) {
	p.Line = r.Line
	r.Problems = append(r.Problems, p)
}

func problemOf(line int, err error) Problem {
	var (
		p      Problem
		hinted interface{ Hint() string }
	)
	if !errors.As(err, &p) {
		p.Text = err.Error()
		if errors.As(err, &hinted) {
			p.Hint = hinted.Hint()
		}
	}
	p.Line = line
	return p
}

// Expand puts user, domain and id into a template such as {user}*master. What is put in is not looked at again.
func Expand(template string, user, domain, id string) string {
	if !strings.Contains(template, "{") {
		return template
	}
	return strings.NewReplacer("{user}", user, "{domain}", domain, "{id}", id).Replace(template)
}
