package cmd

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// figures is the run in the text format of Prometheus, for its node exporter's folder of text files.
func (r *listRun) figures() []byte {
	var b bytes.Buffer
	groups := r.groups()
	family := func(name, kind, help string, lines func(put func(value float64, labels ...string))) {
		fmt.Fprintf(&b, "# HELP mailmove_%s %s\n# TYPE mailmove_%s %s\n", name, help, name, kind)
		lines(func(value float64, labels ...string) {
			b.WriteString("mailmove_" + name)
			for i := 0; i < len(labels); i += 2 {
				fmt.Fprintf(&b, `%s%s="%s"`, map[bool]string{true: "{", false: ","}[i == 0], labels[i], labelValue(labels[i+1]))
			}
			if len(labels) > 0 {
				b.WriteString("}")
			}
			b.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
		})
	}
	family("accounts", "gauge", "Accounts of the last run, by group and outcome.", func(put func(float64, ...string)) {
		for _, g := range groups {
			counts := byOutcome(g.accounts)
			for _, word := range []string{wordDone, wordExceptions, wordFailed, wordBusy, wordStopped, wordWaiting} {
				put(float64(counts[word]), "group", g.name, "outcome", word)
			}
		}
	})
	byGroup := func(value func(*groupSum) float64) func(func(float64, ...string)) {
		return func(put func(float64, ...string)) {
			for _, g := range groups {
				put(value(g), "group", g.name)
			}
		}
	}
	family("messages_copied", "gauge", "Messages that the last run copied.", byGroup(func(g *groupSum) float64 { return float64(g.copied) }))
	family("bytes_copied", "gauge", "Bytes of these messages.", byGroup(func(g *groupSum) float64 { return float64(g.bytes) }))
	family("exceptions_open", "gauge", "Exceptions that nobody agreed to, of the accounts of the last run.",
		byGroup(func(g *groupSum) float64 { return float64(g.exceptions) }))
	now := time.Now()
	family("last_good_pass_age_seconds", "gauge", "Age of the last good pass of the account for which that is longest ago, when the file was written; +Inf: one had none.",
		func(put func(float64, ...string)) {
			for _, g := range groups {
				if g.oldest.IsZero() {
					fmt.Fprintf(&b, "mailmove_last_good_pass_age_seconds{group=\"%s\"} +Inf\n", labelValue(g.name))
					continue
				}
				put(max(0, now.Sub(g.oldest).Round(time.Second).Seconds()), "group", g.name)
			}
		})
	family("run_end_timestamp_seconds", "gauge", "When the last run ended.", func(put func(float64, ...string)) { put(float64(now.Unix())) })
	family("run_duration_seconds", "gauge", "How long the last run took.", func(put func(float64, ...string)) { put(now.Sub(r.started).Round(time.Millisecond).Seconds()) })
	return b.Bytes()
}

// labelValue escapes what the format has a meaning for.
func labelValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "?"))
}
