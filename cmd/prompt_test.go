package cmd

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTypedLine(t *testing.T) {
	for in, want := range map[string]struct {
		line       string
		err        error
		interrupts int
	}{
		"pw\r":                        {"pw", nil, 0},
		"pw\nrest":                    {"pw", nil, 0},
		" p w \r":                     {" p w ", nil, 0},
		"\r":                          {"", nil, 0},
		"\x04":                        {"", io.EOF, 0},
		"p\x04w\r":                    {"pw", nil, 0},
		"":                            {"", io.EOF, 0},
		"p\x03w\r":                    {"pw", nil, 1},
		"b\u00f6\x7fo\x7f\x7f\x7fx\r": {"x", nil, 0},
		"old\x15new\r":                {"new", nil, 0},
		"p\x1aw\x1c\t\r":              {"pw\t", nil, 0},
		"\xff\x08a\r":                 {"a", nil, 0},
	} {
		interrupts := 0
		line, err := typedLine(strings.NewReader(in), func() { interrupts++ })
		if string(line) != want.line || !errors.Is(err, want.err) || interrupts != want.interrupts {
			t.Errorf("%q: %q, %v, %d times interrupted", in, line, err, interrupts)
		}
	}
	if line, err := typedLine(strings.NewReader(strings.Repeat("x", maxPassword+2)), nil); err == nil || len(line) > 0 {
		t.Errorf("%d bytes are taken for a password: %v", len(line), err)
	}
}
