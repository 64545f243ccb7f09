package cmd

import (
	"slices"
	"time"

	"mailmove/cmd/internal/dns"
)

// The lines of "dns --json", described in docs/dns.md.
type jsonDNS struct {
	Type    string     `json:"type"`
	Time    time.Time  `json:"time"`
	Domain  string     `json:"domain"`
	Check   string     `json:"check"`
	Verdict string     `json:"verdict"`
	What    string     `json:"what"`
	Next    string     `json:"next"`
	Until   *time.Time `json:"until"`
}

type jsonRecord struct {
	Type     string       `json:"type"`
	Time     time.Time    `json:"time"`
	Domain   string       `json:"domain"`
	Name     string       `json:"name"`
	Record   string       `json:"record"`
	Zone     string       `json:"zone"`
	Agreed   bool         `json:"agreed"`
	TTL      int64        `json:"ttl"`
	OldTTL   int64        `json:"old_ttl"`
	Lowered  bool         `json:"lowered"`
	Earliest *time.Time   `json:"earliest"`
	Servers  []jsonServed `json:"servers"`
}

type jsonServed struct {
	Server  string   `json:"server"`
	Address string   `json:"address"`
	Serial  uint32   `json:"serial"`
	TTL     int64    `json:"ttl"`
	Values  []string `json:"values"`
	Error   string   `json:"error"`
}

type jsonPlan struct {
	Type      string     `json:"type"`
	Time      time.Time  `json:"time"`
	Domain    string     `json:"domain"`
	Verdict   string     `json:"verdict"`
	LowTTL    int64      `json:"low_ttl"`
	Lowered   bool       `json:"lowered"`
	Earliest  *time.Time `json:"earliest"`
	Forgotten *time.Time `json:"forgotten"`
	Changed   bool       `json:"changed"`
	Until     *time.Time `json:"until"`
}

func dnsJSON(a *app, r dns.Report) error {
	now := r.Time.UTC()
	for _, d := range r.Domains {
		var lines []any
		worst := dns.OK
		for _, f := range d.Findings {
			worst = max(worst, f.Verdict)
			lines = append(lines, jsonDNS{"dns", now, d.Name, f.Check, f.Verdict.String(), f.Text, f.Next, timeOrNull(f.Until)})
		}
		for _, set := range d.Records {
			lines = append(lines, recordLine(now, d, set))
		}
		p := d.Plan
		var earliest, forgotten time.Time // null where no record was seen: nothing is known then
		if slices.ContainsFunc(p.Records, func(r dns.RecordPlan) bool { return r.TTL > 0 }) {
			earliest, forgotten = p.Earliest, p.ForgottenAt(p.Earliest)
		}
		lines = append(lines, jsonPlan{"dns-plan", now, d.Name, worst.String(), seconds(p.Low), p.Lowered, timeOrNull(earliest),
			timeOrNull(forgotten), p.Changed, timeOrNull(p.Until)})
		for _, line := range lines {
			if err := printJSON(a.out, line); err != nil {
				return err
			}
		}
	}
	return nil
}

func recordLine(now time.Time, d dns.Domain, set dns.RecordSet) jsonRecord {
	line := jsonRecord{
		Type: "dns-record", Time: now, Domain: d.Name, Name: set.Name, Record: set.Type, Zone: set.Zone, Agreed: set.Agreed(),
		TTL: seconds(set.TTL()), Servers: []jsonServed{},
	}
	for _, p := range d.Plan.Records {
		if p.Name == set.Name && p.Type == set.Type {
			line.OldTTL, line.Lowered, line.Earliest = seconds(p.OldTTL), p.Lowered, timeOrNull(p.Earliest)
		}
	}
	for _, s := range set.Answers {
		values := s.Values
		if values == nil {
			values = []string{}
		}
		line.Servers = append(line.Servers, jsonServed{s.Server.Name, s.Server.Addr.String(), s.Server.Serial, seconds(s.TTL), values, s.Text})
	}
	return line
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
