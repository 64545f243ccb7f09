package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// DefaultFinalPasses bounds a final pass where nothing else is said.
const DefaultFinalPasses = 5

// ErrChanging: each pass of a final one found something new on the source. What came is carried; a tail will carry what
// comes after it.
var ErrChanging = errors.New("the source is still changing")

// ErrNotEqual: the final passes came to their end, and the two sides differ by more than is explained.
var ErrNotEqual = errors.New("source and target are not equal")

// FinalOptions are what a final pass is, beside its passes.
type FinalOptions struct {
	Passes int // at most; 0: DefaultFinalPasses
	// Verify compares both sides once nothing new was found, and gives what nothing explains. It is called with the state
	// open and no connection of a pass. nil: Counts.
	Verify func(ctx context.Context) (Unexplained, error)
}

// Unexplained is what a comparison found that nothing explains.
type Unexplained struct {
	Differences int64
	Why         string // the first of them, "" where it is not known
}

// FinalReport is what a final pass came to.
type FinalReport struct {
	Report          // of the last pass; NewExceptions of all
	Passes      int // that were made
	Unexplained     // by the comparison
}

// Final makes passes until one finds nothing new on the source, then compares both sides. A clean end is noted in the
// state: from then on an ordinary pass carries new mail only. Errors are those of Run, ErrChanging and ErrNotEqual.
func Final(ctx context.Context, o Options, f FinalOptions) (FinalReport, error) {
	var out FinalReport
	if o.DryRun || o.Filter.active() {
		return out, errors.New("a final pass carries everything: no dry run, no filter")
	}
	o.Mode = Whole
	if f.Passes == 0 {
		f.Passes = DefaultFinalPasses
	}
	var floors []state.Floor // as the first pass saw the target
	for {
		r, err := run(ctx, o, func(p *pass) {
			p.onTarget = func(l imapx.Listing) {
				if floors == nil {
					floors = floorsOf(l)
				}
			}
		})
		before := out.NewExceptions
		out.Report, out.Passes = r, out.Passes+1
		out.NewExceptions += before
		if err != nil {
			return out, err
		}
		if !foundNew(r) {
			break
		}
		if out.Passes >= f.Passes {
			return out, ErrChanging
		}
	}
	if err := out.compare(ctx, o, f); err != nil {
		return out, err
	}
	return out, o.State.SetFinal(ctx, time.Now(), floors)
}

// foundNew reports that the source had something that the target lacked.
func foundNew(r Report) bool {
	return r.Copied+r.Flags+r.Followed+r.Matched+r.FoldersCreated+r.NewExceptions > 0
}

func floorsOf(l imapx.Listing) []state.Floor {
	floors := make([]state.Floor, 0, len(l.Folders))
	for _, f := range l.Folders {
		if f.Selectable && f.Mark != nil {
			floors = append(floors, state.Floor{Folder: f.Raw, Mark: stateMark(*f.Mark)})
		}
	}
	return floors
}

// compare is the end of a final pass.
func (r *FinalReport) compare(ctx context.Context, o Options, f FinalOptions) error {
	list, err := o.State.AccountExceptions(ctx, reasonGone)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.Accepted {
			r.Unexplained = Unexplained{1, e.Detail}
			return ErrNotEqual
		}
	}
	verify := f.Verify
	if verify == nil {
		verify = func(ctx context.Context) (u Unexplained, err error) {
			list, err := Counts(ctx, o)
			if len(list) > 0 {
				u = Unexplained{int64(len(list)), list[0].String()}
			}
			return u, err
		}
	}
	if r.Unexplained, err = verify(ctx); err != nil {
		return err
	}
	if r.Differences > 0 {
		return ErrNotEqual
	}
	return nil
}

// Difference is a folder whose numbers do not agree.
type Difference struct {
	Side   string // "source": messages there that no pass has seen; "target": fewer there than were stored
	Folder string // decoded, of that side
	Has    int64  // messages in the folder
	Known  int64  // messages that the ledger has of it
}

func (d Difference) String() string {
	if d.Side == "source" {
		return fmt.Sprintf("%s has %d messages on the source, of which %d are carried or told as exceptions", d.Folder, d.Has, d.Known)
	}
	return fmt.Sprintf("%s has %d messages on the target, and %d were stored there", d.Folder, d.Has, d.Known)
}

// Counts compares what both servers list now with the ledger: on the source each message is carried or explained, on the
// target are at least as many as were stored. It costs a listing of each side and reads no message.
func Counts(ctx context.Context, o Options) ([]Difference, error) {
	o.DryRun, o.Events = true, nil
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
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	if err := a.list(ctx); err != nil {
		return nil, err
	}
	return a.differences(ctx)
}

func (a *attempt) differences(ctx context.Context) (out []Difference, err error) {
	stored, err := a.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	there := make(map[string]int64) // on the target, by raw name
	for _, fp := range mapFolders(a.source, a.target, stored, a.rules).pairs {
		var of map[state.Status]int64
		if fp.stored != nil {
			if of, err = a.State.CountByStatus(ctx, fp.stored.ID); err != nil {
				return nil, err
			}
		}
		there[fp.raw] += of[state.Stored]
		d := Difference{Side: "source", Folder: fp.source.Name, Has: int64(messages(fp.source))}
		for s, n := range of {
			if s != state.SourceGone {
				d.Known += n
			}
		}
		if fp.source.Mark == nil || d.Has > d.Known {
			out = append(out, d)
		}
	}
	for i := range a.target.Folders {
		f := &a.target.Folders[i]
		if d := (Difference{"target", f.Name, int64(messages(f)), there[f.Raw]}); f.Mark != nil && d.Has < d.Known {
			out = append(out, d)
		}
		delete(there, f.Raw)
	}
	for raw, n := range there {
		if n > 0 {
			out = append(out, Difference{"target", raw, 0, n})
		}
	}
	return out, nil
}
