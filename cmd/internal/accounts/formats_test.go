package accounts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// columns are the names of flags that the command gives.
func testColumns() []string {
	columns := []string{"into", "from", "include", "exclude", "map", "newer_than", "older_than", "max_size"}
	for _, side := range []string{"source", "target"} {
		columns = append(columns, side)
		for _, part := range []string{"user", "authzid", "tls", "tls_name", "tls_pin", "tls_min", "tls_cert", "tls_key", "ca", "address", "proxy", "bind", "password_file", "password_command"} {
			columns = append(columns, side+"_"+part)
		}
	}
	return columns
}

func readText(t *testing.T, text string) *List {
	t.Helper()
	l, err := Read(strings.NewReader(text), "list", Options{Columns: testColumns()})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// rendered is a row as tests write it, with its passwords.
func rendered(r Row) string {
	var parts []string
	for _, p := range r.Problems {
		parts = append(parts, fmt.Sprintf("! %s: %s", p.Column, p.Text))
	}
	if len(parts) > 0 {
		return strings.Join(parts, " ")
	}
	if r.ID != "" {
		parts = append(parts, "id="+r.ID)
	}
	if r.Group != "" {
		parts = append(parts, "group="+r.Group)
	}
	for _, k := range sortedKeys(r.Fields) {
		parts = append(parts, k+"="+r.Fields[k])
	}
	for _, k := range sortedKeys(r.Secrets) {
		parts = append(parts, k+"="+r.Secrets[k].Reveal())
	}
	return strings.Join(append(parts, r.Args...), " ")
}

type formatCase struct {
	file, format string
	delim        rune
	rows         []string // "LINE fields"
	warnings     []string // parts of them
	notes        []string
}

func formatCases() []formatCase {
	return []formatCase{
		{file: "imapsync.txt", format: "imapsync", delim: ';', rows: []string{
			`2 source=imap.old.example source_user=alice target=imap.new.example target_user=alice@new.example source_password=s3cret "quoted" target_password= blanks kept `,
			`4 source=imap.old.example source_tls=implicit source_user=bob target=imap.new.example target_user=bob@new.example source_password=p,a|s's target_password=geheim --into Old mail --newer-than 90d --exclude Trash --exclude *Spam*`,
			`5 ! extra: imapsync's --delete2 is not taken over`,
			`6 ! extra: imapsync's --skipmess has no meaning here that is known`,
			`7 ! extra: that is no option of imapsync's`,
			`8 ! : 2 cells, at least 6 are needed here`,
		}, notes: []string{"line 2: the password begins or ends with a blank", "line 4: imapsync's --automap has no counterpart"}},
		{file: "imapsync-short.txt", format: "imapsync-short", delim: ';', rows: []string{
			`2 source_user=alice target_user=alice@new.example source_password=pässwörd target_password=#1`,
			`3 source_user=bob target_user=bob@new.example source_password="b" target_password=b2`,
		}},
		{file: "ms365.csv", format: "ms365", delim: ',', rows: []string{
			`2 source_user=terry target_user=terry@new.example source_password=pa,ss"word`,
			`3 from=Public Folders/Sales source_user=old.example/admin/ann target_user=ann@new.example source_password=secret`,
			`4 source_user=#li@old.example#admin@old.example# target_user=li@new.example source_password=secret`,
		}},
		{file: "exchange.csv", format: "exchange", delim: ',', rows: []string{
			`2 source=mail.old.example:993 source_tls=implicit source_user=alice target_user=alice@new.example source_password=pw1`,
			`3 source=mail.old.example:143 source_tls=starttls source_user=bob target_user=bob@new.example source_password=pw2`,
		}},
		{file: "bittitan.csv", format: "bittitan", delim: ',', rows: []string{
			`2 source_user=OLD\alice target_user=alice@new.example source_password=pw1 target_password=pw2`,
			`3 source_user=bob@old.example target_user=bob@new.example`,
		}, notes: []string{"Flags: unknown"}},
		{file: "gwmme.csv", format: "gwmme", delim: ',', rows: []string{
			`1 source_user=alice@old.example target_user=alice@new.example source_password=pa#ss`,
			`2 source_user=bob target_user=bob@new.example source_password=p w`,
			`3 source_user=carol@new.example source_password=only`,
		}},
		{file: "google.csv", format: "google", delim: ',', rows: []string{
			`1 source_user=alice@old.example target_user=alice@new.example`,
			`2 source_user=bob@old.example target_user=bob@new.example`,
		}},
		{file: "cloudm.csv", format: "cloudm", delim: ',', rows: []string{
			`2 source_user=alice@old.example target_user=alice@new.example source_password=pw1`,
			`3 source_user=bob@old.example target_user=bob@new.example source_password=pw2`,
		}, notes: []string{"ExportType, ImportType, GivenName, FamilyName, DocumentsPath: unknown"}},
		{file: "trekmail.csv", format: "trekmail", delim: ',', rows: []string{
			`2 source=mail.old.example:143 source_tls=starttls source_user=alice@old.example target_user=alice@new.example source_password=pw1`,
			`3 source=mail.old.example:993 source_tls=implicit source_user=bob@old.example target_user=bob@new.example source_password=pw2`,
			`4 source=[2001:db8::1]:993 source_user=carol@old.example target_user=carol@new.example source_password=pw3`,
			`5 ! source_port: "70000" is no port`,
			`6 source=mail.old.example:143 source_tls=none source_user=erin@old.example target_user=erin@new.example source_password=pw5`,
		}, warnings: []string{"line 6: the list asks for a connection without TLS"}},
		{file: "vialink.csv", format: "vialink", delim: ',', rows: []string{
			`2 source=mail.old.example source_user=alice target=mail.new.example target_user=alice@new.example source_password=pw1 target_password=pw2`,
		}},
		{file: "ns8.csv", format: "ns8", delim: ',', rows: []string{
			`2 source=mail.old.example:143 source_tls=starttls source_user=alice@old.example target_user=alice source_password=pw1`,
			`3 source=mail.old.example:993 source_tls=implicit source_user=bob@old.example target_user=bob source_password=pw2`,
			`4 source=mail.old.example:143 source_tls=starttls source_user=carol@old.example target_user=carol source_password=pw3`,
		}},
		{file: "ispmanager.csv", format: "ispmanager", delim: ',', rows: []string{
			`2 source_user=alice@old.example source_password=pw1`,
			`3 source_user=bob@old.example source_password=p,2`,
		}},
		{file: "kerio.csv", format: "kerio", delim: ';', rows: []string{
			`1 source_user=alice@old.example source_password=pw 1`,
			`2 source_user=bob@old.example source_password=p"w`,
		}},
		{file: "yandex.csv", format: "yandex", delim: ';', rows: []string{
			`2 source_user=alice@old.example target_user=alice source_password=p;w"1`,
			`3 source_user=bob@old.example source_password=pw2`,
		}},
		{file: "ImapCopy.cfg", format: "imapcopy", delim: ',', rows: []string{
			`8 source=imap://imap.old.example source_user=alice target=imap.new.example:993 target_user=alice@new.example source_password=pa ss target_password=pw#2`,
			`11 source=imap2.old.example:993 source_user=bob target=imap.new.example:993 target_user=bob@new.example source_password=pw3 target_password=pw4`,
		}},
		{file: "mailcow.csv", format: "mailcow", delim: ',', rows: []string{
			`2 source=mail.old.example:993 source_tls=implicit source_user=alice@old.example target_user=alice@new.example source_password=pw1 ` +
				`--exclude *spam* --exclude *Spam* --exclude *SPAM* --exclude *junk* --exclude *Junk* --exclude *JUNK*`,
			`3 ! custom_params: imapsync's --regextrans2 is not taken over`,
			`4 ! delete2duplicates: imapsync's --delete2duplicates is not taken over`,
			`5 ! active: the job is switched off`,
			`6 ! dry: imapsync's --dry is not taken over`,
		}, warnings: []string{"lines 4, 5, 6: the list asks for a connection without TLS"}},
		{file: "mailcow.json", format: "mailcow", delim: ',', rows: []string{
			`2 source=mail.old.example:993 source_tls=implicit source_user=alice@old.example target_user=alice@new.example source_password=p"w;1`,
			`5 ! dry: imapsync's --dry is not taken over`,
		}},
		{file: "own.csv", format: "mailmove", delim: ';', rows: []string{
			`2 id=a1 group=old.example source=mail.old.example source_user=alice target=imap://mail.new.example target_tls=starttls target_user=alice@new.example source_password=p;"w target_password=pw2 --newer-than 90d --into Old mail`,
			`3 id=a2 group=old.example source=mail.old.example source_user=bob target=mail.new.example target_user=bob@new.example source_password= pw  target_password=pw2`,
			`4 ! : the header once more`,
			`5 ! source: a password in a URL is refused`,
		}, warnings: []string{"remark: unknown"}},
		{file: "excel-windows-1252.csv", format: "mailmove", delim: ';', rows: []string{
			`2 id=m1 source=mail.old.example source_user=müller target=mail.new.example target_user=mueller source_password=grüße;"€" target_password=ß;ü`,
			`3 id=m2 source=mail.old.example source_user=meier target=mail.new.example target_user=meier source_password=plain target_password=plain`,
		}, warnings: []string{"read as Windows-1252; what is not ASCII is in line 2"}},
		{file: "excel-utf-16.txt", format: "mailmove", delim: '\t', rows: []string{
			`2 id=m1 source=mail.old.example source_user=müller target=mail.new.example target_user=mueller source_password=grüße;"€" target_password=ß;ü`,
			`3 id=m2 source=mail.old.example source_user=meier target=mail.new.example target_user=meier source_password=plain target_password=plain`,
		}},
		{file: "excel-utf-8.csv", format: "mailmove", delim: ';', rows: []string{
			`3 id=m1 source=mail.old.example source_user=müller target=mail.new.example target_user=mueller source_password=grüße;"€" target_password=ß|ü`,
		}},
	}
}

// Each list that admins have is read as its tool meant it.
func TestFormats(t *testing.T) {
	tested := make(map[string]bool)
	for _, c := range formatCases() {
		tested[c.file] = true
		t.Run(c.file, func(t *testing.T) {
			l := readFile(t, c.file)
			if l.Format != c.format || l.Delim != c.delim {
				t.Errorf("format %q, separator %q", l.Format, l.Delim)
			}
			var rows []string
			for _, r := range l.Rows {
				rows = append(rows, fmt.Sprintf("%d %s", r.Line, rendered(r)))
			}
			if !slices.Equal(rows, c.rows) {
				t.Errorf("read:\n%s\nwant:\n%s", strings.Join(rows, "\n"), strings.Join(c.rows, "\n"))
			}
			checkTexts(t, "warnings", l.Warnings, c.warnings)
			for _, want := range c.notes {
				if !slices.ContainsFunc(l.Notes, func(p Problem) bool { return strings.Contains(p.Column+": "+p.Text, want) }) {
					t.Errorf("no note %q among %v", want, l.Notes)
				}
			}
			checkSecrets(t, l)
		})
	}
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && !tested[e.Name()] {
			t.Errorf("testdata/%s is tested nowhere", e.Name())
		}
	}
}

