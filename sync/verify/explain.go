package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailmove/state"
	mailsync "mailmove/sync"
)

// finding is one thing in which the two messages of a couple differ.
type finding struct {
	word   Word
	detail string
}

// differ says how the two messages of a couple differ. There is one word for a message: the worst.
func (c *comparison) differ(k couple, doubts map[int]doubt) (Difference, bool) {
	s, t := &c.src[k.a], &c.dst[k.b]
	var found []finding
	if k.doubt {
		if f := c.bytesDiffer(doubts[k.a], s, t); f.word != "" {
			found = append(found, f)
		}
	}
	if !s.failed && !t.failed {
		found = append(found, c.datesDiffer(s, t)...)
		found = append(found, c.flagsDiffer(s, t)...)
	}
	if len(found) == 0 {
		return Difference{}, false
	}
	d := c.difference(s, t)
	order := Words()
	var details []string
	for _, f := range found {
		if d.Word == "" || slices.Index(order, f.word) > slices.Index(order, d.Word) {
			d.Word = f.word
		}
		details = append(details, f.detail)
	}
	d.Detail = strings.Join(details, "; ")
	return d, true
}

// difference names the message; either side may be nil.
func (c *comparison) difference(s, t *rec) Difference {
	d := Difference{Target: c.name(), Messages: 1}
	if s != nil {
		d.Source, d.SourceUID = c.group[s.from].Source.Name, s.uid
	} else if len(c.group) == 1 {
		d.Source = c.group[0].Source.Name
	}
	if t != nil {
		d.TargetUID = t.uid
	}
	return d
}

func (c *comparison) bytesDiffer(d doubt, s, t *rec) finding {
	if d == sameAltered {
		d = different
		if e, known := c.altered(s); known {
			return finding{KnownException, e.Reason + ": " + e.Detail}
		}
	}
	switch d {
	case sameInForm:
		return finding{ByServer, "the bytes differ in line ends or NUL only"}
	case different:
		if s.fp != t.fp {
			return finding{Altered, "the header differs from the one that was carried"}
		}
		return finding{Altered, fmt.Sprintf("the bytes differ (%d on the source, %d on the target)", s.size, t.size)}
	case notOnSource:
		return finding{Altered, "the source lists it and does not give its bytes"}
	case notOnTarget:
		return finding{Altered, "the target lists it and does not give its bytes"}
	case vanished:
		return finding{ByUser, "it vanished while this was read"}
	}
	return finding{}
}

// altered is the exception of a message that passes carried in another form, because the target refused it as it is.
func (c *comparison) altered(s *rec) (state.Exception, bool) {
	return c.except(c.group[s.from], s.uid, func(reason string) bool { return reason == mailsync.ReasonAltered })
}

// datesDiffer compares INTERNALDATE. Where the source has none to believe, the message was carried with another one.
func (c *comparison) datesDiffer(s, t *rec) []finding {
	if s.date == t.date || s.date == 0 {
		return nil
	}
	detail := "dated " + dateText(s.date) + " on the source, " + dateText(t.date) + " on the target"
	if e, known := c.except(c.group[s.from], s.uid, func(reason string) bool { return reason == mailsync.ReasonDate }); known {
		return []finding{{KnownException, e.Reason + ": " + detail}}
	}
	return []finding{{Altered, detail}}
}

func dateText(unix int64) string {
	if unix == 0 {
		return "not to be believed"
	}
	return time.Unix(unix, 0).UTC().Format(time.RFC3339)
}

