package ui

import "strings"

// Colour is one of the two that are used: red for errors, yellow for what should not be overlooked. Everything is said in words
// as well.
type Colour string

const (
	Red    Colour = "\x1b[31m"
	Yellow Colour = "\x1b[33m"

	plainColour = "\x1b[0m"
)

// Paint colours clean text, line by line, so that no line end carries the colour on; without allowed it gives the text.
func Paint(c Colour, text string, allowed bool) string {
	if !allowed {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		whole, ended := strings.CutSuffix(line, "\n")
		b.WriteString(string(c) + whole + plainColour)
		if ended {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
