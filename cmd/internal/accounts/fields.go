package accounts

import (
	"strconv"
	"strings"
	"unicode"

	"mailmove/imapx/auth"
)

// draft is a row on its way from cells to fields.
type draft struct {
	*maker
	row   *Row
	index int // of the cell at hand
	sides [2]draftSide

	shifted bool // the cells are not what their columns say: a password may be anywhere
}

// draftSide are the parts of an endpoint that other tools have columns for.
type draftSide struct {
	host, port, security, email, admin       string
	portHeading, securityHeading, urlHeading string
	urlIndex                                 int
}

func sideNames() [2]string { return [2]string{"source", "target"} }

// columnOf gives a column its meaning.
func columnOf(heading, part string) column {
	c := column{heading: heading, part: part, secret: part == "" && looksSecret(normal(heading))}
	switch part {
	case "", ignored, "(name)":
		return c
	case "id":
		c.take = func(d *draft, _, v string) { d.row.ID = v }
	case "group":
		c.take = func(d *draft, _, v string) { d.row.Group = v }
	case optionsPart:
		c.take = (*draft).options
	case imapsyncArg:
		c.take = (*draft).imapsyncWords
	case "(root)":
		c.take = (*draft).root
	case "(active)":
		c.take = (*draft).active
	case "(user#password)":
		c.secret, c.take = true, (*draft).userAndPassword
	default:
		c.secret, c.take = sideColumn(part)
	}
	return c
}

// sideColumn is a part of an endpoint, an option of imapsync's, or a field.
func sideColumn(part string) (secret bool, take func(*draft, string, string)) {
	if option, is := strings.CutPrefix(part, "--"); is {
		return false, func(d *draft, heading, v string) { d.mailcow(heading, option, v) }
	}
	for i, side := range sideNames() {
		switch part {
		case side:
			return false, func(d *draft, heading, v string) {
				d.sides[i].urlHeading, d.sides[i].urlIndex = heading, d.index
				d.row.Fields[side] = v
			}
		case side + "_password":
			return true, func(d *draft, _, v string) { d.secret(side+"_password", v) }
		case side + "_host":
			return false, func(d *draft, heading, v string) {
				d.sides[i].urlHeading, d.sides[i].urlIndex = heading, d.index
				d.sides[i].host = v
			}
		case side + "_proxy":
			return false, func(d *draft, heading, v string) { d.proxy(side, heading, v) }
		case side + "_port":
			return false, func(d *draft, heading, v string) { d.sides[i].port, d.sides[i].portHeading = v, heading }
		case side + "_security":
			return false, func(d *draft, heading, v string) { d.sides[i].security, d.sides[i].securityHeading = v, heading }
		case side + "_email":
			return false, func(d *draft, _, v string) { d.sides[i].email = v }
		}
	}
	return false, func(d *draft, _, v string) { d.row.Fields[part] = v }
}

// fill makes fields of the cells of a row.
func (m *maker) fill(row *Row) {
	if m.table.isHeader(row.Cells) {
		row.Problems = append(row.Problems, Problem{Line: row.Line, Text: "the header once more", Hint: "take the line out"})
		return
	}
	d := &draft{maker: m, row: row}
	for i, c := range m.table.columns {
		if c.take == nil || i >= len(row.Cells) {
			continue
		}
		v := row.Cells[i]
		if !c.secret {
			if v = strings.Trim(v, " \t"); m.table.sheet {
				v = plain(v)
			}
		}
		if v == "" {
			continue
		}
		if len(v) > maxCell {
			d.problem(c.heading, "it is longer than "+itoa(maxCell>>10)+" KiB", "")
			continue
		}
		if !c.secret && strings.IndexFunc(v, unicode.IsControl) >= 0 {
			d.problem(c.heading, "a control character", "")
			continue
		}
		d.index = i
		c.take(d, c.heading, v)
	}
	if d.shifted {
		row.Cells, row.Fields, row.Secrets, row.Args = m.table.masked(row.Cells), make(map[string]string), nil, nil
		return
	}
	for i, side := range sideNames() {
		d.finish(side, &d.sides[i])
	}
	if len(row.Problems) == 0 && len(row.Fields) == 0 && row.ID == "" {
		d.problem("", "it names neither a user nor a server", "")
	}
}

func (d *draft) problem(heading, text, hint string) {
	d.row.Problems = append(d.row.Problems, Problem{Line: d.row.Line, Column: heading, Text: text, Hint: hint})
}

// secret keeps a password as it is. What may be a mistake in it is noted, without a word of it.
func (d *draft) secret(part, v string) {
	if d.row.Secrets == nil {
		d.row.Secrets = make(map[string]auth.Secret, 2)
	}
	d.row.Secrets[part] = auth.NewSecret(v)
	if strings.TrimSpace(v) != v {
		d.blanks.add(d.row.Line)
	}
	if strings.ContainsFunc(v, func(r rune) bool { return r >= 0x0300 && r <= 0x036f }) {
		d.marks.add(d.row.Line)
	}
}

// proxy is a URL that has no password: lists go round, and rows are shown.
func (d *draft) proxy(side, heading, v string) {
	if !hasPassword(v) {
		d.row.Fields[side+"_proxy"] = v
		return
	}
	d.problem(heading, "a password in a URL is refused", "put it into MAILMOVE_"+strings.ToUpper(side)+"_PROXY_PASSWORD in the environment")
	d.takeOut()
}

