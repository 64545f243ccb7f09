package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"mailmove/cmd/internal/notify"
	"mailmove/cmd/internal/ui"
	"mailmove/state/fleet"
)

// Times of notifications.
const (
	notifyTimeout = 30 * time.Second   // of one delivery
	notifyFlush   = 5 * time.Second    // how long the end of a run waits for what is left
	notifyCollect = 30 * time.Second   // how long accounts in trouble are waited for, to be told together
	notifyKeep    = 7 * 24 * time.Hour // how long it is tried
)

// notices is what a run tells, and to whom. Without --notify there is nobody.
type notices struct {
	to       []recipient
	on       kinds
	channels map[string]notify.Channel
	unsaved  []fleet.Note // of accounts, kept with their outcomes
	notifier *notify.Notifier
	soon     *time.Timer
	soonAt   time.Time // when it fires

	mu     sync.Mutex
	failed error // the latest delivery that did
}

// digestOf stands for what may be secret, as an address of a webhook is.
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// byDigest leads each message to the channel whose digest it names.
type byDigest map[string]notify.Channel

func (b byDigest) Deliver(ctx context.Context, m notify.Message) error {
	channel := b[m.Recipient]
	if channel == nil {
		return notify.ErrDown
	}
	return channel.Deliver(ctx, m)
}

// start begins to deliver what earlier runs left, and then what this one notes.
func (n *notices) start(ctx context.Context, r *listRun) {
	if len(n.to) == 0 || r.fleet == nil {
		return
	}
	n.warnOwners(r)
	lost, err := r.fleet.GiveUpNotes(context.WithoutCancel(ctx), time.Now().Add(-notifyKeep))
	if err == nil && lost > 0 {
		r.a.warn("%s given up after 7 days; table notes of fleet.db says why", countText(lost, "notification was", "notifications were"))
	}
	n.notifier = notify.Start(ctx, notify.Options{Store: &outbox{r.fleet, n.ways()}, Channels: n.channels, Timeout: notifyTimeout, Now: time.Now,
		Problem: func(err error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.failed = err
		}})
}

// ways are those that this run can tell by. Mail goes to everybody it was noted for.
func (n *notices) ways() (ways []fleet.Way) {
	for _, who := range n.to {
		way := fleet.Way{Channel: who.channel, Recipient: who.name}
		if who.channel == byMail {
			way.Recipient = ""
		}
		ways = append(ways, way)
	}
	return ways
}

func (n *notices) wake() {
	if n.notifier != nil {
		n.notifier.Wake()
	}
}

// wakeSoon waits for more of the kind. What comes meanwhile does not put off what came first: in a list of thousands an
// account ends every second, and nobody would be told anything before the last one.
func (n *notices) wakeSoon() {
	now := time.Now()
	if n.notifier == nil || now.Before(n.soonAt) {
		return
	}
	n.soonAt = now.Add(notifyCollect)
	n.soon = time.AfterFunc(notifyCollect, n.notifier.Wake)
}

// close ends the delivery within its time, and warns of what could not be told.
func (n *notices) close(r *listRun) {
	if n.notifier == nil {
		return
	}
	if n.soon != nil {
		n.soon.Stop()
	}
	err := n.notifier.Close(notifyFlush)
	n.notifier = nil
	if err == nil {
		err = n.failed
	}
	if err == nil || r.f.quiet {
		return
	}
	waiting, _, lost := r.fleet.NotesWaiting(context.Background())
	if lost != nil || waiting == 0 {
		return
	}
	r.a.warn("%s: %v; a later run tries again", countText(waiting, "notification is waiting", "notifications are waiting"), err)
}

// add makes a note for everybody who wants to hear of it. owners: the rows whose owners do too.
func (n *notices) add(kind, key, group string, event notify.Event, owners []*entry) (notes []fleet.Note) {
	if !n.on.want(kind) {
		return nil
	}
	put := func(who recipient, key string, event notify.Event) {
		body, err := json.Marshal(keptEvent{event, event.Language, event.Owner})
		if err == nil { // texts and numbers
			notes = append(notes, fleet.Note{Key: kind + "/" + key, Channel: who.channel, Recipient: who.name, Kind: kind, Name: group, Body: body, Created: event.Time})
		}
	}
	for _, who := range n.to {
		if who.channel != byMail || who.name != "" {
			if event.Mailbox == "" { // else it is for the owner alone
				put(who, key, event)
			}
			continue
		}
		for _, e := range owners {
			if owner := e.row.Fields[columnOwner]; isAddress(owner) {
				own := event
				own.Account, own.Owner, own.Language, own.Mailbox = toldName(e.account), true, e.row.Fields[columnLanguage], toldName(e.mailbox())
				put(recipient{byMail, owner}, key+"/"+e.account, own)
			}
		}
	}
	return notes
}

// toldName is a name of a list, where a cell may have 64 KiB: a note has less room.
func toldName(name string) string { return ui.Short(ui.Clean(name), 500) }

