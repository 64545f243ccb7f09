//go:build bench

package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// figure is one run of one peer, as it is kept: a line of JSON in .cache/bench/figures.jsonl.
type figure struct {
	cost
	When     time.Time `json:"when"`
	Run      string    `json:"run"` // figures of one call of make bench have the same
	Line     string    `json:"line"`
	Peer     string    `json:"peer"`
	Version  string    `json:"version"`
	Round    int       `json:"round"`
	Messages int       `json:"messages"`
	Bytes    int64     `json:"bytes"`
	State    int64     `json:"state"`   // bytes of mailmove's state afterwards
	Verdict  string    `json:"verdict"` // of the referee; "" where it was not asked
	Trouble  string    `json:"trouble"` // why there is no figure
	OnDisk   bool      `json:"on_disk"` // the mail lay on the disk
}

func (s settings) figuresFile() string { return filepath.Join(s.cache, "figures.jsonl") }

// save appends one figure at once: what was measured stays, whatever happens next.
func (s settings) save(f figure) error {
	file, err := os.OpenFile(s.figuresFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	b, err := json.Marshal(f)
	if err == nil {
		_, err = file.Write(append(b, '\n'))
	}
	return errors.Join(err, file.Close())
}

// load gives the latest figures: for each line and peer those of the newest run that has any.
func (s settings) load() (figs []figure, err error) {
	file, err := os.Open(s.figuresFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	newest := map[[2]string]string{}
	for sc := bufio.NewScanner(file); sc.Scan(); {
		var f figure
		if err := json.Unmarshal(sc.Bytes(), &f); err != nil {
			return nil, fmt.Errorf("%s: %w", s.figuresFile(), err)
		}
		newest[[2]string{f.Line, f.Peer}] = f.Run
		figs = append(figs, f)
	}
	return slices.DeleteFunc(figs, func(f figure) bool { return newest[[2]string{f.Line, f.Peer}] != f.Run }), nil
}

// stateSize is what mailmove's state takes on disk, in bytes.
func stateSize(dir string) (n int64) {
	found, _ := filepath.Glob(filepath.Join(dir, "state", "bench.db*"))
	for _, path := range found {
		if st, err := os.Stat(path); err == nil && !strings.HasSuffix(path, ".lock") {
			n += st.Size()
		}
	}
	return n
}

// median of what f gives for these figures; false without any.
func median(figs []figure, f func(figure) float64) (float64, bool) {
	var v []float64
	for _, x := range figs {
		if x.Trouble == "" {
			v = append(v, f(x))
		}
	}
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid], true
	}
	return (v[mid-1] + v[mid]) / 2, true
}

func wall(f figure) float64 { return f.Wall }
func cpu(f figure) float64  { return f.User + f.Sys }
func rss(f figure) float64  { return float64(f.RSS) }
