package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"mailmove/cmd/internal/coexist"
	"mailmove/cmd/internal/ui"
)

// postmapTimeout bounds a run of postmap; a million lines take it some seconds.
const postmapTimeout = 5 * time.Minute

// mostKicked is how many users are named in a command line to copy.
const mostKicked = 20

// mapIndex is the index that Postfix keeps of a table, made and read by its own tool. Without the tool, or for a map of
// another server, it does nothing.
type mapIndex struct {
	tool  string // "": none
	table string
	ends  string // of its file name
}

func (x *export) newIndex() *mapIndex {
	m := &mapIndex{table: x.table, ends: indexes()[x.table]}
	switch {
	case x.format.Proxy || x.postmap == "off":
	case x.postmap != "":
		m.tool = x.postmap
	default:
		for _, name := range []string{"postmap", "/usr/sbin/postmap"} {
			if path, err := exec.LookPath(name); err == nil {
				m.tool = path
				break
			}
		}
	}
	return m
}

// make makes the index of a text that is not in place yet, and asks it for every entry. postmap itself says of a malformed or
// a double line nothing that a program could see.
func (m *mapIndex) make(ctx context.Context, temp string, wanted coexist.Table) (err error) {
	if m.tool == "" {
		return nil
	}
	if m.ends != "" {
		_, err = m.run(ctx, nil, m.table+":"+temp)
	}
	if err == nil {
		err = m.verify(ctx, temp, wanted)
	}
	if err != nil {
		return errors.Join(err, m.drop(temp))
	}
	return nil
}

// install puts the index in place, after its text: Postfix reads the index only, and a run that ended in between finds it
// wanting.
func (m *mapIndex) install(temp, path string) error {
	if m.tool == "" || m.ends == "" {
		return nil
	}
	if err := os.Rename(temp+m.ends, path+m.ends); err != nil {
		return &failure{code: exitOutput, err: err, what: "--to " + path + m.ends + ": " + cause(err).Error(), hint: "the map is there, and its index is the old one: run it again"}
	}
	return nil
}

// drop removes an index that is not put in place.
func (m *mapIndex) drop(temp string) error {
	if m.tool == "" || m.ends == "" {
		return nil
	}
	return ignoreMissing(os.Remove(temp + m.ends))
}

// verify asks Postfix' own tool for every entry.
func (m *mapIndex) verify(ctx context.Context, path string, wanted coexist.Table) error {
	if m.tool == "" || len(wanted) == 0 && m.ends == "" {
		return nil
	}
	if err := m.current(path); err != nil {
		return err
	}
	var keys bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		keys.WriteString(key + "\n")
	}
	answer, err := m.run(ctx, &keys, "-q", "-", m.table+":"+path)
	if err != nil {
		return err
	}
	found := 0
	for line := range strings.Lines(string(answer)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if wanted[key] != key+" "+value {
			return &failure{code: exitNotEqual, what: fmt.Sprintf("Postfix reads of %s: %s", shown(key), shown(value)), hint: "report it: the map was not replaced"}
		}
		found++
	}
	if found != len(wanted) {
		return &failure{code: exitNotEqual, what: fmt.Sprintf("Postfix finds %d of %d entries in %s", found, len(wanted), path), hint: "make the index anew: the same command without --check"}
	}
	return nil
}

// current tells whether the index is that of the text. One that is older has all that the text has, and perhaps accounts that
// were taken out, after which nobody asks.
func (m *mapIndex) current(path string) error {
	if m.ends == "" {
		return nil
	}
	index, err := os.Stat(path + m.ends)
	if errors.Is(err, fs.ErrNotExist) {
		return &failure{code: exitNotEqual, what: "there is no index " + path + m.ends, hint: "make it: the same command without --check"}
	}
	if err != nil {
		return noInput("--to", err)
	}
	if text, err := os.Stat(path); err == nil && index.ModTime().Before(text.ModTime()) {
		return &failure{code: exitNotEqual, what: "the index " + path + m.ends + " is older than the map", hint: "make it anew: the same command without --check"}
	}
	return nil
}

// run runs postmap. With -q it ends with 1 where a key is not found, which is no failure of its own.
func (m *mapIndex) run(ctx context.Context, input *bytes.Buffer, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, postmapTimeout)
	defer cancel()
	var answer, complaint bytes.Buffer
	c := exec.CommandContext(ctx, m.tool, args...)
	c.WaitDelay = time.Second
	c.Stdout, c.Stderr = &answer, &complaint
	if input != nil {
		c.Stdin = input
	}
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && input != nil && complaint.Len() == 0 {
		err = nil
	}
	if err != nil || complaint.Len() > 0 {
		said, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		if said == "" && err != nil {
			said = err.Error()
		}
		return nil, &failure{code: exitOther, err: err, what: fmt.Sprintf("%s %s: %s", m.tool, strings.Join(args, " "), ui.Short(said, 300)),
			hint: "see whether this Postfix has the --type; --postmap off leaves the index to you"}
	}
	return answer.Bytes(), nil
}

// tellNext says what is left to do, and how to go back.
func (x *export) tellNext(path string, changes []coexist.Change, index *mapIndex) {
	say := func(format string, args ...any) { fmt.Fprintln(x.a.out, ui.Clean(fmt.Sprintf(format, args...))) }
	quoted, back := shellWord(path), shellWord(rollbackName(path))
	again := ""
	switch {
	case x.format.Name == "postfix" && index.ends != "":
		again = " && postmap " + x.table + ":" + quoted
		if index.tool == "" {
			say("next: postmap %s:%s", x.table, quoted)
		}
	case x.format.Name == "postfix":
		again = " && postfix reload"
		say("next: postfix reload")
	case x.format.Name == "nginx":
		again = " && nginx -s reload"
		say("next: nginx -t && nginx -s reload")
	}
	if x.format.Name == "dovecot" || x.format.Name == "dovecot24" {
		x.tellKicks(changes)
	}
	say("to go back: mv %s %s%s", back, quoted, again)
}

// tellKicks names whose sessions are still on the old mailbox: a changed map is for the next login.
func (x *export) tellKicks(changes []coexist.Change) {
	words := []string{"doveadm", "kick"}
	for _, c := range changes {
		if len(words) < 2+mostKicked {
			words = append(words, shellWord(c.Key))
		}
	}
	if len(changes) == 0 {
		return
	}
	more := ""
	if n := len(changes) - mostKicked; n > 0 {
		more = fmt.Sprintf("   (and %d more users)", n)
	}
	fmt.Fprintln(x.a.out, ui.Clean("next: "+strings.Join(words, " ")+more))
}
