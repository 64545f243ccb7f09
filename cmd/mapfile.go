package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mailmove/cmd/internal/ui"
	mailsync "mailmove/sync"
)

// maxMapFile bounds a --map-file, in bytes.
const maxMapFile = 4 << 20

const mapFileHint = `write a line as Source=Target; an = in a name is written \=; a comment begins with #, and quotes keep what is in them`

// readFile reads --map-file: a rule a line.
func (f *mappingFlags) readFile() ([]mailsync.MapRule, error) {
	if f.mapFile == "" {
		return nil, nil
	}
	file, err := os.Open(filepath.Clean(f.mapFile))
	if err != nil {
		return nil, noInput("--map-file", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxMapFile+1))
	if err != nil {
		return nil, noInput("--map-file", err)
	}
	if len(text) > maxMapFile {
		return nil, usagef("", "--map-file %s: it is larger than %s", f.mapFile, ui.Bytes(maxMapFile))
	}
	var rules []mailsync.MapRule
	for i, line := range strings.Split(string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))), "\n") {
		line = strings.Trim(line, " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		rule, err := mapLine(line)
		if err != nil {
			return nil, usagef(mapFileHint, "--map-file %s:%d: %v", f.mapFile, i+1, err)
		}
		rule.Where = fmt.Sprintf("--map-file %s:%d", f.mapFile, i+1)
		rules = append(rules, rule)
	}
	return rules, nil
}

// mapLine reads a line without blanks at its ends: two names with = between them, and a comment.
func mapLine(line string) (mailsync.MapRule, error) {
	source, rest, err := mapName(line, "=")
	if err != nil {
		return mailsync.MapRule{}, err
	}
	after, found := strings.CutPrefix(rest, "=")
	if !found {
		return mailsync.MapRule{}, errNoEquals
	}
	target, rest, err := mapName(strings.TrimLeft(after, " \t"), "")
	switch {
	case err != nil:
		return mailsync.MapRule{}, err
	case rest != "" && rest[0] != '#':
		return mailsync.MapRule{}, errors.New("there is something after the quotes")
	}
	return mapRule(source, target)
}

// mapName takes a name from the beginning of text: in quotes, with \" and \\ for what would end them, else up to one of
// the ends that has no backslash before it, or to a # after a blank. What follows begins without a blank.
func mapName(text, ends string) (name, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		name, rest, err = quotedName(text[1:])
		return name, strings.TrimLeft(rest, " \t"), err
	}
	end := len(text)
	for i := range len(text) {
		blank := i == 0 || text[i-1] == ' ' || text[i-1] == '\t'
		if text[i] == '#' && blank || strings.IndexByte(ends, text[i]) >= 0 && (i == 0 || text[i-1] != '\\') {
			end = i
			break
		}
	}
	return plainEquals(strings.Trim(text[:end], " \t")), text[end:], nil
}

// quotedName reads up to the closing quote.
func quotedName(text string) (name, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", errors.New("a quote is not closed")
}
