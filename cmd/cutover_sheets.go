package cmd

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/state"
)

const cutoverSheetsLong = `Writes a page for each mailbox with the settings of the new server: names,
ports, TLS, user name; never a password. In Markdown or HTML, in English or
German, or by a template of your own (docs/cutover.md).`

// sheetsFlags are what the pages take.
type sheetsFlags struct {
	cutoverFlags
	out           string
	format        sheetFormat
	language      language
	template      string
	imap          string
	submission    string
	submissionTLS tlsMode
}

// sheetFormat is md or html.
type sheetFormat string

func (f *sheetFormat) Set(text string) error {
	if text != "md" && text != "html" {
		return errors.New("write md or html")
	}
	*f = sheetFormat(text)
	return nil
}

func (f *sheetFormat) String() string { return string(*f) }
func (*sheetFormat) Type() string     { return "FORMAT" }

func newCutoverSheets(a *app) *cobra.Command {
	f := &sheetsFlags{cutoverFlags: newCutoverFlags(), format: "md", language: "en"}
	c := &cobra.Command{
		Use:   "sheets --accounts FILE --out DIR",
		Short: "Write a page of settings for each mailbox",
		Long:  cutoverSheetsLong,
		Example: "  mailmove cutover sheets --accounts accounts.csv --out sheets --format html\n" +
			"  mailmove cutover sheets --accounts list.csv --out sheets --template ours.html",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.cutoverFlags.bind(c.Flags())
	group(c.Flags(), flagGroups()[stepGroup], func(set *pflag.FlagSet) {
		set.StringVar(&f.out, "out", "", "`DIR` of the pages, made if it is not there")
		set.Var(&f.format, "format", "md or html")
		set.Var(&f.language, "language", "en or de; of a mailbox, what the list says")
		set.StringVar(&f.template, "template", "", "`FILE` of your own: *.html is a template of html/template, others of text/template")
		set.StringVar(&f.imap, "imap", "", "`HOST` that people read mail from, if not the list's target")
		set.StringVar(&f.submission, "submission", "", "`HOST` (or host:port) that people send through, if not that one")
		set.Var(&f.submissionTLS, "submission-tls", "implicit (port 465) or starttls (port 587)")
	})
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.out == "" {
			return usagef("for example --out sheets", "no --out")
		}
		page, err := f.page()
		if err != nil {
			return err
		}
		r, err := f.view(c, a)
		if err != nil {
			return err
		}
		return f.write(r, page)
	}
	return c
}

// sheet is what a page says. It is all that a template sees.
type sheet struct {
	Account, Group string
	Language       string // en or de
	Address        string // "": the list does not say it
	User           string
	IMAP, SMTP     sheetServer
}

type sheetServer struct {
	Host string
	Port int
	TLS  string // SSL/TLS or STARTTLS, as mail programs call it
}

// sheetPage fills in a template for one mailbox.
type sheetPage struct {
	extension string
	fill      func(io.Writer, sheet) error
}

// page gives the template: the admin's, or ours.
func (f *sheetsFlags) page() (sheetPage, error) {
	name, text := "sheet."+string(f.format), ""
	if f.template != "" {
		own, err := os.ReadFile(filepath.Clean(f.template))
		if err != nil {
			return sheetPage{}, noInput("--template", err)
		}
		name, text = filepath.Base(f.template), string(own)
	}
	p := sheetPage{extension: strings.ToLower(filepath.Ext(name))}
	if !slices.Contains([]string{".md", ".html", ".htm", ".txt"}, p.extension) {
		return p, usagef("name it *.html, *.md or *.txt", "--template %s: it cannot be told what it makes", shown(f.template))
	}
	var err error
	if p.extension == ".html" || p.extension == ".htm" {
		var t *htmltemplate.Template
		if t, err = htmltemplate.New(name).Parse(orElse(text, sheetHTML)); err == nil {
			p.fill = func(w io.Writer, s sheet) error { return t.Execute(w, s) }
		}
	} else {
		var t *texttemplate.Template
		if t, err = texttemplate.New(name).Funcs(texttemplate.FuncMap{"md": markdownCell}).Parse(orElse(text, sheetMarkdown)); err == nil {
			p.fill = func(w io.Writer, s sheet) error { return t.Execute(w, s) }
		}
	}
	if err == nil {
		err = p.fill(io.Discard, sheet{Language: "en"})
	}
	if err != nil {
		return p, &failure{code: exitNoInput, what: "--template: " + err.Error(), err: err, hint: "docs/cutover.md names what a template may say"}
	}
	return p, nil
}

