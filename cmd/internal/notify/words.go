package notify

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed templates/*.txt
var builtIn embed.FS

// Languages are those that there are words in.
func Languages() []string { return []string{"en", "de"} }

// Words are the texts of mails, by who reads them and the language.
type Words struct {
	language string // of whoever has none
	by       map[string]*template.Template
}

// NewWords reads the texts. dir may hold files of the names in templates/, whose texts replace those of the program; "": none.
func NewWords(language, dir string) (*Words, error) {
	w := &Words{language: language, by: make(map[string]*template.Template)}
	if dir != "" {
		if _, err := os.ReadDir(dir); err != nil { // a file may be missing, the folder not
			return nil, err
		}
	}
	for _, who := range []string{"admin", "owner"} {
		for _, l := range Languages() {
			name := who + "." + l + ".txt"
			text, err := builtIn.ReadFile("templates/" + name)
			if err != nil {
				return nil, err
			}
			t, err := template.New(name).Option("missingkey=error").Parse(string(text))
			if err != nil {
				return nil, err
			}
			if dir != "" {
				own, err := os.ReadFile(filepath.Join(dir, name))
				if err == nil {
					_, err = t.Parse(string(own))
				}
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					return nil, fmt.Errorf("template %s: %w", name, err)
				}
			}
			w.by[who+"."+l] = t
		}
	}
	return w, w.try()
}

// try fills in every text once, so that a template's fault is found before there is anything to tell.
func (w *Words) try() error {
	for _, kind := range Kinds() {
		for _, owner := range []bool{false, true} {
			for _, l := range Languages() {
				e := Event{Account: "a", Text: "t", Next: "n", Accounts: 1, Mailbox: "m", Owner: owner, Language: l}
				if _, _, err := w.Text(Message{Kind: kind, Group: "g", Events: []Event{e}}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mostText bounds a mail, in bytes: a template may say more than anybody reads.
const mostText = 64 << 10

// Text gives subject and body of a mail: the first line of a template is the subject.
func (w *Words) Text(m Message) (subject, body string, err error) {
	first := m.Events[0]
	who, language := "admin", w.language
	if first.Owner {
		who = "owner"
	}
	if w.by[who+"."+first.Language] != nil {
		language = first.Language
	}
	t := w.by[who+"."+language].Lookup(m.Kind)
	if t == nil { // one that this reader is told nothing special about
		t = w.by[who+"."+language].Lookup("other")
	}
	var b bytes.Buffer
	if err := t.Execute(&b, m); err != nil {
		return "", "", fmt.Errorf("template: %w", err)
	}
	subject, body, _ = strings.Cut(strings.TrimLeft(b.String(), "\n"), "\n")
	if len(body) > mostText {
		body = strings.ToValidUTF8(body[:mostText], "")
	}
	return strings.TrimSpace(subject), strings.TrimLeft(body, "\n"), nil
}
