package cmd

import (
	"context"
	"fmt"
	"io"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/state/fleet"
)

// jsonWait is a login, or a whole server, that is not tried before its time.
type jsonWait struct {
	Waits waitRecord `json:"waits"`
}

type waitRecord struct {
	Server   string    `json:"server"`
	User     string    `json:"user"` // empty: nobody logs in there
	Failures int       `json:"failures"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Text     string    `json:"text"`
}

// statusWaits shows what the memory of failed logins keeps waiting, and until when.
func (f *statusFlags) statusWaits(ctx context.Context, w io.Writer, dir string) error {
	all, err := fleet.Waiting(ctx, dir, time.Now())
	for _, e := range all {
		if err != nil {
			return err
		}
		if f.json {
			err = printJSON(w, jsonWait{waitRecord{e.Host, e.User, e.Failures, e.Since.UTC(), e.Until.UTC(), e.Text}})
		} else {
			_, err = fmt.Fprintln(w, waitText(e))
		}
	}
	return err
}

func waitText(e *fleet.BlockedError) string {
	said := ""
	if e.Text != "" {
		said = ": " + ui.Short(ui.Clean(e.Text), 200)
	}
	if e.Server {
		return fmt.Sprintf("waiting: logins to %s until %s: %d accounts were refused in a row since %s%s",
			ui.Clean(e.Host), stamp(e.Until), e.Failures, stamp(e.Since), said)
	}
	return fmt.Sprintf("waiting: login of %s to %s until %s: refused %s since %s%s",
		ui.Clean(e.User), ui.Clean(e.Host), stamp(e.Until), countText(int64(e.Failures), "time", "times"), stamp(e.Since), said)
}