// warnOwners says of whom a run cannot tell anything, once and not for each event.
func (n *notices) warnOwners(r *listRun) {
	if r.f.quiet || !slices.Contains(n.to, recipient{channel: byMail}) {
		return
	}
	wrong, first := int64(0), 0
	for _, e := range r.entries {
		if owner := e.row.Fields[columnOwner]; e.chosen && owner != "" && !isAddress(owner) {
			if wrong++; wrong == 1 {
				first = e.row.Line
			}
		}
	}
	if wrong > 0 {
		r.a.warn("%s:%d: %s: write alice@example.org", r.list.Name, first,
			countText(wrong, "owner is no mail address, and is told nothing", "owners are no mail addresses, this one and others below, and are told nothing"))
	}
}

// keptEvent is an event as the fleet file has it.
type keptEvent struct {
	notify.Event
	Language string `json:"language"`
	Owner    bool   `json:"owner"`
}

// mailbox is the user on the target as far as the row says it.
func (e *entry) mailbox() string {
	return orElse(e.row.Fields["target_authzid"], orElse(e.row.Fields["target_user"], e.account))
}

// account notes what is to be told of an account whose pass has ended.
func (n *notices) account(e *entry, before, now fleet.Outcome) {
	if len(n.to) == 0 {
		return
	}
	at := strconv.FormatInt(now.Last.UnixMilli(), 10)
	event := notify.Event{Time: now.Last, Account: toldName(e.account)}
	if o := e.outcome; o.isNew && (o.word == wordFailed || o.code == exitBusy) {
		event.Text, event.Next = ui.Short(ui.Clean(o.text), 500), ui.Short(ui.Clean(o.next), 500)
		n.unsaved = append(n.unsaved, n.add(notify.Trouble, e.account+"/"+at, e.group, event, nil)...)
	}
	own := notify.Event{Time: now.Last, Mailbox: e.mailbox()}
	if before.Good.IsZero() && !now.Good.IsZero() {
		n.unsaved = append(n.unsaved, n.add(notify.Copied, "owner/"+at, e.group, own, []*entry{e})...)
	}
	if !before.Final && now.Final {
		n.unsaved = append(n.unsaved, n.add(notify.Final, "owner/"+at, e.group, own, []*entry{e})...)
	}
}

// group makes the notes of a group that came to a state. The owners hear of it where no pass of theirs has told them.
func (n *notices) group(kind string, g fleet.Group, entries []*entry, accounts int, now time.Time, text string) []fleet.Note {
	if kind == "" || len(n.to) == 0 {
		return nil
	}
	var owners []*entry
	if kind == notify.Begun || kind == notify.Switched || kind == notify.Closed {
		for _, e := range entries {
			if e.group == g.Name {
				owners = append(owners, e)
			}
		}
	}
	event := notify.Event{Time: now, Accounts: accounts, Text: ui.Clean(text)}
	return n.add(kind, fmt.Sprintf("%s/%d", g.Name, g.Since.UnixMilli()), ui.Clean(g.Name), event, owners)
}

// ready makes the notes of a group for whose final pass all is ready. The key holds since when it is copied: they are kept
// once, however often this is found out.
func (n *notices) ready(g fleet.Group, members []member, now time.Time) []fleet.Note {
	if !isReady(g.State, members) {
		return nil
	}
	event := notify.Event{Time: now, Accounts: len(members)}
	return n.add(notify.Ready, fmt.Sprintf("%s/%d", g.Name, g.Since.UnixMilli()), ui.Clean(g.Name), event, nil)
}

// outbox is the fleet file as the notifier sees it.
type outbox struct {
	fleet *fleet.Fleet
	ways  []fleet.Way
}

func (o *outbox) Claim(ctx context.Context, now time.Time) (b notify.Batch, found bool, next time.Time, err error) {
	notes, next, err := o.fleet.ClaimNotes(ctx, o.ways, now, 2*notifyTimeout)
	if err != nil || len(notes) == 0 {
		return b, false, next, err
	}
	first := notes[0]
	b = notify.Batch{Channel: first.Channel, Tries: first.Tries, Notes: notes, Message: notify.Message{
		ID: "mailmove-" + digestOf(first.Batch+"\x00"+first.Channel+"\x00"+first.Recipient), Kind: first.Kind, Group: first.Name, Recipient: first.Recipient}}
	for _, note := range notes {
		var k keptEvent
		if err := json.Unmarshal(note.Body, &k); err != nil { // one that is damaged must not keep the others back for a week
			k = keptEvent{Event: notify.Event{Time: note.Created, Text: "what was noted of this cannot be read"}}
		}
		k.Event.Language, k.Event.Owner = k.Language, k.Owner
		b.Events = append(b.Events, k.Event)
	}
	return b, true, next, nil
}

func (o *outbox) Sent(ctx context.Context, b notify.Batch, _ time.Time) error {
	return o.fleet.NotesSent(ctx, o.notes(b))
}

func (o *outbox) Later(ctx context.Context, b notify.Batch, due time.Time, why string, all bool) error {
	var down fleet.Way
	if all { // one server takes all the mail; each webhook is a server of its own
		down.Channel = b.Channel
		if b.Channel != byMail {
			down.Recipient = b.Recipient
		}
	}
	return o.fleet.NotesLater(ctx, o.notes(b), due, why, down)
}

func (*outbox) notes(b notify.Batch) []fleet.Note {
	notes, _ := b.Notes.([]fleet.Note) // Claim put them there
	return notes
}
