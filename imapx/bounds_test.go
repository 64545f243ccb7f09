package imapx_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
)

// opened plays a server up to the answer of the first SEARCH: a folder "F" of n messages with the UIDs 1 to n.
func (s *scripted) opened(n int) {
	s.send("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\n")
	s.send("%s OK [CAPABILITY IMAP4rev1 ESEARCH] in\n", s.expect("AUTHENTICATE PLAIN .*"))
	s.send("* %d EXISTS\n* OK [UIDVALIDITY 7] these\n* OK [UIDNEXT %d] next\n%s OK open\n", n, n+1, s.expect(`EXAMINE "F"`))
	tag := s.expect(`UID SEARCH RETURN \(ALL\) UID 1:\*`)
	s.send("* ESEARCH (TAG \"%s\") UID ALL 1:%d\n%s OK found\n", tag, n, tag)
}

// A server that sends a byte now and then is never silent, and never comes to an end.
func TestTrickleEnds(t *testing.T) {
	const timeout = 100 * time.Millisecond
	e := serve(t, func(s *scripted) {
		s.opened(1)
		s.expect("UID FETCH .*")
		s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {100000}\n")
		for range 200 { // four times as long as it may
			time.Sleep(timeout / 4)
			if _, err := s.nc.Write([]byte("x")); err != nil {
				return
			}
		}
	})
	src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var got collector
	started := time.Now()
	_, err = src.Visit(within(t, 20*time.Second), imapx.Visit{Folder: "F", Reads: []imapx.Read{{UIDs: everything(), Want: imapx.WantBody}}}, got.handler())
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Kind != imapx.KindLost || ie.Retry != imapx.RetryReconnect || !strings.Contains(ie.Text, "too slow") || ie.Ending != nil {
		t.Errorf("%v", err)
	}
	if took := time.Since(started); took < imapx.MaxIdle*timeout || took > 2*imapx.MaxIdle*timeout {
		t.Errorf("after %v", took)
	}
}

// A body that comes slowly and as fast as a line may be slow comes whole.
func TestSlowLineIsNoTrickle(t *testing.T) {
	const timeout, size = 50 * time.Millisecond, 5 * imapx.MaxTrickle
	e := serve(t, func(s *scripted) {
		s.opened(1)
		tag := s.expect("UID FETCH .*")
		s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {%d}\n", size)
		for range 80 { // two spans of patience
			time.Sleep(timeout / 2)
			s.send("%s", strings.Repeat("x", size/80))
		}
		s.send(")\n%s OK fetched\n", tag)
	})
	src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var got collector
	res, err := src.Visit(within(t, 20*time.Second), imapx.Visit{Folder: "F", Reads: []imapx.Read{{UIDs: everything(), Want: imapx.WantBody}}}, got.handler())
	if err != nil || len(res.Failed) > 0 || len(got.messages) != 1 {
		t.Errorf("%d messages, %v, %v", len(got.messages), res.Failed, err)
	}
}

// A server that sends one new message in each round is not asked for all the others in as many.
func TestOneMessageARound(t *testing.T) {
	const n = 3000
	asked := 0
	uids := regexp.MustCompile(`UID FETCH (\d+)(?::(\d+))? `)
	e := serve(t, func(s *scripted) {
		s.opened(n)
		sent := 0
		for {
			line, err := s.r.ReadString('\n')
			if err != nil {
				return
			}
			tag, rest, _ := strings.Cut(line, " ")
			m := uids.FindStringSubmatch(line)
			if m == nil { // the SEARCH for what is there still
				if strings.HasPrefix(rest, "UID SEARCH") {
					s.send("* ESEARCH (TAG \"%s\") UID ALL 1:%d\n", tag, n)
				}
				s.send("%s OK\n", tag)
				continue
			}
			asked++
			if first, _ := strconv.Atoi(m[1]); first == sent+1 {
				sent++
				s.send("* %d FETCH (UID %d FLAGS (\\Seen))\n", sent, sent)
			}
			s.send("%s OK\n", tag)
		}
	})
	src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var got collector
	_, err = src.Visit(within(t, 20*time.Second), imapx.Visit{Folder: "F", Reads: []imapx.Read{{UIDs: everything(), Want: imapx.WantFlags}}}, got.handler())
	if err != nil || len(got.messages) != n {
		t.Errorf("%d messages, %v", len(got.messages), err)
	}
	if asked > n+100 {
		t.Errorf("%d FETCHes for %d messages", asked, n)
	}
}
