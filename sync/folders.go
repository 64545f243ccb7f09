package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailmove/imapx"
)

// FolderPlan is a source folder in a preview: where it would go, or why it stays.
type FolderPlan struct {
	Source   string // decoded names
	Target   string // "" where it is left out
	Messages int64  // on the source; -1: the server did not say
	Bytes    int64  // on the source; -1: the server did not say
	Why      string // one of the words in docs/folders.md
	Exists   bool   // the target has that folder
	Trouble  string // what an admin should look at, "" for nothing
	LeftOut  string // why it is not carried, "" where it is
}

// sizer is a source that can tell how large folders are.
type sizer interface {
	Sizes(ctx context.Context, folders []string) (map[string]int64, error)
}

// Preview tells where each source folder would go in a pass with these options. It connects to both sides and reads
// their lists and the state; it writes nothing. Of Options.Events only notices are sent. The error is as Run's.
func Preview(ctx context.Context, o Options) ([]FolderPlan, error) {
	events := o.Events
	o.DryRun, o.Events = true, func(e Event) {
		if _, is := e.(Notice); is && events != nil {
			events(e)
		}
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	p, err := newPass(ctx, o)
	if err != nil {
		return nil, err
	}
	defer p.stopIntake()
	a := newAttempt(p)
	a.intake, a.halt = context.WithCancel(p.intake)
	defer a.halt()
	defer a.close()
	within, cancel := both(ctx, p.intake)
	defer cancel()
	plans, err := a.folders(within)
	if err != nil && p.stopped() && ctx.Err() == nil {
		return nil, ErrInterrupted
	}
	return plans, err
}

func (a *attempt) folders(ctx context.Context) ([]FolderPlan, error) {
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	if err := a.list(ctx); err != nil {
		return nil, err
	}
	stored, err := a.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	if stored, err = a.everMade(ctx, stored); err != nil {
		return nil, err
	}
	m := mapFolders(a.source, a.target, stored, a.rules)
	if m.err != nil {
		return nil, m.err
	}
	a.tellIdle(m.idle)
	sizes := make(map[string]int64)
	if s, ok := bare(a.lanes[0].src).(sizer); ok {
		var ask []string
		for _, f := range a.source.Folders {
			if f.Selectable {
				ask = append(ask, f.Raw)
			}
		}
		if sizes, err = s.Sizes(ctx, ask); err != nil {
			return nil, err
		}
	}
	return planned(m, sizes), nil
}

// planned makes the preview of a mapping, in the order of the source's names.
func planned(m mapped, sizes map[string]int64) []FolderPlan {
	out := make([]FolderPlan, 0, len(m.pairs)+len(m.out))
	plan := func(f *imapx.Folder) FolderPlan {
		p := FolderPlan{Source: f.Name, Messages: -1, Bytes: -1}
		if f.Mark != nil {
			p.Messages = int64(f.Mark.Messages)
		}
		if n, ok := sizes[inboxKey(f.Raw)]; ok {
			p.Bytes = n
		}
		return p
	}
	for _, fp := range m.pairs {
		p := plan(fp.source)
		p.Target, p.Why, p.Trouble, p.Exists = fp.name, fp.why, fp.trouble, fp.target != nil
		out = append(out, p)
	}
	for _, o := range m.out {
		p := plan(o.folder)
		p.LeftOut = o.why
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b FolderPlan) int { return strings.Compare(a.Source, b.Source) })
	return out
}

// tellMapping says once a pass what is left out, what does not go where its name says, and which rules changed nothing.
func (a *attempt) tellMapping(m mapped) {
	a.count(func(r *Report) { r.FoldersLeftOut = int64(len(m.out)) })
	if a.planned {
		return
	}
	a.tellIdle(m.idle)
	var trouble []string
	for _, p := range m.pairs {
		switch {
		case p.trouble == "":
		case p.stored != nil:
			trouble = append(trouble, p.source.Name+" "+p.trouble)
		default:
			trouble = append(trouble, p.source.Name+" goes to "+p.name+": "+p.trouble)
		}
	}
	for _, text := range trouble[:min(len(trouble), mostTold)] {
		a.notice(text)
	}
	if more := len(trouble) - mostTold; more > 0 {
		a.notice("and " + counted(more, "more folder whose name is", "more folders whose names are") + " trouble: mailmove folders lists them")
	}
	names := make(map[string][]string)
	var order []string
	for _, o := range m.out {
		if names[o.why] == nil {
			order = append(order, o.why)
		}
		names[o.why] = append(names[o.why], o.folder.Name)
	}
	for _, why := range order {
		a.notice("left out: " + someOf(names[why]) + ": " + why)
	}
}

// someOf lists names in a line.
func someOf(names []string) string {
	const most = 10
	text := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
