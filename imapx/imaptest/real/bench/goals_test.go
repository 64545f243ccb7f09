//go:build bench

package bench

import (
	"fmt"
	"strings"
)

// verdictOf is a row of the table of goals.
type verdictOf struct {
	what         string
	have, most   float64 // have is 0 where it was not measured
	unit, remark string
}

// goals compares what was measured with what it should be.
func (r report) goals(b *strings.Builder) {
	var rows []verdictOf
	for _, l := range lines() {
		rows = append(rows, r.lineGoals(l)...)
	}
	rows = append(rows, r.derivedGoals()...)
	b.WriteString("## What was to be reached\n\n| what | measured | at most | reached |\n| --- | --- | --- | --- |\n")
	var short []string
	for _, v := range rows {
		have, reached := fmt.Sprintf("%s %s", number(v.have), v.unit), "yes"
		switch {
		case v.have == 0:
			have, reached = "–", "not measured"
		case v.have > v.most:
			reached = fmt.Sprintf("no: %.2f times", v.have/v.most)
			short = append(short, fmt.Sprintf("- %s: %s %s instead of %s%s", v.what, number(v.have), v.unit, number(v.most), v.remark))
		}
		fmt.Fprintf(b, "| %s | %s%s | %s %s | %s |\n", v.what, strings.TrimSpace(have), v.remark, number(v.most), v.unit, reached)
	}
	fmt.Fprintf(b, "| flags of 200,000 messages on a Courier | by hand, below | 5 s | no |\n\n")
	b.WriteString("## What fell short\n\n")
	if len(short) == 0 {
		b.WriteString("Nothing of what was measured.\n\n")
		return
	}
	b.WriteString(strings.Join(short, "\n") + "\n\n")
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
}

func (r report) lineGoals(l line) (rows []verdictOf) {
	have, over, _ := r.median(l.name, "mailmove", wall)
	remark := ""
	if over {
		remark = " (ended at the limit)"
	}
	if l.wall > 0 {
		rows = append(rows, verdictOf{l.name, have, l.wall, "s", remark})
	}
	if l.ratio > 0 {
		if tool, s := r.best(l.name, isLimit); s > 0 {
			rows = append(rows, verdictOf{l.name + " against the limit tool", have / s, l.ratio, "times", " " + tool})
		} else {
			rows = append(rows, verdictOf{l.name + " against the limit tool", 0, l.ratio, "times", ""})
		}
	}
	if l.carry > 0 {
		f := r.lead(l.name)
		carried := float64(f.Bytes) / (float64(l.mbit) * 1e6 / 8)
		v := verdictOf{l.name + " against what the line can carry", 0, l.carry, "times", ""}
		if carried > 0 {
			v.have, v.remark = have/carried, fmt.Sprintf(" of %.1f s", carried)
		}
		rows = append(rows, v)
	}
	if l.fastest {
		name, s := r.best(l.name, isPeer)
		v := verdictOf{l.name + " against the best peer", 0, 1, "times", ""}
		if s > 0 {
			v.have, v.remark = have/s, " "+name
		}
		rows = append(rows, v)
	}
	if l.rss > 0 {
		rows = append(rows, verdictOf{l.name + ", peak memory", r.peak(l.name) / mb, float64(l.rss) / mb, "MB", ""})
	}
	if l.cpu > 0 {
		c, _, _ := r.median(l.name, "mailmove", cpu)
		rows = append(rows, verdictOf{l.name + ", CPU", c, l.cpu, "s", ""})
	}
	return rows
}

// peak is the most memory that any round took, in bytes; 0 without figures.
func (r report) peak(line string) (most float64) {
	for _, f := range r.figures[line]["mailmove"] {
		most = max(most, rss(f))
	}
	return most
}

func (r report) derivedGoals() (rows []verdictOf) {
	growth := verdictOf{"growth of the peak from 100,000 to 1,000,000 messages", 0, 10, "MB", ""}
	if few, many := r.peak("first 100000"), r.peak("first 1000000"); few > 0 && many > 0 {
		growth.have = max((many-few)/mb, 0.1) // 0 would be: not measured
	}
	rows = append(rows, growth)
	flat := verdictOf{"nochange N against nochange S, beyond noise", 0, 1.2, "times", ""}
	big, overN, okN := r.median("nochange N", "mailmove", wall)
	if small, overS, okS := r.median("nochange S", "mailmove", wall); okN && okS && !overN && !overS {
		flat.have = big / small
	}
	rows = append(rows, flat)
	for _, name := range []string{"first T", "takeover N", "first 1000000"} {
		v := verdictOf{"state after " + name + ", a message", 0, 150, "bytes", ""}
		if figs := r.figures[name]["mailmove"]; len(figs) > 0 {
			if bytes, ok := median(figs, func(f figure) float64 { return float64(f.State) }); ok {
				v.have = bytes / float64(figs[0].Messages)
			}
		}
		rows = append(rows, v)
	}
	share := verdictOf{"the state's share of first T", 0, 5, "%", ""}
	cost, _, have := r.median("ledger T", "mailmove", wall)
	if all, over, ok := r.median("first T", "mailmove", wall); ok && have && !over {
		share.have = 100 * cost / all
		share.remark = fmt.Sprintf(" (%s s for 20,000 rows in windows of 500, were nothing else done meanwhile)", secondsText(cost))
	}
	return append(rows, share)
}

// points are the medians of a series along a list of lines; what is missing is left out.
func (r report) points(name string, along []string, y func(line string, seconds float64) float64) (out []point) {
	for i, l := range along {
		v, over, ok := r.median(l, name, wall)
		if name == limitSeries {
			_, v = r.best(l, isLimit)
			ok = v > 0
		}
		if ok && !over {
			out = append(out, point{i, y(l, v)})
		}
	}
	return out
}
