package cmd

import (
	"errors"
	"slices"
	"strings"

	mailsync "mailmove/sync"
)

// labelMode is the value of --gmail-labels.
type labelMode mailsync.Labels

// labelModes are its words, in the order of mailsync's constants.
func labelModes() []string { return []string{"folders", "keywords", "ignore"} }

func (m *labelMode) Set(text string) error {
	i := slices.Index(labelModes(), text)
	if i < 0 {
		return errors.New("write one of " + strings.Join(labelModes(), ", "))
	}
	*m = labelMode(i)
	return nil
}

func (m *labelMode) String() string { return labelModes()[*m] }

func (*labelMode) Type() string { return "HOW" }