func readFile(t *testing.T, name string) *List {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := Read(f, name, Options{Columns: testColumns()})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func checkTexts(t *testing.T, what string, have []Problem, want []string) {
	t.Helper()
	if len(have) != len(want) {
		t.Errorf("%s: %v, want %q", what, have, want)
		return
	}
	for i, p := range have {
		if !strings.Contains(p.Column+": "+p.Text, want[i]) {
			t.Errorf("%s: %v, want %q", what, p, want[i])
		}
	}
}

// checkSecrets looks for the passwords of a list in all that may be shown of it.
func checkSecrets(t *testing.T, l *List) {
	t.Helper()
	var text strings.Builder
	for _, p := range slices.Concat(l.Warnings, l.Notes) {
		fmt.Fprintln(&text, p.Column, p.Text, p.Hint)
	}
	var secrets []string
	for _, r := range l.Rows {
		for i, c := range r.Cells {
			if !slices.Contains(l.SecretColumns, i) {
				fmt.Fprintln(&text, c)
			}
		}
		for _, p := range r.Problems {
			fmt.Fprintln(&text, p.Column, p.Text, p.Hint)
		}
		fmt.Fprintln(&text, r.Fields, r.Args, r.Secrets)
		for _, s := range r.Secrets {
			secrets = append(secrets, s.Reveal())
		}
	}
	for _, s := range append(secrets, "hunter2", "pa;ss", ";ss;") {
		if len(s) > 2 && s != "plain" && strings.Contains(text.String(), s) {
			t.Errorf("the password %q shows:\n%s", s, text.String())
		}
	}
}