// write makes the pages, each in one step.
func (f *sheetsFlags) write(r *listRun, page sheetPage) error {
	if err := os.MkdirAll(f.out, 0o700); err != nil {
		return &failure{code: exitOutput, what: "--out " + f.out + ": " + cause(err).Error(), err: err,
			hint: folderHint(err, filepath.Dir(filepath.Clean(f.out)), "name another folder")}
	}
	row := newRowFlags(nil)
	written := int64(0)
	for _, e := range r.entries {
		if !e.chosen {
			continue
		}
		p, err := r.build(row, e.row)
		if err != nil {
			line, hint := describe(err)
			return &failure{code: exitUsage, what: fmt.Sprintf("%s:%d: %s", r.list.Name, e.row.Line, line), hint: hint}
		}
		s, err := f.sheet(r, e, p)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := page.fill(&b, s); err != nil {
			return &failure{code: exitNoInput, what: fmt.Sprintf("--template: account %s: %v", shown(e.account), err), err: err}
		}
		// The name of the state file is safe on every file system, and no two accounts share it.
		name := strings.TrimSuffix(state.FileName(e.account), ".db") + page.extension
		if err := writeWhole("--out", filepath.Join(f.out, name), b.Bytes()); err != nil {
			return err
		}
		written++
	}
	_, err := fmt.Fprintf(r.a.out, "%s written to %s\n", ui.Plural(written, "page"), ui.Clean(f.out))
	return err
}

// sheet gives what is said of one mailbox.
func (f *sheetsFlags) sheet(r *listRun, e *entry, p *pass) (sheet, error) {
	s := sheet{Account: ui.Clean(e.account), Group: ui.Clean(e.group), Language: string(f.language), User: ui.Clean(mailboxLogin(p.target))}
	if own := e.row.Fields[columnLanguage]; own == "de" || own == "en" {
		s.Language = own
	}
	for _, text := range []string{mailboxLogin(p.target), mailboxLogin(p.source), e.row.Fields[columnOwner]} {
		if isAddress(text) {
			s.Address = text
			break
		}
	}
	host, port, err := p.target.Host, p.target.Port, error(nil)
	s.IMAP = sheetServer{host, port, tlsWord(p.target.TLS)}
	if f.imap != "" {
		if host, port, err = parseHostPort("--imap", f.imap); err != nil {
			return s, err
		}
		s.IMAP = sheetServer{host, port, tlsWord(imapx.TLSImplicit)}
		if port == 0 {
			s.IMAP.Port = 993
		}
	}
	mode := f.submissionTLS.mode // RFC 8314 section 3.3 wants TLS from the start
	s.SMTP = sheetServer{host, 0, tlsWord(mode)}
	if f.submission != "" {
		if s.SMTP.Host, s.SMTP.Port, err = parseHostPort("--submission", f.submission); err != nil {
			return s, err
		}
	}
	if s.SMTP.Port == 0 {
		s.SMTP.Port = map[imapx.TLSMode]int{imapx.TLSImplicit: 465, imapx.TLSStartTLS: 587, imapx.TLSNone: 25}[mode]
	}
	return s, nil
}

// tlsWord is what mail programs call it.
func tlsWord(m imapx.TLSMode) string {
	return map[imapx.TLSMode]string{imapx.TLSImplicit: "SSL/TLS", imapx.TLSStartTLS: "STARTTLS", imapx.TLSNone: "-"}[m]
}
