package accounts

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// tableOfJobs reads a JSON array of objects, as mailcow's API gives its sync jobs; nil where the text is none. Each name
// is a column, each object a row.
func tableOfJobs(text string, known map[string]string) (*table, *Error) {
	if begin := strings.TrimLeft(text, " \t\r\n"); !strings.HasPrefix(begin, "[") || !strings.HasPrefix(strings.TrimLeft(begin[1:], " \t\r\n"), "{") {
		return nil, nil
	}
	j := &jobs{text: text, dec: json.NewDecoder(strings.NewReader(text)), places: make(map[string]int), line: 1}
	j.dec.UseNumber()
	if err := j.read(); err != nil {
		var own *Error
		if errors.As(err, &own) {
			return nil, own
		}
		at := j.dec.InputOffset()
		if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
			at = syntax.Offset
		}
		bad := place(text, int(min(at, int64(len(text)))), "that is no JSON array of jobs")
		bad.Next = "give what the API answered, whole"
		return nil, bad
	}
	j.number()
	t := &table{delim: ','}
	if bad := t.setHeader(record{line: 1, cells: j.header}, known); bad != nil {
		return nil, bad
	}
	t.least = 0
	t.next = func() (record, bool, *Error) {
		if len(j.found) == 0 {
			return record{}, false, nil
		}
		rec := j.found[0]
		j.found = j.found[1:]
		for len(rec.cells) < len(j.header) { // a name that only later jobs have
			rec.cells = append(rec.cells, "")
		}
		return rec, true, nil
	}
	return t, nil
}

// jobs collects the objects of an array.
type jobs struct {
	text    string
	dec     *json.Decoder
	header  []string
	places  map[string]int // of a name in header
	found   []record
	line    int // of counted
	counted int
}

// mostNames bounds the columns that names make.
const mostNames = 200

func (j *jobs) read() error {
	if _, err := j.dec.Token(); err != nil {
		return err
	}
	for j.dec.More() {
		rec := record{line: j.lineHere()}
		var job object
		if err := j.dec.Decode(&job); err != nil {
			return err
		}
		rec.cells = make([]string, len(j.header))
		for _, f := range job {
			at, is := j.places[f.name]
			if !is {
				if len(j.header) == mostNames {
					return &Error{Line: rec.line, Text: "the jobs have too many names"}
				}
				at = len(j.header)
				j.places[f.name] = at
				j.header = append(j.header, f.name)
			}
			for len(rec.cells) <= at {
				rec.cells = append(rec.cells, "")
			}
			rec.cells[at] = f.value
		}
		j.found = append(j.found, rec)
	}
	if _, err := j.dec.Token(); err != nil {
		return err
	}
	if _, err := j.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the array")
	}
	return nil
}

// number counts the jobs where they are not on lines of their own, as an API gives them: a row is known by its line.
func (j *jobs) number() {
	for i := 1; i < len(j.found); i++ {
		if j.found[i].line <= j.found[i-1].line {
			for k := range j.found {
				j.found[k].line = k + 1
			}
			return
		}
	}
}

// lineHere is the line of the value that follows.
func (j *jobs) lineHere() int {
	at := min(int(j.dec.InputOffset()), len(j.text))
	for at < len(j.text) && strings.IndexByte(" \t\r\n,", j.text[at]) >= 0 {
		at++
	}
	j.line += strings.Count(j.text[j.counted:at], "\n")
	j.counted = at
	return j.line
}

// object is a JSON object in its order; what is no text, number or truth in it counts as empty.
type object []struct{ name, value string }

func (o *object) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return err
		}
		text, is := name.(string)
		if !is {
			return errors.New("no name")
		}
		*o = append(*o, struct{ name, value string }{text, jsonText(value)})
	}
	return nil
}

func jsonText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "1"
		}
		return "0"
	}
	return ""
}
