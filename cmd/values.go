package cmd

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mailmove/imapx"
)

// byteSize is a flag value such as 64MiB or 1.5GB, in bytes, 0 where none was given. KB, MB, GB and TB are powers of
// 1000. A number alone is refused: 25 would be bytes, and hardly anybody means so few.
type byteSize int64

const (
	minMemory byteSize = 16 << 20
	mostBytes          = 1e15 // 1000TB
)

type sizeUnit struct {
	suffix string
	bytes  int64
}

// sizeUnits begins with the largest of each kind; B is the end of all others.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

func (s *byteSize) Set(text string) error {
	part := regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,9})?) *([A-Za-z]*)$`).FindStringSubmatch(strings.TrimSpace(text))
	if part == nil {
		return errSize()
	}
	number, unit := part[1], part[2]
	if unit == "" && strings.Trim(number, "0.") != "" {
		return fmt.Errorf("%s has no unit: write %[1]sMB or %[1]sMiB, for bytes %[1]sB", number)
	}
	for _, u := range sizeUnits() {
		if !strings.EqualFold(orElse(unit, "B"), u.suffix) {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if n = math.Round(n * float64(u.bytes)); err != nil || n < 1 || n > mostBytes {
			return errors.New("a size is at least 1B and at most 1000TB")
		}
		*s = byteSize(n)
		return nil
	}
	return errSize()
}

func errSize() error { return errors.New("write a size such as 25MB, 1.5GB or 64MiB") }

func (s *byteSize) String() string {
	if *s == 0 {
		return ""
	}
	for _, u := range sizeUnits() {
		if int64(*s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(*s)/u.bytes, u.suffix)
		}
	}
	return "" // not reached: every number is so many bytes
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
