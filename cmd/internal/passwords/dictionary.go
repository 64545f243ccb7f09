package passwords

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/ccojocar/zxcvbn-go/data"
)

// enoughBits is where zxcvbn begins to call a password safely unguessable: 10^10 guesses (its score 3).
const enoughBits = 33.2

// dictionary knows common passwords, words and names with their rank, from 1. Only the word lists are zxcvbn's: its
// packages that guess unpack them, and build tables of 18 MB, when the program starts, in each run of each command.
type dictionary struct{ rank map[string]int }

// wordLists are the assets of the library that hold words, the most common first.
func wordLists() []string {
	return []string{"data/Passwords.json", "data/English.json", "data/MaleNames.json", "data/FemaleNames.json", "data/Surnames.json"}
}

// german are words that people take for passwords here, the most common first; the library's lists are English.
const german = "passwort hallo schatz geheim sommer winter herbst frühling fruehling willkommen sonne mond liebe familie " +
	"schule garten haus hund katze pferd auto blume urlaub strand fussball bayern berlin hamburg münchen muenchen köln koeln " +
	"frankfurt stuttgart montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz maerz april juni juli " +
	"august september oktober november dezember mama papa oma opa kinder engel stern himmel schnee wasser feuer kennwort " +
	"zugang neustart testen qwertz asdfgh yxcvbn"

func load() (*dictionary, error) {
	d := &dictionary{rank: make(map[string]int, 90_000)}
	for _, name := range wordLists() {
		text, err := data.Asset(name)
		if err != nil {
			return nil, fmt.Errorf("word list %s: %w", name, err)
		}
		var file struct{ List []string }
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("word list %s: %w", name, err)
		}
		d.add(file.List)
	}
	d.add(strings.Fields(german))
	return d, nil
}

// add takes a list of words, the most common first. Words of one and two letters are everywhere.
func (d *dictionary) add(words []string) {
	for i, w := range words {
		if w = strings.ToLower(w); len(w) < leastWord {
			continue
		}
		if old, known := d.rank[w]; !known || i+1 < old {
			d.rank[w] = i + 1
		}
	}
}

const (
	leastWord    = 3
	longestWord  = 32
	mostJudged   = 128 // characters that are looked at: more of them make no password worse
	bitsOfYear   = 7   // 1900 to 2029
	bitsOfMirror = 1   // written backwards
)

// bits estimates how hard a password is to guess: the cheapest way to put it together of words, patterns and single
// characters, as zxcvbn does it, in a simpler way.
func (d *dictionary) bits(password string, about []string) float64 {
	own := ownWords(about)
	text := []rune(password)
	text = text[:min(len(text), mostJudged)]
	single := math.Log2(alphabet(text))
	best := make([]float64, len(text)+1) // of the first i characters
	for end := 1; end <= len(text); end++ {
		best[end] = best[end-1] + single
		for begin := max(0, end-longestWord); begin <= end-leastWord; begin++ {
			part := text[begin:end]
			best[end] = min(best[end], best[begin]+min(d.word(part, own), pattern(part, single)))
		}
	}
	return best[len(text)]
}

// ownWords are the words of a user name: of its local part and of its domain.
func ownWords(about []string) map[string]bool {
	own := make(map[string]bool)
	for _, a := range about {
		for _, w := range strings.FieldsFunc(strings.ToLower(a), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if len(w) >= leastWord {
				own[w] = true
			}
		}
	}
	return own
}

// word gives the bits of a part that is a word, in any case, in l33t, or backwards; infinity where it is none.
func (d *dictionary) word(part []rune, own map[string]bool) float64 {
	plain := make([]rune, len(part))
	capitals := 0
	for i, r := range part {
		plain[i] = unicode.ToLower(r)
		if plain[i] != r {
			capitals++
		}
	}
	best := math.Inf(1)
	for one := range 2 { // 1 stands for i or for l
		text, replaced := plainLetters(plain, one == 1)
		best = min(best, d.rankBits(text, own)+float64(replaced), d.rankBits(backwards(text), own)+float64(replaced)+bitsOfMirror)
	}
	if best = min(best, d.rankBits(string(plain), own)); capitals > 0 {
		best += math.Log2(float64(1 + min(capitals, len(part)-capitals+1)))
	}
	return best
}

func (d *dictionary) rankBits(word string, own map[string]bool) float64 {
	if own[word] {
		return 0
	}
	if n := d.rank[word]; n > 0 {
		return math.Log2(float64(n))
	}
	return math.Inf(1)
}

// plainLetters undoes l33t, and counts what it replaced.
func plainLetters(text []rune, oneIsL bool) (string, int) {
	replaced := 0
	out := make([]rune, len(text))
	for i, r := range text {
		out[i] = letterOf(r, oneIsL)
		if out[i] != r {
			replaced++
		}
	}
	return string(out), replaced
}

// letterOf is the letter that a character stands for in l33t.
func letterOf(r rune, oneIsL bool) rune {
	switch r {
	case '4', '@':
		return 'a'
	case '8':
		return 'b'
	case '(', '{', '[', '<':
		return 'c'
	case '3':
		return 'e'
	case '6', '9':
		return 'g'
	case '!', '|':
		return 'i'
	case '1':
		if oneIsL {
			return 'l'
		}
		return 'i'
	case '0':
		return 'o'
	case '$', '5':
		return 's'
	case '7', '+':
		return 't'
	case '2':
		return 'z'
	}
	return r
}

func backwards(s string) string {
	text := []rune(s)
	for i, k := 0, len(text)-1; i < k; i, k = i+1, k-1 {
		text[i], text[k] = text[k], text[i]
	}
	return string(text)
}

// pattern gives the bits of one character repeated, of a sequence up or down, and of a year.
func pattern(part []rune, single float64) float64 {
	step := part[1] - part[0]
	run := step >= -1 && step <= 1
	for i := 2; i < len(part) && run; i++ {
		run = part[i]-part[i-1] == step
	}
	if run {
		return min(single, math.Log2(26)) + math.Log2(float64(len(part)))
	}
	if s := string(part); len(part) == 4 && (strings.HasPrefix(s, "19") || strings.HasPrefix(s, "20")) &&
		strings.Trim(s, "0123456789") == "" {
		return bitsOfYear
	}
	return math.Inf(1)
}

// alphabet is how many characters somebody must try who knows which kinds there are.
func alphabet(text []rune) float64 {
	kinds := [...]struct {
		size float64
		has  func(rune) bool
	}{
		{26, func(r rune) bool { return r >= 'a' && r <= 'z' }},
		{26, func(r rune) bool { return r >= 'A' && r <= 'Z' }},
		{10, func(r rune) bool { return r >= '0' && r <= '9' }},
		{33, func(r rune) bool { return r == ' ' || isSpecial(r) }},
		{100, func(r rune) bool { return r > '~' }},
	}
	n := 0.0
	for _, k := range kinds {
		if strings.ContainsFunc(string(text), k.has) {
			n += k.size
		}
	}
	return max(n, 1)
}
