package imaptest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// step is one line of a transcript.
type step struct {
	line  int
	verb  string
	text  string
	times int           // of S=, N= and C=
	wait  time.Duration // of W: and Q:
}

// parseScript reads a transcript. Errors begin with the line's number.
func parseScript(text string) ([]step, error) {
	var steps []step
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSuffix(l, "\r")
		if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") {
			continue
		}
		st := step{line: i + 1, verb: l}
		if l != "---" && l != "C!" {
			if len(l) < 3 || l[2] != ' ' {
				return nil, fmt.Errorf("%d: want a verb, a space and text: %q", i+1, l)
			}
			st.verb, st.text = l[:2], l[3:]
		}
		if err := st.check(); err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
		steps = append(steps, st)
	}
	return steps, nil
}

func (st *step) check() (err error) {
	one := func(words ...string) error {
		for _, w := range words {
			if st.text == w {
				return nil
			}
		}
		return fmt.Errorf("%s takes %s, not %q", st.verb, strings.Join(words, " or "), st.text)
	}
	switch st.verb {
	case "---", "C!", "S:", "C:":
	case "S=", "N=", "C=":
		st.times = 1
		if n, rest, ok := strings.Cut(st.text, " "); ok && !strings.HasPrefix(n, `"`) {
			if st.times, err = strconv.Atoi(n); err != nil || st.times < 0 || st.times > 1<<26 {
				return fmt.Errorf("bad count %q", n)
			}
			st.text = rest
		}
		if st.text, err = strconv.Unquote(st.text); err != nil {
			return fmt.Errorf("%s wants a quoted Go string: %w", st.verb, err)
		}
	case "W:", "Q:":
		st.wait, err = time.ParseDuration(st.text)
	case "B:":
		return one("on", "off")
	case "T:":
		return one("starttls")
	case "X:":
		return one("fin", "rst")
	default:
		return fmt.Errorf("unknown verb %q", st.verb)
	}
	return err
}
