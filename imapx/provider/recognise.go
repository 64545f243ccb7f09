package provider

import (
	"slices"
	"strings"
)

// sign is something that tells a server. Empty fields do not count; all others must fit.
type sign struct {
	host       string // the host is this, or below it
	id         string // ID's name or vendor begins with it
	greeting   string // the greeting has it
	capability string // is offered
}

// Recognise gives the row of a server, the zero Row for one that no row fits. Where several fit, the more telling thing
// decides: the host that was dialled, then ID, then a capability of its own making, then the greeting. The text of a
// greeting is the admin's to set, and a proxy's greeting is not the server's.
func Recognise(s Seen) Row {
	rows := Rows()
	for _, telling := range []func(sign) bool{
		func(g sign) bool { return g.host != "" },
		func(g sign) bool { return g.id != "" },
		func(g sign) bool { return g.capability != "" },
		func(g sign) bool { return g.greeting != "" },
	} {
		for _, r := range rows {
			if slices.ContainsFunc(r.seen, func(g sign) bool { return telling(g) && g.fits(s) }) {
				return r
			}
		}
	}
	return Row{}
}

func (g sign) fits(s Seen) bool {
	host := strings.TrimSuffix(strings.ToLower(s.Host), ".")
	fold := func(text, part string, fits func(string, string) bool) bool { return fits(strings.ToLower(text), part) }
	switch {
	case g.host != "" && host != g.host && !strings.HasSuffix(host, "."+g.host):
	case g.id != "" && !fold(s.ID["name"], g.id, strings.HasPrefix) && !fold(s.ID["vendor"], g.id, strings.HasPrefix):
	case g.greeting != "" && !fold(s.Greeting, g.greeting, strings.Contains):
	case g.capability != "" && !slices.ContainsFunc(s.Capabilities, func(c string) bool { return strings.EqualFold(c, g.capability) }):
	default:
		return true
	}
	return false
}