// flagsDiffer compares flags three ways: with the ledger it is known which side changed. Flags are compared without
// regard to case (RFC 9051 section 2.3.2).
func (c *comparison) flagsDiffer(s, t *rec) (out []finding) {
	if s.flags == t.flags {
		return nil
	}
	_, droppedKeyword := c.altered(s)
	here, there, lacking := flagSet(s.flags), flagSet(t.flags), c.lacking(s)
	e := c.ledger.of(s)
	var carried map[string]string
	if e != nil {
		carried = flagSet(e.flags)
	}
	for _, f := range slices.Sorted(maps.Keys(here)) {
		switch _, both := there[f]; {
		case both:
		case droppedKeyword && !strings.HasPrefix(f, `\`):
			out = append(out, finding{KnownException, mailsync.ReasonAltered + ": carried without " + here[f]})
		case lacking[f] != "":
			out = append(out, finding{KnownException, "flag: the target folder does not keep " + here[f]})
		default:
			out = append(out, finding{flagWord(e != nil, carried[f] != ""), here[f] + " on the source only"})
		}
	}
	for _, f := range slices.Sorted(maps.Keys(there)) {
		if _, both := here[f]; !both {
			out = append(out, finding{flagWord(e != nil, carried[f] == ""), there[f] + " on the target only"})
		}
	}
	return out
}

// flagWord is for a flag that one side has. kept: the source's is as it was when it was carried.
func flagWord(known, kept bool) Word {
	switch {
	case !known:
		return Altered
	case kept:
		return Changed
	}
	return ArrivedSince // on the source, since the last pass
}

// lacking are the flags that the target folder does not keep, as passes have found.
func (c *comparison) lacking(s *rec) map[string]string {
	p := c.group[s.from]
	if p.Stored == nil || len(c.unkept[p.Stored.ID]) == 0 {
		return nil
	}
	return flagSet(strings.Join(c.unkept[p.Stored.ID], " "))
}

// flagSet gives flags by their name in lower case.
func flagSet(text string) map[string]string {
	out := make(map[string]string)
	for f := range strings.FieldsSeq(text) {
		out[strings.ToLower(f)] = f
	}
	return out
}

// leftOnSource finds words for messages of the source that have no partner in their folder.
func (c *comparison) leftOnSource() {
	for i := range c.src {
		s := &c.src[i]
		if s.mated {
			continue
		}
		word, detail, carried := c.absent(s)
		d := c.difference(s, nil)
		if carried && c.merged(s) {
			d.Word, d.Detail = KnownException, "the target keeps one of messages that are the same (Gmail), and has that one"
			c.diffs = append(c.diffs, d)
			continue
		}
		if carried {
			c.lost = append(c.lost, lost{rec: *s, raw: c.raw(), diff: d})
			continue
		}
		d.Word, d.Detail = word, detail
		c.diffs = append(c.diffs, d)
	}
}

// merged reports that the target gave one UID to several messages of the source, and has that message.
func (c *comparison) merged(s *rec) bool {
	uid := c.ledger.carriedAs(s)
	if uid == 0 || !slices.ContainsFunc(c.dst, func(t rec) bool { return t.uid == uid && t.mated }) {
		return false
	}
	for i := range c.src {
		if o := &c.src[i]; o.mated && c.ledger.carriedAs(o) == uid {
			return true
		}
	}
	return false
}

// absent says why a message of the source is not in its target folder. carried: it was once, and is looked for in the
// other folders before it gets its word.
func (c *comparison) absent(s *rec) (word Word, detail string, carried bool) {
	p := c.group[s.from]
	if e, is := c.except(p, s.uid, mailsync.NotCarried); is {
		return KnownException, strings.TrimSuffix(e.Reason+": "+e.Detail, ": "), false
	}
	if detail, is := c.folderException(p); is && c.target() == nil {
		return KnownException, detail, false
	}
	switch {
	case s.failed:
		return Missing, "the source lists it and does not give it", false
	case c.State == nil:
		return Missing, "", false
	case p.Stored == nil && s.date >= c.lastPass:
		return ArrivedSince, "in a folder that no pass has carried", false
	case p.Stored == nil:
		return Missing, "in a folder that no pass has carried", false
	case !c.ledger.known[s.from]:
		return Missing, "the source gave its messages new UIDs since the last pass; a pass sorts that out", false
	}
	e, next := c.ledger.of(s), p.Stored.SourceMark.UIDNext
	switch {
	case e == nil && next != 0 && s.uid >= next:
		return ArrivedSince, "on the source, after the last pass", false
	case e == nil:
		return Missing, "no pass has carried it", false
	case e.status == state.Refused:
		return KnownException, e.status.String(), false
	case e.status == state.Deferred && c.everything(p.Source):
		return KnownException, "in another folder on the source too, and carried there (Gmail's labels)", false
	case e.status == state.Deferred:
		return Missing, "a filter left it out; a pass without the filter carries it", false
	}
	return "", "", true
}

// leftOnTarget finds words for messages of the target that have no partner in their folder.
func (c *comparison) leftOnTarget() {
	twins := make(map[likeness]int) // those that have a partner: their place on the source, or -1
	held := c.held()
	twin := tiers()[5] // fingerprint and size
	for i := range c.dst {
		if l, ok := twin(&c.dst[i]); ok && c.dst[i].mated {
			twins[l] = -1
		}
	}
	for i := range c.src {
		if l, ok := twin(&c.src[i]); ok && c.src[i].mated {
			twins[l] = i
		}
	}
	for i := range c.dst {
		t := &c.dst[i]
		if t.mated {
			continue
		}
		d := c.difference(nil, t)
		l, named := twin(t)
		of, double := twins[l]
		switch {
		case t.failed && !c.ledger.carried[t.uid]:
			d.Word, d.Detail = Extra, "the target lists it and does not give it"
		case c.ledger.carried[t.uid] && !held[t.uid]:
			d.Word, d.Detail = ByUser, "it was carried, and is not in its folder on the source any more"
		case named && double && of >= 0 && c.lateDouble(&c.src[of]):
			d.Word, d.Detail = KnownException, mailsync.ReasonLateDouble
		case named && double:
			d.Word, d.Detail = Extra, "there twice: another message of this folder is the same"
		case c.State == nil:
			d.Word = Extra
		default:
			c.strays = append(c.strays, stray{rec: *t, raw: c.raw(), diff: d})
			continue
		}
		c.diffs = append(c.diffs, d)
	}
}

// held are the UIDs of the target whose message the ledger knows and the source still has in its folder.
func (c *comparison) held() map[uint32]bool {
	out := make(map[uint32]bool)
	for i := range c.src {
		if e := c.ledger.of(&c.src[i]); e != nil && e.target != 0 {
			out[e.target] = true
		}
	}
	return out
}

// lateDouble reports that passes know of a second copy that they could not remove.
func (c *comparison) lateDouble(s *rec) bool {
	_, known := c.except(c.group[s.from], s.uid, func(reason string) bool { return reason == mailsync.ReasonLateDouble })
	return known
}
