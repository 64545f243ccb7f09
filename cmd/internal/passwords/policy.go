// Package passwords holds a password against what a hoster asks of one, before the hoster refuses it.
//
// What it says of a password is made of fixed sentences and the numbers of the policy: no part of the password, nor its
// length, can reach an output through here.
//
// Where to change what: the rules of a policy in policy.go, what makes a password easy to guess in dictionary.go.
package passwords

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Policy is what a hoster asks of a password. The zero Policy asks for nothing.
type Policy struct {
	least int // characters
	rules []rule
	words *dictionary // nil: not asked for
}

// rule is one demand of a policy.
type rule struct {
	name  string
	fault string // what is said of a password that breaks it
	kept  func(password string) bool
}

// rules are the demands that need no value.
func rules() []rule {
	return []rule{
		{"lower", "it has no lower-case letter a to z", has('a', 'z')},
		{"upper", "it has no capital letter A to Z", has('A', 'Z')},
		{"digit", "it has no digit", has('0', '9')},
		{"special", "it has no special character of ASCII", func(s string) bool { return strings.ContainsFunc(s, isSpecial) }},
		{"ascii", "it has a character that is not ASCII", func(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) }},
	}
}

func has(first, last rune) func(string) bool {
	return func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r >= first && r <= last })
	}
}

// isSpecial takes no blank: many hosters do not.
func isSpecial(r rune) bool {
	return r > ' ' && r <= '~' && !(r >= '0' && r <= '9') && !(r >= 'A' && r <= 'Z') && !(r >= 'a' && r <= 'z')
}

// mostCharacters bounds "min=": no hoster asks for more.
const mostCharacters = 1000

// Parse reads a policy such as "min=12,lower,upper,digit,special,ascii,dict". With dict it unpacks the word lists, which
// takes some 50 ms.
func Parse(text string) (Policy, error) {
	var p Policy
	seen := make(map[string]bool)
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		name, value, valued := strings.Cut(word, "=")
		if seen[name] {
			return p, fmt.Errorf("%q stands there twice", name)
		}
		seen[name] = true
		known := false
		for _, r := range rules() {
			if r.name == word {
				p.rules, known = append(p.rules, r), true
			}
		}
		switch {
		case known:
		case name == "min" && valued:
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > mostCharacters {
				return p, fmt.Errorf("min is a number of characters from 1 to %d", mostCharacters)
			}
			p.least = n
		case word == "dict":
			words, err := load()
			if err != nil {
				return p, err
			}
			p.words = words
		default:
			return p, errors.New("write words of min=12,lower,upper,digit,special,ascii,dict")
		}
	}
	return p, nil
}

// Faults says what a policy has against a password, nothing where it has not. about are words that its owner is known
// by, such as the user name: they are easy to guess.
func (p Policy) Faults(password string, about ...string) (faults []string) {
	if utf8.RuneCountInString(password) < p.least {
		faults = append(faults, fmt.Sprintf("it has fewer than %d characters", p.least))
	}
	for _, r := range p.rules {
		if !r.kept(password) {
			faults = append(faults, r.fault)
		}
	}
	if p.words != nil && p.words.bits(password, about) < enoughBits {
		faults = append(faults, "it is made of common words, names or patterns")
	}
	return faults
}
