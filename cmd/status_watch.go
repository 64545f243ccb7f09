package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mailmove/cmd/internal/ui"
)

// watchEvery is the value of a --watch that has none.
const watchEvery = "2s"

// What a watch tells the terminal: the second screen keeps what stood on the first (xterm's private mode 1049), and each
// picture is drawn over the one before, so that nothing flickers.
const (
	watchBegin = "\x1b[?1049h\x1b[?25l"
	watchEnd   = "\x1b[?25h\x1b[?1049l"
	watchHome  = "\x1b[H"
	lineEnd    = "\x1b[K\r\n"
	restEmpty  = "\x1b[J"
)

// watchArguments takes the time of "--watch 10s" too: a flag that may stand alone leaves the word behind it as an argument.
func (f *statusFlags) watchArguments(c *cobra.Command, args []string) error {
	if len(args) == 1 && c.Flags().Changed("watch") && f.watch.String() == watchEvery {
		if err := f.watch.Set(args[0]); err != nil {
			return usagef("see mailmove status --help", "--watch %s: %v", shown(args[0]), err)
		}
		return nil
	}
	return noArguments(c, args)
}

// checkWatch refuses what cannot be shown again and again.
func (f *statusFlags) checkWatch(a *app) error {
	switch {
	case f.watch == 0:
		return nil
	case f.json:
		return usagef("give one of them", "both --watch and --json")
	case f.list.file == "-":
		return usagef("give a file", "--watch with --accounts -: standard input can be read once")
	case a.terminal() == nil:
		return usagef("leave out --watch, or run it in a terminal", "--watch, and standard output is no terminal")
	}
	return nil
}

// terminal is where output goes if that is a terminal on which lines can be drawn again, else nil.
func (a *app) terminal() *os.File {
	out, is := a.out.(*output)
	if !is {
		return nil
	}
	file, is := out.to.(*os.File)
	if !is || !isTerminal(file) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return file
}

// watched shows the status again and again until Ctrl-C, which is how it is meant to end.
func (f *statusFlags) watched(ctx context.Context, a *app, dir string) (err error) {
	first, err := f.picture(ctx, a, dir)
	if err != nil && first == "" { // nothing can be shown: what was asked for is wrong
		return err
	}
	if _, err := io.WriteString(a.out, watchBegin); err != nil {
		return err
	}
	defer func() {
		_, e := io.WriteString(a.out, watchEnd)
		err = errors.Join(err, e)
	}()
	tick := time.NewTimer(0)
	defer tick.Stop()
	for text := first; ; {
		if _, err := io.WriteString(a.out, f.frame(text, time.Now(), a.terminal())); err != nil {
			return err
		}
		tick.Reset(time.Duration(f.watch)) // from the end of a picture: of many accounts it takes a while
		select {
		case <-tick.C:
		case <-ctx.Done():
			return watchEnded(ctx, a)
		}
		text, _ = f.picture(ctx, a, dir) // its errors are in it
		if ctx.Err() != nil {
			return watchEnded(ctx, a)
		}
	}
}

// watchEnded: who ends a watch by Ctrl-C has seen all; any other signal ends it as it ends everything.
func watchEnded(ctx context.Context, a *app) error {
	if a.stops.signal() == syscall.SIGINT {
		return nil
	}
	return context.Cause(ctx)
}

// picture is the status as text, with what went wrong below it.
func (f *statusFlags) picture(ctx context.Context, a *app, dir string) (string, error) {
	var out, notes bytes.Buffer
	one := *a
	one.out, one.err, one.colour = &out, &notes, false
	err := f.run(ctx, &one, dir)
	if err != nil && out.Len() > 0 || f.shown {
		one.tellError(err)
	}
	if err == nil || out.Len() > 0 {
		f.shown = true
	}
	return out.String() + notes.String(), err
}

// frame is a picture cut to the window of a terminal: its first lines, and how many more there are.
func (f *statusFlags) frame(text string, now time.Time, window *os.File) string {
	width, height := 80, 24
	if w, h, err := term.GetSize(int(window.Fd())); err == nil && w > 0 && h > 0 {
		width, height = w, h
	}
	return watchHome + framed(text, fmt.Sprintf("%s, every %s; Ctrl-C ends", now.Format("15:04:05"), f.watch.String()), width, height)
}

// framed cuts a text to so many columns and lines. The last line of a window stays empty: writing to its end would
// scroll.
func framed(text, title string, width, height int) string {
	lines := append([]string{title, ""}, strings.Split(strings.TrimRight(text, "\n"), "\n")...)
	if room := max(height-1, 3); len(lines) > room {
		left := len(lines) - room + 1
		lines = append(lines[:room-1], fmt.Sprintf("lines left out: %s; a higher window, --group or --only shows them", ui.Count(int64(left))))
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(ui.Short(line, width-1) + lineEnd)
	}
	return b.String() + restEmpty
}
