package accounts

import (
	"strings"
)

// isImapCopy tells an ImapCopy.cfg by its first word.
func isImapCopy(text string) bool {
	lines, _ := heads(text, 1)
	if len(lines) == 0 {
		return false
	}
	word, _, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(lines[0], "\t", " ")), " ")
	switch strings.ToLower(word) {
	case "sourceserver", "sourceport", "destserver", "destport", "copy", "skipfolder", "copyfolder", "denyflags", "debuglevel":
		return !strings.ContainsAny(word, ";,|")
	}
	return false
}

// imapCopyColumns are the columns of the rows that its lines make.
func imapCopyColumns() []string {
	return []string{"source", "source_user", "source_password", "target", "target_user", "target_password"}
}

// tableOfImapCopy reads a configuration of ImapCopy: servers and ports that hold from their line on, and a line
// Copy "user" "password" "user" "password" for each account.
func tableOfImapCopy(text string) (*table, *Error) {
	c := &imapCopy{server: make(map[string]string)}
	t := &table{format: "imapcopy", delim: ',', header: imapCopyColumns(), meaning: func(string) string { return "" }}
	for _, part := range t.header {
		t.columns = append(t.columns, columnOf(part, part))
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		trimmed := strings.Trim(line, " \t\r\n")
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		words, closed := imapCopyWords(trimmed)
		if !closed {
			return nil, &Error{Line: number, Text: "a quote is not closed", Next: `write Copy "user" "password" "user" "password"`}
		}
		if bad := c.line(number, words); bad != nil {
			return nil, bad
		}
	}
	t.headerLine, t.least = 1, len(t.header)
	t.next = func() (record, bool, *Error) {
		if len(c.found) == 0 {
			return record{}, false, nil
		}
		rec := c.found[0]
		c.found = c.found[1:]
		return rec, true, nil
	}
	return t, nil
}

type imapCopy struct {
	server map[string]string // words in lower case to their value
	found  []record
}

func (c *imapCopy) line(number int, words []string) *Error {
	switch word := strings.ToLower(words[0]); word {
	case "sourceserver", "sourceport", "destserver", "destport":
		if len(words) != 2 {
			return &Error{Line: number, Text: words[0] + " has one value"}
		}
		c.server[word] = words[1]
	case "copy":
		if len(words) != 5 {
			return &Error{Line: number, Text: "Copy has four values", Next: `write Copy "user" "password" "user" "password"`}
		}
		c.found = append(c.found, record{line: number, cells: []string{
			imapCopyHost(c.server["sourceserver"], c.server["sourceport"]), words[1], words[2],
			imapCopyHost(c.server["destserver"], c.server["destport"]), words[3], words[4]}})
	case "debuglevel": // how much it prints
	default:
		return &Error{Line: number, Text: shortened(words[0]) + " has no meaning here that is known",
			Next: "take the line out, and say it in our flags: --exclude FOLDER for SkipFolder, --include FOLDER for CopyFolder"}
	}
	return nil
}

// imapCopyHost is a host as ImapCopy reaches it: 143 where nothing is said, for which TLS is STARTTLS here.
func imapCopyHost(host, port string) string {
	switch {
	case host == "":
		return ""
	case port == "" || port == "143":
		return "imap://" + host
	}
	return host + ":" + port
}

// imapCopyWords splits at blanks, but not in quotes, between which everything stands as it is.
func imapCopyWords(line string) (words []string, closed bool) {
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		var word string
		if line[0] == '"' {
			if word, line, closed = strings.Cut(line[1:], `"`); !closed {
				return words, false
			}
		} else {
			end := strings.IndexAny(line, " \t")
			if end < 0 {
				end = len(line)
			}
			word, line = line[:end], line[end:]
		}
		words = append(words, word)
	}
	return words, true
}
