package provider

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// standing are words that belong to no server in particular.
func standing() []Word {
	return []Word{
		{Code: "LIMIT", Text: "flags", Means: AsAsked},    // RFC 5530 section 3: "At most 32 flags in one mailbox supported"
		{Code: "LIMIT", Text: "keywords", Means: AsAsked}, // the same, in newer words
	}
}

// Words are all words of all rows, in the order in which they are tried.
func Words() []Word {
	all := standing()
	for _, r := range Rows() {
		all = append(all, r.Words...)
	}
	return all
}

// longestPause bounds what a server may make us wait at a time.
const longestPause = time.Hour

// Delay reads the time that a text names (Microsoft 365: "Suggested Backoff Time: 299961 milliseconds"), at most an hour;
// 0 where it names none.
func Delay(text string) time.Duration {
	m := regexp.MustCompile(`(?i)suggested backoff time: (\d{1,9}) ?(milliseconds|ms)\b`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Millisecond, longestPause)
}

// Match gives the first word that a refusal has. known: the code means something by itself, and only words that come with
// it say otherwise.
func Match(code string, known bool, text string) (Word, bool) {
	low := strings.ToLower(text)
	for _, w := range Words() {
		if (w.Code == code || w.Code == "" && !known) && strings.Contains(low, w.Text) {
			return w, true
		}
	}
	return Word{}, false
}