// userAndPassword takes Google's "user#password" apart. A user has no #, a password may.
func (d *draft) userAndPassword(heading, v string) {
	user, password, _ := strings.Cut(v, "#")
	if user = strings.Trim(user, " \t"); strings.IndexFunc(user, unicode.IsControl) >= 0 {
		d.problem(heading, "a control character", "")
		return
	}
	if user != "" {
		d.row.Fields["source_user"] = user
	}
	if password != "" {
		d.secret("source_password", password)
	}
}

// root is the folder of the source that Microsoft's lists begin at: /, or /INBOX/Mail.
func (d *draft) root(_, v string) {
	if v = strings.Trim(v, "/ \t"); v != "" {
		d.row.Fields["from"] = v
	}
}

// active: a job that somebody switched off is not moved silently.
func (d *draft) active(heading, v string) {
	if on, known := truth(v); known && !on {
		d.problem(heading, "the job is switched off", "write 1 there, or take the line out")
	}
}

// finish makes source and source_tls of host, port and security.
func (d *draft) finish(side string, s *draftSide) {
	row := d.row
	if s.email != "" && row.Fields[side+"_user"] == "" {
		row.Fields[side+"_user"] = s.email
	}
	if s.admin != "" {
		row.Fields[side+"_user"], row.Fields[side+"_authzid"] = s.admin, row.Fields[side+"_user"]
		if row.Fields[side+"_authzid"] == "" {
			delete(row.Fields, side+"_authzid")
			d.problem("", "an admin logs in, but whose mailbox is opened is not said", "give the row a user on the "+side)
		}
	}
	if row.Fields[side] == "" && s.host != "" {
		row.Fields[side] = s.host
	}
	if hasPassword(row.Fields[side]) {
		d.problem(s.urlHeading, "a password in a URL is refused", "give it the column "+side+"_password")
		delete(row.Fields, side)
		row.Cells = append([]string(nil), row.Cells...)
		row.Cells[s.urlIndex] = takenOut
		return
	}
	mode, bare, known := security(s.security)
	switch {
	case !known:
		d.problem(s.securityHeading, shortened(s.security)+" is no kind of security that is known here", "write implicit, starttls or none")
	case mode == "" && s.port == "143":
		mode = "starttls" // a bare host means TLS from the start, and nobody offers that on 143
	}
	if bare {
		d.clear.add(row.Line)
	}
	if mode != "" && row.Fields[side+"_tls"] == "" {
		row.Fields[side+"_tls"] = mode
	}
	d.port(side, s)
}

// port adds the port to the host.
func (d *draft) port(side string, s *draftSide) {
	if s.port == "" {
		return
	}
	n, err := strconv.ParseUint(s.port, 10, 16)
	if err != nil || n == 0 {
		d.problem(s.portHeading, shortened(s.port)+" is no port", "a port is a number from 1 to 65535")
		return
	}
	host := d.row.Fields[side]
	switch {
	case host == "":
		d.problem(s.portHeading, "a port without a host", "give the host in the list too")
	case hasPort(host) && !strings.HasSuffix(host, ":"+s.port):
		d.problem(s.portHeading, "the host has another port of its own", "give the port once")
	case hasPort(host):
	case strings.Count(host, ":") > 1 && !strings.Contains(host, "]") && !strings.Contains(host, "://"):
		d.row.Fields[side] = "[" + host + "]:" + itoa(int(n)) // an IPv6 address
	default:
		d.row.Fields[side] = host + ":" + itoa(int(n))
	}
}

// hasPort tells whether a URL or a host names a port.
func hasPort(s string) bool {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if _, after, ok := strings.Cut(s, "]"); ok {
		return strings.HasPrefix(after, ":")
	}
	return strings.Count(s, ":") == 1
}

// hasPassword tells whether something stands between a colon and the last @, as in imaps://user:password@host.
func hasPassword(s string) bool {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	at := strings.LastIndexByte(s, '@')
	return at >= 0 && strings.IndexByte(s[:at], ':') >= 0
}

// security reads what other tools call it. "TLS" alone is STARTTLS there, and "SSL" is TLS from the start. What only says
// "no SSL" still gets STARTTLS: clear text is what says so.
func security(v string) (mode string, bare, known bool) {
	switch normal(v) {
	case "":
		return "", false, true
	case "ssl", "ssltls", "tlsssl", "imaps", "implicit", "implicittls", "true", "yes", "on", "y", "1", "sslv3", "forcessl":
		return "implicit", false, true
	case "tls", "starttls", "false", "no", "off", "n", "0":
		return "starttls", false, true
	case "none", "plain", "clear", "cleartext", "unencrypted", "nossl", "notls":
		return "none", true, true
	}
	return "", false, false
}

// truth reads yes and no.
func truth(v string) (on, known bool) {
	switch normal(v) {
	case "1", "true", "yes", "on", "y":
		return true, true
	case "0", "false", "no", "off", "n":
		return false, true
	}
	return false, false
}

func itoa(n int) string { return strconv.Itoa(n) }
