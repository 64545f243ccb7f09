package wire

import (
	"bytes"
	"errors"
	"strings"
)

// ErrMalformed is wrapped where a frame does not parse. The stream is still in step.
var ErrMalformed = errors.New("malformed answer")

// Response is one answer, taken apart as far as its first words. It is valid as long as its Frame.
type Response struct {
	Tag    string // "*", "+", or a command's tag
	Num    uint32 // of `* 12 FETCH`, `* 3 EXISTS`
	HasNum bool
	Name   string // upper case: "OK", "FETCH", "LIST" …; "" for a continuation request
	// Code, Args and Text belong to OK, NO, BAD, BYE and PREAUTH; Text also to a continuation request.
	Code string // response code, upper case, "" without
	Args []byte // raw arguments of the code
	Text string // raw text for people
	P    Parser // the rest of any other answer
}

// Status reports whether this is OK, NO, BAD, BYE or PREAUTH.
func (r *Response) Status() bool {
	switch r.Name {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return false
}

// Parse takes a frame apart. An unknown answer is no error.
func Parse(f *Frame) (Response, error) {
	var r Response
	first, rest, _ := bytes.Cut(f.Text, []byte(" "))
	switch {
	case len(first) == 0:
		return r, Malformed("an empty line")
	case len(first) > 64:
		return r, Malformed("a tag of %d bytes", len(first))
	}
	r.Tag = string(first)
	if r.Tag == "+" {
		r.Text = string(rest)
		return r, nil
	}
	word, tail, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	if n, ok := number(word); ok && r.Tag == "*" {
		r.Num, r.HasNum = n, true
		word, tail, _ = bytes.Cut(bytes.TrimLeft(tail, " "), []byte(" "))
	}
	if len(word) == 0 || len(word) > 64 {
		return r, Malformed("no response name")
	}
	r.Name = strings.ToUpper(string(word))
	if r.Status() {
		r.status(tail)
		return r, nil
	}
	if r.Tag != "*" {
		return r, Malformed("a tagged answer that is no OK, NO or BAD")
	}
	r.P = Parser{frame: f, pos: len(f.Text) - len(tail)}
	return r, nil
}

// status splits `[CODE args] text`. A flag in the arguments may hold a bracket, so a list is read to its end.
func (r *Response) status(tail []byte) {
	tail = bytes.TrimLeft(tail, " ")
	if len(tail) == 0 || tail[0] != '[' {
		r.Text = string(tail)
		return
	}
	end := bytes.IndexByte(tail, ']')
	if list := bytes.IndexByte(tail, '('); list > 0 && list < end {
		if closing := bytes.Index(tail[list:], []byte(")]")); closing > 0 {
			end = list + closing + 1
		} else if closing := bytes.Index(tail[list:], []byte(") ]")); closing > 0 {
			end = list + closing + 2
		}
	}
	if end < 0 {
		r.Text = string(tail)
		return
	}
	code, args, _ := bytes.Cut(tail[1:end], []byte(" "))
	r.Code, r.Args = strings.ToUpper(string(code)), bytes.TrimSpace(args)
	r.Text = string(bytes.TrimLeft(tail[end+1:], " "))
}
