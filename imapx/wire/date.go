package wire

import (
	"fmt"
	"strings"
	"time"
)

// dateTime is RFC 9051's date-time: the day is two places wide, with a blank before one digit.
const dateTime = "_2-Jan-2006 15:04:05 -0700"

// ParseDate reads an INTERNALDATE.
func ParseDate(s string) (time.Time, error) {
	t, err := time.Parse(dateTime, strings.TrimSpace(s))
	if err != nil {
		return time.Time{}, Malformed("date %.40q", s)
	}
	return t, nil
}

// FormatDate writes t as date-time, without quotes. It is made from the parsed instant alone, never echoed
// text. Years that do not fit into four digits are an error; an offset that does not fit becomes UTC.
func FormatDate(t time.Time) (string, error) {
	if _, offset := t.Zone(); offset%60 != 0 || offset <= -24*3600 || offset >= 24*3600 {
		t = t.UTC()
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return "", fmt.Errorf("the date has the year %d", y)
	}
	return t.Format(dateTime), nil
}
