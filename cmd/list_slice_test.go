package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"mailmove/imapx/imaptest"
)

// A huge mailbox, first in the list, holds up nobody: it makes room, goes on later, and arrives whole.
func TestAHugeMailboxMakesRoom(t *testing.T) {
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	start := func(user string, mail int) string {
		addr, stop, err := serve(ca, "clear", user, "pw", corpus{count: mail}, false, false, nil, new(atomic.Int64), new(atomic.Uint32))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		return "imap://" + addr
	}
	const huge = 900
	dir := t.TempDir()
	target := start("huge,small", 0)
	source := start("huge", huge)
	slow, err := imaptest.NewProxy(strings.TrimPrefix(source, "imap://"), imaptest.Faults{RTT: 2 * time.Millisecond, Bandwidth: 80 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slow.Close)
	list := fmt.Sprintf("id,source,source_user,target_user\nhuge,%s,huge,huge\nsmall,%s,small,small\n", "imap://"+slow.Addr(), start("small", 3))
	if err := os.WriteFile(filepath.Join(dir, "list.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAILMOVE_SOURCE_PASSWORD", "pw")
	t.Setenv("MAILMOVE_TARGET_PASSWORD", "pw")
	nobody, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	ctx, stops, end := watchSignals(context.Background(), nil)
	defer end()
	var out, said bytes.Buffer
	a := &app{in: nobody, out: &out, err: &said, width: 80, stops: stops}
	f := newSyncFlags()
	f.list.slice = 500 * time.Millisecond
	c := &cobra.Command{}
	f.bind(c.Flags())
	err = c.ParseFlags([]string{"--accounts", filepath.Join(dir, "list.csv"), "--state-dir", filepath.Join(dir, "state"), "--jobs", "1", "--json",
		"--target", target, "--source-tls", "none", "--target-tls", "none"})
	if err != nil {
		t.Fatal(err)
	}
	c.SetContext(ctx)
	if err := f.runList(c, a); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var order []string
	slices := 0
	for line := range strings.Lines(out.String()) {
		var e struct {
			Type, Account, Outcome string
			Interrupted            bool
			Messages               int
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Type == "pass-ended" && e.Interrupted && e.Account == "huge":
			slices++
		case e.Type == "account-ended":
			order = append(order, fmt.Sprint(e.Account, " ", e.Outcome, " ", e.Messages))
		}
	}
	if want := fmt.Sprintf("[small done 3 huge done %d]", huge); fmt.Sprint(order) != want || slices == 0 {
		t.Errorf("%v after %d slices, want %s after one or more", order, slices, want)
	}
	for user, messages := range map[string]int{"huge": huge, "small": 3} {
		d, err := imaptest.Compare(ctx, imaptest.Login{Addr: strings.TrimPrefix(fieldOf(list, user), "imap://"), User: user, Password: "pw"},
			imaptest.Login{Addr: strings.TrimPrefix(target, "imap://"), User: user, Password: "pw"}, imaptest.CompareOptions{FoldKeywords: true})
		if err != nil || !d.Equal() || d.MessagesA != messages {
			t.Errorf("%s: %v, %d messages: %s", user, err, d.MessagesA, d)
		}
	}
}

// fieldOf is the source of an account in the list.
func fieldOf(list, account string) string {
	for line := range strings.Lines(list) {
		if rest, is := strings.CutPrefix(line, account+","); is {
			source, _, _ := strings.Cut(rest, ",")
			return source
		}
	}
	return net.IPv4zero.String() // refused by the referee
}
