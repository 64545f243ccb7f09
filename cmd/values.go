package cmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mailmove/imapx"
)

// byteSize is a flag value such as 64MiB. Without a unit it is bytes; KB, MB, GB are powers of 1000.
type byteSize int64

const minMemory byteSize = 16 << 20

type sizeUnit struct {
	suffix string
	bytes  int64
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
		{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
	}
}

func (s *byteSize) Set(text string) error {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range sizeUnits() {
		if cut, ok := strings.CutSuffix(strings.ToLower(number), strings.ToLower(u.suffix)); ok {
			number, unit = strings.TrimSpace(cut), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 40)
	if err != nil || n == 0 || int64(n) > (1<<50)/unit {
		return errors.New("write a size such as 64MiB or 1GiB")
	}
	*s = byteSize(int64(n) * unit)
	return nil
}

func (s *byteSize) String() string {
	for _, u := range []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if int64(*s) >= u.bytes && int64(*s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(*s)/u.bytes, u.suffix)
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (*byteSize) Type() string { return "SIZE" }

// interval is a duration of at least a second, or off (0).
type interval time.Duration

func (i *interval) Set(text string) error {
	if text == "off" {
		*i = 0
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > 24*time.Hour {
		return errors.New("write a time from 1s to 24h such as 30s or 1m, or off")
	}
	*i = interval(d)
	return nil
}

func (i *interval) String() string {
	if *i == 0 {
		return "off"
	}
	return shortDuration(time.Duration(*i))
}

func (*interval) Type() string { return "TIME" }

// shortDuration writes 5m where time.Duration writes 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// tlsMode is the value of --source-tls; unset leaves the choice to the URL.
type tlsMode struct {
	mode imapx.TLSMode
	set  bool
}

func tlsModes() []string { return []string{"implicit", "starttls", "none"} } // by imapx.TLSMode

func (m *tlsMode) Set(text string) error {
	for i, name := range tlsModes() {
		if text == name {
			*m = tlsMode{imapx.TLSMode(i), true}
			return nil
		}
	}
	return errors.New("write implicit, starttls or none")
}

func (m *tlsMode) String() string {
	if !m.set {
		return ""
	}
	return tlsModes()[m.mode]
}

func (*tlsMode) Type() string { return "MODE" }

// percent is a flag value such as 5%, from 0% to 90%.
type percent int

// mostPercent leaves something to be used.
const mostPercent = 90

func (p *percent) Set(text string) error {
	n, err := strconv.ParseUint(strings.TrimSuffix(text, "%"), 10, 7)
	if err != nil || n > mostPercent {
		return errors.New("write a share from 0% to " + strconv.Itoa(mostPercent) + "%")
	}
	*p = percent(n)
	return nil
}

func (p *percent) String() string { return strconv.Itoa(int(*p)) + "%" }
func (*percent) Type() string     { return "SHARE" }
