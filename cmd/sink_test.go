package cmd

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"mailmove/imapx/imaptest"
)

// sink is a mail server of a script that keeps what it takes, one file a mail.
type sink struct {
	dir    string
	secure *tls.Config // nil: clear text
	login  string      // what AUTH PLAIN must say; "": nobody logs in
	addr   string
	silent bool // takes connections and says nothing

	mu      sync.Mutex
	ln      net.Listener
	open    map[net.Conn]bool
	taken   int
	running sync.WaitGroup
}

type sinksKey struct{}

// startSink is the script command
//
//	sink NAME [-mode tls|starttls|clear|silent] [-user NAME -password WORD]
//
// It starts a mail server, keeps what it takes as NAME/1, NAME/2 and so on, and sets the variable NAME to its address.
func startSink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sink NAME [flags]")
	}
	set := flag.NewFlagSet("sink", flag.ContinueOnError)
	mode := set.String("mode", "clear", "")
	user := set.String("user", "", "")
	password := set.String("password", "", "")
	ts.Check(set.Parse(args[1:]))
	s := &sink{dir: ts.MkAbs(args[0]), addr: "127.0.0.1:0", open: make(map[net.Conn]bool), silent: *mode == "silent"}
	ts.Check(os.MkdirAll(s.dir, 0o700))
	if *mode == "tls" || *mode == "starttls" {
		cert, err := ts.Value(authority{}).(*imaptest.CA).Issue(imaptest.CertGood)
		ts.Check(err)
		s.secure = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if *user != "" {
		s.login = base64.StdEncoding.EncodeToString([]byte("\x00" + *user + "\x00" + *password))
	}
	ts.Check(s.up(*mode == "tls"))
	ts.Defer(s.down)
	ts.Setenv(args[0], s.addr)
	ts.Value(sinksKey{}).(map[string]*sink)[args[0]] = s
}

// switchSink is the script command
//
//	switch NAME up|down
func switchSink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: switch NAME up|down")
	}
	s := ts.Value(sinksKey{}).(map[string]*sink)[args[0]]
	if args[1] == "down" {
		s.down()
		return
	}
	ts.Check(s.up(false))
}

func (s *sink) up(implicit bool) error {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.addr = ln.Addr().String()
	if implicit {
		ln = tls.NewListener(ln, s.secure)
	}
	s.mu.Lock()
	s.ln = ln
	s.mu.Unlock()
	s.running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil { // closed
				return
			}
			s.mu.Lock()
			s.open[conn] = true
			s.mu.Unlock()
			s.running.Go(func() {
				defer conn.Close()
				if !s.silent {
					s.serve(conn, implicit)
					return
				}
				_, _ = conn.Read(make([]byte, 1)) // until either side closes it
			})
		}
	})
	return nil
}

func (s *sink) down() {
	s.mu.Lock()
	_ = s.ln.Close() // it may be closed already
	for conn := range s.open {
		_ = conn.Close()
	}
	clear(s.open)
	s.mu.Unlock()
	s.running.Wait()
}

// serve speaks as much of RFC 5321 as a client of one mail wants.
func (s *sink) serve(conn net.Conn, secured bool) {
	r := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	say("220 sink ESMTP")
	in := s.login == ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-sink")
			if s.secure != nil && !secured {
				say("250-STARTTLS")
			}
			if s.login != "" && secured {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, s.secure)
			r, secured = bufio.NewReader(conn), true
		case "AUTH":
			if in = rest == "PLAIN "+s.login; in {
				say("235 welcome")
			} else {
				say("535 wrong")
			}
		case "MAIL", "RCPT":
			if in {
				say("250 ok")
			} else {
				say("530 who are you?")
			}
		case "DATA":
			say("354 go on")
			if s.take(r) != nil {
				return
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// take keeps a mail.
func (s *sink) take(r *bufio.Reader) error {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
	return os.WriteFile(filepath.Join(s.dir, strconv.Itoa(s.taken)), []byte(text.String()), 0o600)
}

// countMails is the script command
//
//	mails NAME N
//
// which checks how many mails a sink has taken.
func countMails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mails NAME N")
	}
	s := ts.Value(sinksKey{}).(map[string]*sink)[args[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	if strconv.Itoa(s.taken) != args[1] {
		ts.Fatalf("%s has taken %d mails, want %s", args[0], s.taken, args[1])
	}
}
